//! What the sessions of a recording negotiated, as far as it tells.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::types::{Afi, AfiSafi};
use crate::wire::{Capability, Frame, Message, MessageType, Open, WireContext};

use super::RecordedMessage;

/// The sessions of a recording, each with what its OPENs have shown so far.
///
/// A record says how wide its AS numbers are and, by RFC 8050, whether its prefixes have path identifiers. The rest of what
/// a session negotiated stands in its OPENs, where the recording has those. And some daemons record what they got with path
/// identifiers as if it had none: so a record without them is read with them all the same where
///
/// * the OPENs of both sides are in the recording and agree on it (RFC 7911 section 4), or
/// * only the sender's is, it offers to send path identifiers, and an UPDATE of the session cannot be read without them but
///   can be read with them. From this one on all are read so.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    sessions: BTreeMap<(IpAddr, IpAddr), RecordedSession>,
}

/// One session. Index 0 is the peer, who sends what is not [`sent`](RecordedMessage::sent); 1 is the recording side.
#[derive(Clone, Debug, Default)]
struct RecordedSession {
    opens: [Option<OfferedCapabilities>; 2],
    /// A message of that side could only be read with path identifiers.
    shown: [bool; 2],
}

/// What an OPEN offers, as far as it changes how messages are read.
#[derive(Clone, Copy, Debug, Default)]
struct OfferedCapabilities {
    extended_messages: bool,
    extended_next_hop: bool,
    sends_paths: [bool; FAMILIES.len()],
    receives_paths: [bool; FAMILIES.len()],
}

impl Sessions {
    /// None is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How to read a message, which is learnt from as well: give every message of the recording once, in its order.
    pub fn context(&mut self, recorded: &RecordedMessage<'_>) -> WireContext {
        let session = self.sessions.entry((recorded.peer, recorded.local)).or_default();
        let own = recorded.context();
        let Some(frame) = whole(recorded) else { return session.context(own, recorded) };
        match frame.kind() {
            MessageType::Open => {
                session.learn(frame, recorded.sent);
                own
            }
            MessageType::Update => {
                let cx = session.context(own, recorded);
                let guess = session.guess(cx, recorded);
                if guess == cx || Message::decode(frame, cx).is_ok() {
                    return cx;
                }
                if Message::decode(frame, guess).is_err() {
                    return cx;
                }
                session.note(recorded.sent);
                guess
            }
            _ => session.context(own, recorded),
        }
    }
}

impl RecordedSession {
    fn learn(&mut self, frame: Frame<'_>, sent: bool) {
        let Ok(Message::Open(open)) = Message::decode(frame, WireContext::default()) else {
            return;
        };
        let [peer, local] = &mut self.opens;
        let (of_sender, of_other) = if sent { (local, peer) } else { (peer, local) };
        // A second OPEN of a side begins another session; what the other side said was for the one before.
        if of_sender.replace(OfferedCapabilities::of(&open)).is_some() {
            *of_other = None;
        }
        self.shown = [false; 2];
    }

    fn offers(&self, sent: bool) -> (Option<OfferedCapabilities>, Option<OfferedCapabilities>) {
        let [peer, local] = self.opens;
        if sent { (local, peer) } else { (peer, local) }
    }

    /// What is known of the session beside what the record says.
    fn context(&self, own: WireContext, recorded: &RecordedMessage<'_>) -> WireContext {
        let any = |has: fn(&OfferedCapabilities) -> bool| self.opens.iter().flatten().any(has);
        let cx = own
            .extended_messages(any(|offer| offer.extended_messages))
            .extended_next_hop(any(|offer| offer.extended_next_hop));
        let [peer, local] = self.shown;
        if if recorded.sent { local } else { peer } {
            return self.guess(cx, recorded);
        }
        let (Some(sender), Some(receiver)) = self.offers(recorded.sent) else { return cx };
        let agreed = sender.sends_paths.into_iter().zip(receiver.receives_paths);
        FAMILIES.into_iter().zip(agreed).fold(cx, |cx, (family, (sends, receives))| {
            cx.add_path(family, sends && receives || recorded.add_path)
        })
    }

    /// The same with the path identifiers that the sender alone offers.
    fn guess(&self, cx: WireContext, recorded: &RecordedMessage<'_>) -> WireContext {
        let (Some(sender), None) = self.offers(recorded.sent) else { return cx };
        FAMILIES
            .into_iter()
            .zip(sender.sends_paths)
            .fold(cx, |cx, (family, sends)| cx.add_path(family, sends || recorded.add_path))
    }

    fn note(&mut self, sent: bool) {
        let [peer, local] = &mut self.shown;
        *(if sent { local } else { peer }) = true;
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
                        let places = offer.sends_paths.iter_mut().zip(&mut offer.receives_paths);
                        let of_family = FAMILIES.into_iter().zip(places);
                        for (_, (sends, receives)) in
                            of_family.filter(|(family, _)| *family == entry.family)
                        {
                            *sends |= entry.mode.sends();
                            *receives |= entry.mode.receives();
                        }
                    }
                }
                _ => {}
            }
        }
        offer
    }
}

/// The message, if the record has exactly one whose header is right.
fn whole<'a>(recorded: &RecordedMessage<'a>) -> Option<Frame<'a>> {
    let limit = crate::wire::MessageLimit::Extended;
    let frame = Frame::split(recorded.octets, limit).ok()??;
    (frame.as_bytes().len() == recorded.octets.len()).then_some(frame)
}

const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
