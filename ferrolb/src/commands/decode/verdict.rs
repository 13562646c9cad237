//! A message with the verdict of a session.

use std::fmt;

use bgp_session::wire::{
    DecodeError, ErrorCode, Frame, HEADER_LENGTH, Message, Notification, Treatment, Update,
    WireContext,
};

/// A message with the verdict on it.
#[derive(Debug)]
pub(super) struct JudgedMessage<'a> {
    /// The octets of the message; all octets, if its header is wrong.
    pub(super) octets: &'a [u8],
    /// The octets as a frame, if the header is right.
    pub(super) frame: Option<Frame<'a>>,
    /// The message, if it could be decoded.
    pub(super) message: Option<Message<'a>>,
    /// The verdict.
    pub(super) outcome: Outcome,
    /// The first of the errors that lead to the verdict.
    pub(super) error: Option<DecodeError>,
    /// The NOTIFICATION to the peer, if the session would end.
    pub(super) notification: Option<Notification>,
}

/// The verdict on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The treatment of RFC 7606.
    Treated(Treatment),
    /// The OPEN is refused.
    OpenError,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Treated(treatment) => treatment.fmt(f),
            Self::OpenError => f.write_str("open-error"),
        }
    }
}

/// The reason why octets are not one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOneMessage {
    /// The message does not end with the last octet.
    #[error("truncated: expected {expected} octets, found {found}")]
    Truncated {
        /// The length in the header, or else the length of a header.
        expected: usize,
        /// The number of octets.
        found: usize,
    },
    /// Octets follow the message.
    #[error("surplus octets: expected {expected}, found {found}")]
    Surplus {
        /// The length in the header.
        expected: usize,
        /// The number of octets.
        found: usize,
    },
}

impl NotOneMessage {
    /// Returns the error for the beginning of a message.
    pub(super) fn truncated(octets: &[u8]) -> Self {
        let expected = declared_length(octets).unwrap_or(HEADER_LENGTH);
        Self::Truncated { expected, found: octets.len() }
    }
}

impl<'a> JudgedMessage<'a> {
    /// Judges octets that are one message with its header.
    ///
    /// # Errors
    ///
    /// The octets are less or more than one message.
    pub(super) fn one(octets: &'a [u8], context: WireContext) -> Result<Self, NotOneMessage> {
        let judged =
            Self::first(octets, context).ok_or_else(|| NotOneMessage::truncated(octets))?;
        let expected = judged.octets.len();
        if expected < octets.len() {
            return Err(NotOneMessage::Surplus { expected, found: octets.len() });
        }
        Ok(judged)
    }

    /// Judges the first message of a stream; returns `None` if it is truncated.
    #[must_use]
    pub(super) fn first(octets: &'a [u8], context: WireContext) -> Option<Self> {
        match Frame::split(octets, context.limit()) {
            Ok(frame) => Some(Self::judge(frame?, context)),
            Err(error) => Some(Self::refused(octets, None, error)),
        }
    }

    fn judge(frame: Frame<'a>, context: WireContext) -> Self {
        let octets = frame.as_bytes();
        let message = match Message::decode(frame, context) {
            Ok(message) => message,
            Err(error) => return Self::refused(octets, Some(frame), error),
        };

        let (treatment, error) = match &message {
            Message::Update(update) => (update.treatment(), update.error()),
            _ => (Treatment::None, None),
        };
        Self {
            octets,
            frame: Some(frame),
            message: Some(message),
            outcome: Outcome::Treated(treatment),
            error,
            notification: None,
        }
    }

    /// Returns the verdict on a message that could not be decoded.
    fn refused(octets: &'a [u8], frame: Option<Frame<'a>>, error: DecodeError) -> Self {
        let notification = error.notification(octets);
        let outcome = match notification.code {
            ErrorCode::OPEN_MESSAGE => Outcome::OpenError,
            _ => Outcome::Treated(Treatment::SessionReset),
        };
        Self {
            octets,
            frame,
            message: None,
            outcome,
            error: Some(error),
            notification: Some(notification),
        }
    }

    /// Returns the UPDATE, if the message is one and could be decoded.
    pub(super) fn update(&self) -> Option<&Update<'a>> {
        match &self.message {
            Some(Message::Update(update)) => Some(update),
            _ => None,
        }
    }

    /// Returns true if the session uses the message, at least in part.
    #[must_use]
    pub(super) fn is_used(&self) -> bool {
        matches!(self.outcome, Outcome::Treated(Treatment::None | Treatment::AttributeDiscard))
    }
}

fn declared_length(octets: &[u8]) -> Option<usize> {
    let [high, low] = octets.get(16..18)? else { return None };
    Some(usize::from(u16::from_be_bytes([*high, *low])))
}
