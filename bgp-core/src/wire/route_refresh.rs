//! ROUTE-REFRESH: a request for a peer's routes, and the marks around the response (RFC 2918, RFC 7313).

use bytes::{BufMut, BytesMut};

use crate::types::{Afi, AfiSafi, Safi};

use super::error::DecodeError;
use super::error_kind::ErrorKind;
use super::frame::Frame;
use super::header::{HEADER_LENGTH, MessageType, message};

/// The meaning of a ROUTE-REFRESH (RFC 7313 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RouteRefreshSubtype(pub u8);

impl RouteRefreshSubtype {
    /// A request to send all routes again.
    pub const REQUEST: Self = Self(0);
    /// Beginning of Route Refresh (BoRR): routes that are not repeated before the end are withdrawn.
    pub const BEGIN: Self = Self(1);
    /// End of Route Refresh (EoRR).
    pub const END: Self = Self(2);
}

/// A ROUTE-REFRESH message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 2918 section 3 has these fields")]
pub struct RouteRefresh {
    /// The family of the routes.
    pub family: AfiSafi,
    /// The meaning; a receiver ignores an unknown one.
    pub subtype: RouteRefreshSubtype,
}

impl RouteRefresh {
    /// A request for all routes of a family.
    #[must_use]
    pub const fn request(family: AfiSafi) -> Self {
        Self { family, subtype: RouteRefreshSubtype::REQUEST }
    }

    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        message(out, MessageType::RouteRefresh, |out| {
            out.put_u16(self.family.afi.0);
            out.put_slice(&[self.subtype.0, self.family.safi.0]);
        });
    }

    /// Decodes a message. A longer request has outbound route filters (RFC 5291), which are ignored.
    pub(super) fn decode(frame: Frame<'_>) -> Result<Self, DecodeError> {
        let [afi_high, afi_low, subtype, safi, rest @ ..] = frame.body() else {
            return Err(DecodeError::new(ErrorKind::MessageLength, 16));
        };

        let subtype = RouteRefreshSubtype(*subtype);
        let is_mark = matches!(subtype, RouteRefreshSubtype::BEGIN | RouteRefreshSubtype::END);
        if is_mark && !rest.is_empty() {
            return Err(DecodeError::new(ErrorKind::RouteRefreshLength, HEADER_LENGTH + 4));
        }

        let afi = Afi(u16::from_be_bytes([*afi_high, *afi_low]));
        Ok(Self { family: AfiSafi::new(afi, Safi(*safi)), subtype })
    }
}
