//! The layout of a message, regardless of errors: for programs that display messages, including refused ones.
//!
//! Nothing here is checked, and sessions do not use it.

use super::attribute::Attributes;
use super::frame::Frame;
use super::header::MessageType;
use super::input::{Parsed, counted_by_two_octets};
use super::open::{CapabilityViews, OptionalParameters};

/// The three fields of an UPDATE, not decoded (RFC 4271 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct UpdateFields<'a> {
    /// The withdrawn routes, without the length before them.
    pub withdrawn: &'a [u8],
    /// The path attributes, without the length before them.
    pub attributes: &'a [u8],
    /// The NLRI.
    pub nlri: &'a [u8],
}

impl<'a> UpdateFields<'a> {
    /// The attributes in order, up to one that exceeds the field.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }
}

impl<'a> Frame<'a> {
    /// The fields of an UPDATE; `None` if their lengths exceed the message, and for a message of another type.
    #[must_use]
    pub fn update_fields(&self) -> Option<UpdateFields<'a>> {
        if self.kind() != MessageType::Update {
            return None;
        }
        update_fields(self.body()).ok().map(|(_, fields)| fields)
    }

    /// The capabilities of an OPEN, not decoded; `None` for a message of another type.
    #[must_use]
    pub fn capabilities(&self) -> Option<CapabilityViews<'a>> {
        if self.kind() != MessageType::Open {
            return None;
        }
        OptionalParameters::of(self.body()).map(CapabilityViews::new)
    }
}

fn update_fields(input: &[u8]) -> Parsed<'_, UpdateFields<'_>> {
    let (input, withdrawn) = counted_by_two_octets(input)?;
    let (nlri, attributes) = counted_by_two_octets(input)?;
    Ok((&[], UpdateFields { withdrawn, attributes, nlri }))
}
