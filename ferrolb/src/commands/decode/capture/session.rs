//! The negotiated features of a captured session: from its OPENs, or else as its UPDATEs show them.

use bgp_session::wire::{
    AddPath, Capability, Frame, Message, MessageLimit, MessageType, Open, Treatment, WireContext,
};
use bgp_session::{Afi, AfiSafi, Asn};

use crate::commands::decode::context::{Context, Family, PeerKind};

/// A session, as far as the capture shows it.
///
/// If both OPENs are known, they decide. Otherwise the session has what the known OPEN offers, or what the arguments say. If
/// an UPDATE then has an error, the first other context in which it has none counts from there on, in this direction.
#[derive(Clone, Debug)]
pub(super) struct CapturedSession {
    /// The context of the arguments.
    default: Context,
    low: SessionEnd,
    high: SessionEnd,
}

/// One end of a session.
#[derive(Clone, Debug, Default)]
struct SessionEnd {
    open: Option<OpenOffer>,
    /// The difference of the context of its messages from the one that is known.
    guess: ContextGuess,
}

/// The parts of an OPEN that change how messages are read.
#[derive(Clone, Debug)]
struct OpenOffer {
    asn: Asn,
    asn4: bool,
    ext_msg: bool,
    ext_nh: bool,
    families: Vec<AfiSafi>,
    add_path: Vec<AddPath>,
}

/// A difference from a known context.
#[derive(Clone, Copy, Debug, Default)]
struct ContextGuess {
    other_as_width: bool,
    other_path_ids: bool,
    internal: bool,
}

impl CapturedSession {
    /// Creates a session with the context of the arguments.
    pub(super) fn new(default: Context) -> Self {
        Self { default, low: SessionEnd::default(), high: SessionEnd::default() }
    }

    /// Forgets the OPENs: a new connection starts.
    pub(super) fn restart(&mut self) {
        (self.low, self.high) = Default::default();
    }

    /// Returns the context for reading a message. Call it once for each message, in order: it also learns from them.
    pub(super) fn context(&mut self, from_low: bool, octets: &[u8]) -> WireContext {
        let Ok(Some(frame)) = Frame::split(octets, MessageLimit::Extended) else {
            return self.known(from_low).wire();
        };
        match frame.kind() {
            MessageType::Open => {
                if let Ok(Message::Open(open)) = Message::decode(frame, WireContext::default()) {
                    let (sender, receiver) = self.ends(from_low);
                    sender.open = Some(OpenOffer::of(&open));
                    (sender.guess, receiver.guess) = Default::default();
                }
                WireContext::default()
            }
            MessageType::Update => self.context_of_update(from_low, frame),
            _ => self.known(from_low).wire(),
        }
    }

    fn ends(&mut self, from_low: bool) -> (&mut SessionEnd, &mut SessionEnd) {
        if from_low { (&mut self.low, &mut self.high) } else { (&mut self.high, &mut self.low) }
    }

    fn context_of_update(&mut self, from_low: bool, frame: Frame<'_>) -> WireContext {
        let known = self.known(from_low);
        let is_certain = self.low.open.is_some() && self.high.open.is_some();
        if is_certain {
            return known.wire();
        }

        let (sender, _) = self.ends(from_low);
        let current = sender.guess.apply(&known).wire();
        if has_no_error(frame, current) {
            return current;
        }
        for guess in ContextGuess::all() {
            let context = guess.apply(&known).wire();
            if has_no_error(frame, context) {
                sender.guess = guess;
                return context;
            }
        }
        current
    }

    /// Returns the context for messages of one end, without a guess.
    fn known(&self, from_low: bool) -> Context {
        let (sender, receiver) =
            if from_low { (&self.low, &self.high) } else { (&self.high, &self.low) };
        match (&sender.open, &receiver.open) {
            (Some(sender), Some(receiver)) => sender.agreed_with(receiver),
            // Assume that both ends offer the same, and that there are no path identifiers.
            (Some(only), None) | (None, Some(only)) => Context {
                addpath: self.default.addpath.clone(),
                peer: self.default.peer,
                ..only.agreed_with(only)
            },
            // The length of a message is not in question.
            (None, None) => Context { ext_msg: true, ..self.default.clone() },
        }
    }
}

impl OpenOffer {
    fn of(open: &Open) -> Self {
        let mut offer = Self {
            asn: open.asn,
            asn4: open.four_octet_as().is_some(),
            ext_msg: false,
            ext_nh: false,
            families: Vec::new(),
            add_path: Vec::new(),
        };
        for capability in &open.capabilities {
            match capability {
                Capability::Multiprotocol(family) => offer.families.push(*family),
                Capability::ExtendedMessage => offer.ext_msg = true,
                Capability::ExtendedNextHop(entries) => {
                    offer.ext_nh |= entries.iter().any(|entry| entry.family.afi == Afi::IPV4);
                }
                Capability::AddPath(entries) => offer.add_path.extend(entries),
                _ => {}
            }
        }

        // An OPEN that names no family may be older than RFC 4760.
        if offer.families.is_empty() {
            offer.families.push(AfiSafi::IPV4_UNICAST);
        }
        offer
    }

    /// Returns the context for messages of this end, if the other end has this OPEN.
    fn agreed_with(&self, receiver: &Self) -> Context {
        let is_internal = self.asn == receiver.asn;
        let families = self.families.iter().filter(|family| receiver.families.contains(family));
        let add_path = self.add_path.iter().filter(|entry| {
            entry.mode.sends()
                && receiver
                    .add_path
                    .iter()
                    .any(|other| other.family == entry.family && other.mode.receives())
        });
        Context {
            asn4: self.asn4 && receiver.asn4,
            peer: if is_internal { PeerKind::Ibgp } else { PeerKind::Ebgp },
            families: families.map(|family| Family(*family)).collect(),
            addpath: add_path.map(|entry| Family(entry.family)).collect(),
            ext_msg: self.ext_msg && receiver.ext_msg,
            ext_nh: self.ext_nh && receiver.ext_nh,
        }
    }
}

impl ContextGuess {
    /// Returns all guesses, those with the fewest differences first.
    fn all() -> impl Iterator<Item = Self> {
        [0, 1, 2, 4, 3, 5, 6, 7_u8].into_iter().map(|bits| Self {
            other_as_width: bits & 1 != 0,
            internal: bits & 2 != 0,
            other_path_ids: bits & 4 != 0,
        })
    }

    fn apply(self, known: &Context) -> Context {
        let mut context = known.clone();
        context.asn4 ^= self.other_as_width;
        if self.internal {
            context.peer = PeerKind::Ibgp;
        }
        if self.other_path_ids {
            let has_path_ids = !context.addpath.is_empty();
            context.addpath = if has_path_ids { Vec::new() } else { context.families.clone() };
        }
        context
    }
}

/// Returns true if a session in this context uses the whole UPDATE.
fn has_no_error(frame: Frame<'_>, context: WireContext) -> bool {
    matches!(Message::decode(frame, context),
        Ok(Message::Update(update)) if update.treatment() == Treatment::None)
}
