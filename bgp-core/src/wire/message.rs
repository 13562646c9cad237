//! [`Message`]: a decoded message of any type.

use super::context::WireContext;
use super::error::DecodeError;
use super::error_kind::ErrorKind;
use super::frame::Frame;
use super::header::MessageType;
use super::notification::Notification;
use super::open::Open;
use super::route_refresh::RouteRefresh;
use super::update::Update;

/// A decoded message. An UPDATE borrows the octets that it was read from; the others are rare and own their data.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Message<'a> {
    /// OPEN.
    Open(Open),
    /// UPDATE.
    Update(Update<'a>),
    /// NOTIFICATION.
    Notification(Notification),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH.
    RouteRefresh(RouteRefresh),
}

impl<'a> Message<'a> {
    /// Decodes a message in the context of its session.
    ///
    /// # Errors
    ///
    /// The errors that end the session. For errors in an UPDATE with a milder treatment by RFC 7606, see
    /// [`Update::treatment`].
    #[inline]
    pub fn decode(frame: Frame<'a>, cx: WireContext) -> Result<Self, DecodeError> {
        match frame.kind() {
            MessageType::Update => Update::decode(frame, cx).map(Self::Update),
            MessageType::Keepalive => Ok(Self::Keepalive),
            MessageType::Open => Open::decode(frame.body()).map(Self::Open),
            MessageType::RouteRefresh => RouteRefresh::decode(frame).map(Self::RouteRefresh),
            MessageType::Notification => Notification::decode(frame.body())
                .map(Self::Notification)
                .ok_or_else(|| DecodeError::new(ErrorKind::MessageLength, 16)),
        }
    }

    /// The type of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageType {
        match self {
            Self::Open(_) => MessageType::Open,
            Self::Update(_) => MessageType::Update,
            Self::Notification(_) => MessageType::Notification,
            Self::Keepalive => MessageType::Keepalive,
            Self::RouteRefresh(_) => MessageType::RouteRefresh,
        }
    }
}
