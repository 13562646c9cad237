//! The common header, which divides a stream into messages (RFC 7854 section 4.1).

use bytes::{BufMut, BytesMut};

use crate::wire::input::{Parsed, four_octets, octet};

use super::{BmpMessage, content};

/// The version of BMP.
pub const BMP_VERSION: u8 = 3;

/// The length of the common header: version, length and type.
pub const BMP_HEADER_LENGTH: usize = 6;

/// The type of a message, from IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BmpMessageType(pub u8);

impl BmpMessageType {
    /// Routes of a RIB.
    pub const ROUTE_MONITORING: Self = Self(0);
    /// Counters and gauges.
    pub const STATISTICS_REPORT: Self = Self(1);
    /// The end of a session.
    pub const PEER_DOWN: Self = Self(2);
    /// A new session.
    pub const PEER_UP: Self = Self(3);
    /// The first message.
    pub const INITIATION: Self = Self(4);
    /// The last message.
    pub const TERMINATION: Self = Self(5);
    /// Messages as received.
    pub const ROUTE_MIRRORING: Self = Self(6);
}

/// A whole message with a valid common header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BmpFrame<'a> {
    octets: &'a [u8],
    kind: BmpMessageType,
}

/// The octets are not BMP, or a message is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BmpError {
    /// The version is not 3. The stream cannot be read further.
    #[error("the BMP version is {0}, expected {BMP_VERSION}")]
    Version(u8),
    /// The length is less than that of the header. The stream cannot be read further.
    #[error("a BMP message has the length {0}, expected at least {BMP_HEADER_LENGTH}")]
    Length(u32),
    /// The content does not match the length. The next message can still be read.
    #[error("the content of the BMP message of type {} does not match its length", .0.0)]
    Content(BmpMessageType),
}

impl<'a> BmpFrame<'a> {
    /// The first message of `buffer`, or `None` while it is incomplete. The octets after it are ignored.
    ///
    /// # Errors
    ///
    /// [`BmpError::Version`], [`BmpError::Length`].
    pub fn split(buffer: &'a [u8]) -> Result<Option<Self>, BmpError> {
        match Self::length(buffer)? {
            Some(length) => {
                let octets = usize::try_from(length).ok().and_then(|length| buffer.get(..length));
                let kind = buffer.get(BMP_HEADER_LENGTH - 1).map(|kind| BmpMessageType(*kind));
                Ok(octets.zip(kind).map(|(octets, kind)| Self { octets, kind }))
            }
            None => Ok(None),
        }
    }

    /// The length of the first message of `buffer`, including its header; `None` while the header is incomplete.
    ///
    /// The length comes from the router and may be up to 4 GiB: do not allocate it before reading. No message that this crate
    /// writes is longer than 200,000 octets.
    ///
    /// # Errors
    ///
    /// [`BmpError::Version`], [`BmpError::Length`].
    pub fn length(buffer: &[u8]) -> Result<Option<u32>, BmpError> {
        if let Some(version) = buffer.first().filter(|version| **version != BMP_VERSION) {
            return Err(BmpError::Version(*version));
        }

        let Ok((_, (length, _))) = header(buffer) else { return Ok(None) };
        if u64::from(length) < BMP_HEADER_LENGTH as u64 {
            return Err(BmpError::Length(length));
        }
        Ok(Some(length))
    }

    /// The type of the message.
    #[must_use]
    pub const fn kind(&self) -> BmpMessageType {
        self.kind
    }

    /// The whole message. A reader consumes this many octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    /// The content of the message. BGP messages in it are whole, and otherwise unchecked.
    ///
    /// # Errors
    ///
    /// [`BmpError::Content`].
    pub fn decode(&self) -> Result<BmpMessage<'a>, BmpError> {
        let body = self.octets.get(BMP_HEADER_LENGTH..).unwrap_or_default();
        match content(self.kind, body) {
            Ok(([], message)) => Ok(message),
            _ => Err(BmpError::Content(self.kind)),
        }
    }
}

/// Reads the length and the type of the common header.
fn header(input: &[u8]) -> Parsed<'_, (u32, u8)> {
    let (input, _version) = octet(input)?;
    let (input, length) = four_octets(input)?;
    let (input, kind) = octet(input)?;
    Ok((input, (length, kind)))
}

/// Appends a message: writes the common header, calls `body` to append the rest, and patches the length.
pub(super) fn message(kind: BmpMessageType, out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u8(BMP_VERSION);
    out.put_u32(0);
    out.put_u8(kind.0);
    body(out);

    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(octets) = out.get_mut(start + 1..start + 5) {
        octets.copy_from_slice(&length.to_be_bytes());
    }
}
