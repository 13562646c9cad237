//! An UPDATE that outlives its receive buffer.

use crate::wire::context::WireContext;
use crate::wire::error::DecodeError;
use crate::wire::frame::Frame;

use super::{Positions, Update, UpdateMetadata, fast_path};

/// An UPDATE with its own copy of the octets, to store messages or send them to another thread.
///
/// It makes one allocation of the length of the message, and keeps the decoded state: [`view`](Self::view) returns the
/// UPDATE without decoding it again. For a short message, the allocation takes longer than anything else;
/// [`replace`](Self::replace) reuses it for the next message. To store routes rather than messages, use [`Update::to_attributes_for`]: equal
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
    octets: Vec<u8>,
    metadata: UpdateMetadata,
}

impl OwnedUpdate {
    /// Decodes an UPDATE like [`Update::decode`], and copies it.
    ///
    /// # Errors
    ///
    /// The errors of [`Update::decode`]; nothing is copied in that case.
    #[inline(always)]
    pub fn decode(frame: Frame<'_>, cx: WireContext) -> Result<Self, DecodeError> {
        let octets = frame.as_bytes();
        let mut positions = Positions::default();
        // Each arm builds the result where it is returned: metadata of both would be moved there once more.
        match fast_path::read(octets, cx, &mut positions) {
            Some(()) => {
                let metadata = UpdateMetadata::without_errors(positions, cx);
                Ok(Self { octets: octets.into(), metadata })
            }
            None => {
                let metadata = UpdateMetadata::judge(octets, cx)?;
                Ok(Self { octets: octets.into(), metadata })
            }
        }
    }

    /// Decodes an UPDATE and copies it over this one, in the memory that this one has. It allocates only if that is too
    /// small: a loop that handles one message after the other, or a pool of messages for another thread, soon allocates
    /// nothing.
    ///
    /// # Errors
    ///
    /// The errors of [`Update::decode`]; this UPDATE stays as it is in that case.
    ///
    /// ```
    /// # use bgp_core::wire::{Frame, MessageLimit, OwnedUpdate, WireContext};
    /// # let first = [&[0xff; 16][..], &[0, 25, 2, 0, 2, 8, 10, 0, 0]].concat();
    /// # let second = [&[0xff; 16][..], &[0, 24, 2, 0, 1, 0, 0, 0]].concat();
    /// # let cx = WireContext::default();
    /// # let frame = |octets| Frame::split(octets, MessageLimit::Standard).map(Option::unwrap);
    /// let mut update = OwnedUpdate::decode(frame(&first)?, cx)?;
    /// update.replace(frame(&second)?, cx)?;
    /// assert_eq!(update.as_octets(), second);
    /// # Ok::<(), bgp_core::wire::DecodeError>(())
    /// ```
    #[inline(always)]
    pub fn replace(&mut self, frame: Frame<'_>, cx: WireContext) -> Result<(), DecodeError> {
        let octets = frame.as_bytes();
        // In place, because a copy of what was just written in pieces has to wait for them.
        self.metadata.positions = Positions::default();
        if fast_path::read(octets, cx, &mut self.metadata.positions).is_none() {
            return self.judge(octets, cx);
        }

        let positions = self.metadata.positions;
        self.metadata = UpdateMetadata::without_errors(positions, cx);
        self.octets.clear();
        self.octets.extend_from_slice(octets);
        Ok(())
    }

    /// Replaces the message by one that the fast path gave up on. If that one ends the session, the positions of the message
    /// before it are read again, since they were overwritten.
    #[cold]
    #[inline(never)]
    fn judge(&mut self, octets: &[u8], cx: WireContext) -> Result<(), DecodeError> {
        match UpdateMetadata::judge(octets, cx) {
            Ok(metadata) => self.metadata = metadata,
            Err(error) => {
                self.metadata = UpdateMetadata::judge(&self.octets, self.metadata.cx)?;
                return Err(error);
            }
        }
        self.octets.clear();
        self.octets.extend_from_slice(octets);
        Ok(())
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
    #[inline(always)]
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
