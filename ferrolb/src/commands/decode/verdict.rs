//! One message and what a session would make of it.

use bgp_session::wire::{
    DecodeError, ErrorCode, Frame, Message, Notification, Treatment, Update, WireContext,
};

/// A message that was read, and the verdict on it.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    /// The octets of the message; all there are, where it has no end.
    pub(super) octets: &'a [u8],
    /// The same as a whole message, where its header is right.
    pub(super) frame: Option<Frame<'a>>,
    /// The message, where it could be read at all.
    pub(super) message: Option<Message<'a>>,
    /// What becomes of it.
    pub(super) outcome: Outcome,
    /// The first error of those that the outcome is for.
    pub(super) error: Option<DecodeError>,
    /// What the peer would be told, where the session would be ended.
    pub(super) notification: Option<Notification>,
}

/// What a session makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// By RFC 7606.
    Treated(Treatment),
    /// An OPEN that is refused.
    OpenError,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Treated(treatment) => treatment.fmt(f),
            Self::OpenError => f.write_str("open-error"),
        }
    }
}

/// Why octets are no message to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOneMessage {
    /// The message goes on after the last octet.
    #[error("truncated: expected {expected} octets, found {found}")]
    Truncated {
        /// What the header says, or the length of a header.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// Octets follow the message.
    #[error("surplus octets: expected {expected}, found {found}")]
    Surplus {
        /// What the header says.
        expected: usize,
        /// What is there.
        found: usize,
    },
}

impl NotOneMessage {
    /// These octets are the beginning of a message.
    pub(super) fn truncated(octets: &[u8]) -> Self {
        let expected = declared_length(octets).unwrap_or(HEADER_LENGTH);
        Self::Truncated { expected, found: octets.len() }
    }
}

impl<'a> Judged<'a> {
    /// Judges octets that are one whole message with its header.
    ///
    /// # Errors
    ///
    /// Where they are less or more than that.
    pub(super) fn one(octets: &'a [u8], cx: WireContext) -> Result<Self, NotOneMessage> {
        let judged = Self::first(octets, cx).ok_or_else(|| NotOneMessage::truncated(octets))?;
        let expected = judged.octets.len();
        if expected < octets.len() {
            return Err(NotOneMessage::Surplus { expected, found: octets.len() });
        }
        Ok(judged)
    }

    /// Judges the first message of a stream; `None` where it is not whole.
    #[must_use]
    pub(super) fn first(octets: &'a [u8], cx: WireContext) -> Option<Self> {
        match Frame::split(octets, cx.limit()) {
            Ok(frame) => Some(Self::frame(frame?, cx)),
            Err(error) => Some(Self::refused(octets, None, error)),
        }
    }

    fn frame(frame: Frame<'a>, cx: WireContext) -> Self {
        let octets = frame.as_bytes();
        let message = match Message::decode(frame, cx) {
            Ok(message) => message,
            Err(error) => return Self::refused(octets, Some(frame), error),
        };
        let (treatment, error) = match &message {
            Message::Update(update) => (update.treatment(), update.error()),
            _ => (Treatment::None, None),
        };
        let outcome = Outcome::Treated(treatment);
        let (frame, message) = (Some(frame), Some(message));
        Self { octets, frame, message, outcome, error, notification: None }
    }

    fn refused(octets: &'a [u8], frame: Option<Frame<'a>>, error: DecodeError) -> Self {
        let notification = error.notification(octets);
        let outcome = match notification.code {
            ErrorCode::OPEN_MESSAGE => Outcome::OpenError,
            _ => Outcome::Treated(Treatment::SessionReset),
        };
        let (error, notification) = (Some(error), Some(notification));
        Self { octets, frame, message: None, outcome, error, notification }
    }

    /// The message, if it is an UPDATE that could be read.
    pub(super) fn update(&self) -> Option<&Update<'a>> {
        match &self.message {
            Some(Message::Update(update)) => Some(update),
            _ => None,
        }
    }

    /// Whether the message is used, at least in part.
    #[must_use]
    pub(super) fn is_used(&self) -> bool {
        matches!(self.outcome, Outcome::Treated(Treatment::None | Treatment::AttributeDiscard))
    }
}

fn declared_length(octets: &[u8]) -> Option<usize> {
    let [high, low] = octets.get(16..18)? else { return None };
    Some(usize::from(u16::from_be_bytes([*high, *low])))
}

const HEADER_LENGTH: usize = bgp_session::wire::HEADER_LENGTH;
