//! An UPDATE that outlives its receive buffer.

use crate::wire::context::WireContext;
use crate::wire::error::DecodeError;
use crate::wire::frame::Frame;

use super::{Update, UpdateMetadata};

/// An UPDATE with its own copy of the octets, to store messages or send them to another thread.
///
/// It makes one allocation of the length of the message, and keeps the decoded state: [`view`](Self::view) returns the
/// UPDATE without decoding it again. To store routes rather than messages, use [`Update::to_attributes_for`]: equal
/// attributes can be shared.
///
/// ```
/// use bgp_core::wire::{Frame, MessageLimit, OwnedUpdate, WireContext};
///
/// # let octets = [&[0xff; 16][..], &[0, 25, 2, 0, 2, 8, 10, 0, 0]].concat();
/// let frame = Frame::split(&octets, MessageLimit::Standard)?.expect("a whole message");
/// let update = OwnedUpdate::decode(frame, WireContext::default())?;
/// drop(octets);
/// assert_eq!(update.view().unreachable().count(), 1);
/// # Ok::<(), bgp_core::wire::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OwnedUpdate {
    octets: Box<[u8]>,
    metadata: UpdateMetadata,
}

impl OwnedUpdate {
    /// Decodes an UPDATE like [`Update::decode`], and copies it.
    ///
    /// # Errors
    ///
    /// The errors of [`Update::decode`]; nothing is copied in that case.
    #[inline]
    pub fn decode(frame: Frame<'_>, cx: WireContext) -> Result<Self, DecodeError> {
        Ok(Update::decode(frame, cx)?.into())
    }

    /// The UPDATE, borrowed from this copy.
    #[inline]
    #[must_use]
    pub fn view(&self) -> Update<'_> {
        Update { octets: &self.octets, metadata: self.metadata }
    }

    /// The complete message, including the header.
    #[inline]
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        &self.octets
    }
}

impl From<Update<'_>> for OwnedUpdate {
    #[inline]
    fn from(update: Update<'_>) -> Self {
        Self { octets: update.octets.into(), metadata: update.metadata }
    }
}

/// Two messages are equal if they have the same octets and were read in the same context.
impl PartialEq for OwnedUpdate {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets && self.metadata.cx == other.metadata.cx
    }
}

impl Eq for OwnedUpdate {}
