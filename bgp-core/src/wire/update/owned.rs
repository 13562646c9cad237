//! An UPDATE that outlives the buffer it was received in.

use crate::wire::context::WireContext;
use crate::wire::error::DecodeError;
use crate::wire::frame::Frame;

use super::{Update, UpdateMetadata};

/// An UPDATE with a copy of its octets, for who keeps messages or hands them to another thread.
///
/// It is one allocation, of the length of the message, and what was decoded: [`view`](Self::view) gives that back as it
/// was and looks at nothing again. Who keeps routes and not messages wants
/// [`Update::to_attributes_for`], of which equal ones can be shared.
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
    /// Reads and judges an UPDATE, as [`Update::decode`] does, and keeps it.
    ///
    /// # Errors
    ///
    /// Those of [`Update::decode`]; nothing was copied then.
    #[inline]
    pub fn decode(frame: Frame<'_>, cx: WireContext) -> Result<Self, DecodeError> {
        Ok(Update::decode(frame, cx)?.into())
    }

    /// The UPDATE, in the octets that are kept here.
    #[inline]
    #[must_use]
    pub fn view(&self) -> Update<'_> {
        Update { octets: &self.octets, metadata: self.metadata }
    }

    /// The whole message, header included.
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

/// Equal messages, read in the same way.
impl PartialEq for OwnedUpdate {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets && self.metadata.cx == other.metadata.cx
    }
}

impl Eq for OwnedUpdate {}
