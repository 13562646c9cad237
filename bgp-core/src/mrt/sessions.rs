//! The negotiated features of the sessions of a recording, as far as they can be inferred.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::types::{Afi, AfiSafi};
use crate::wire::{AddPath, Capability, Frame, Message, MessageType, Open, WireContext};

use super::RecordedMessage;

/// The sessions of a recording, with the capabilities in their OPENs so far.
///
/// A record defines the width of its AS numbers and, by RFC 8050, the presence of path identifiers. The other negotiated
/// features are in the OPENs of the session, if the recording has them. Some daemons record messages with path identifiers
/// but mark them as having none. So path identifiers are read even if the record does not have them, if
///
/// * the OPENs of both sides are in the recording and agree on it (RFC 7911 section 4), or
/// * only the sender's OPEN is in the recording and offers to send path identifiers, and an UPDATE of the session can only
///   be decoded with them. This applies from that UPDATE on.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    sessions: BTreeMap<(IpAddr, IpAddr), RecordedSession>,
}

/// A session of a recording.
#[derive(Clone, Debug, Default)]
struct RecordedSession {
    /// The peer: the sender of messages that are not [`sent`](RecordedMessage::sent).
    peer: RecordedSpeaker,
    /// The recording side.
    local: RecordedSpeaker,
}

/// One side of a session.
#[derive(Clone, Copy, Debug, Default)]
struct RecordedSpeaker {
    open: Option<OfferedCapabilities>,
    /// True if a message from this side could only be decoded with path identifiers.
    needs_path_ids: bool,
}

/// The capabilities in an OPEN that change how messages are read.
#[derive(Clone, Copy, Debug, Default)]
struct OfferedCapabilities {
    extended_messages: bool,
    extended_next_hop: bool,
    sends_paths: [bool; FAMILIES.len()],
    receives_paths: [bool; FAMILIES.len()],
}

impl Sessions {
    /// Creates an empty set of sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The context for reading a message. Call it once for each message of the recording, in order: it also learns from the
    /// messages.
    pub fn context(&mut self, recorded: &RecordedMessage<'_>) -> WireContext {
        let session = self.sessions.entry((recorded.peer, recorded.local)).or_default();
        let Some(frame) = complete_frame(recorded) else { return session.context(recorded) };

        match frame.kind() {
            MessageType::Open => {
                session.learn_open(frame, recorded.sent);
                recorded.context()
            }
            MessageType::Update => session.context_of_update(frame, recorded),
            _ => session.context(recorded),
        }
    }
}

impl RecordedSession {
    /// The sender and the receiver of a message.
    fn ends(&mut self, sent: bool) -> (&mut RecordedSpeaker, &mut RecordedSpeaker) {
        if sent { (&mut self.local, &mut self.peer) } else { (&mut self.peer, &mut self.local) }
    }

    fn learn_open(&mut self, frame: Frame<'_>, sent: bool) {
        let Ok(Message::Open(open)) = Message::decode(frame, WireContext::default()) else {
            return;
        };

        let (sender, receiver) = self.ends(sent);
        sender.needs_path_ids = false;
        receiver.needs_path_ids = false;

        // A second OPEN from the sender starts a new session: the receiver's OPEN was for the previous one.
        if sender.open.replace(OfferedCapabilities::of(&open)).is_some() {
            receiver.open = None;
        }
    }

    /// The context of an UPDATE: with path identifiers if it can only be decoded with them.
    fn context_of_update(
        &mut self,
        frame: Frame<'_>,
        recorded: &RecordedMessage<'_>,
    ) -> WireContext {
        let cx = self.context(recorded);
        let guess = self.with_offered_path_ids(cx, recorded);
        if guess == cx || Message::decode(frame, cx).is_ok() {
            return cx;
        }
        if Message::decode(frame, guess).is_err() {
            return cx;
        }

        let (sender, _) = self.ends(recorded.sent);
        sender.needs_path_ids = true;
        guess
    }

    /// The context from the record and the OPENs so far.
    fn context(&mut self, recorded: &RecordedMessage<'_>) -> WireContext {
        let mut cx = recorded.context();
        for offer in [self.peer.open, self.local.open].into_iter().flatten() {
            if offer.extended_messages {
                cx = cx.extended_messages(true);
            }
            if offer.extended_next_hop {
                cx = cx.extended_next_hop(true);
            }
        }

        let (sender, receiver) = self.ends(recorded.sent);
        if sender.needs_path_ids {
            return self.with_offered_path_ids(cx, recorded);
        }

        let (Some(sender), Some(receiver)) = (sender.open, receiver.open) else { return cx };
        let agreed = sender.sends_paths.into_iter().zip(receiver.receives_paths);
        for (family, (sends, receives)) in FAMILIES.into_iter().zip(agreed) {
            cx = cx.add_path(family, sends && receives || recorded.add_path);
        }
        cx
    }

    /// Adds the path identifiers that the sender offers, if the receiver's OPEN is not in the recording.
    fn with_offered_path_ids(
        &mut self,
        mut cx: WireContext,
        recorded: &RecordedMessage<'_>,
    ) -> WireContext {
        let (sender, receiver) = self.ends(recorded.sent);
        let (Some(sender), None) = (sender.open, receiver.open) else { return cx };
        for (family, sends) in FAMILIES.into_iter().zip(sender.sends_paths) {
            cx = cx.add_path(family, sends || recorded.add_path);
        }
        cx
    }
}

impl OfferedCapabilities {
    fn of(open: &Open) -> Self {
        let mut offer = Self::default();
        for capability in &open.capabilities {
            match capability {
                Capability::ExtendedMessage => offer.extended_messages = true,
                Capability::ExtendedNextHop(entries) => {
                    offer.extended_next_hop |=
                        entries.iter().any(|entry| entry.family.afi == Afi::IPV4);
                }
                Capability::AddPath(entries) => {
                    for entry in entries {
                        offer.add(*entry);
                    }
                }
                _ => {}
            }
        }
        offer
    }

    /// Adds an entry of the ADD-PATH capability, if it is for one of [`FAMILIES`].
    fn add(&mut self, entry: AddPath) {
        let modes = self.sends_paths.iter_mut().zip(&mut self.receives_paths);
        for (family, (sends, receives)) in FAMILIES.into_iter().zip(modes) {
            if family == entry.family {
                *sends |= entry.mode.sends();
                *receives |= entry.mode.receives();
            }
        }
    }
}

/// The message, if the record consists of exactly one message with a valid header.
fn complete_frame<'a>(recorded: &RecordedMessage<'a>) -> Option<Frame<'a>> {
    let limit = crate::wire::MessageLimit::Extended;
    let frame = Frame::split(recorded.octets, limit).ok()??;
    (frame.as_bytes().len() == recorded.octets.len()).then_some(frame)
}

/// The families for which path identifiers are inferred.
const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
