//! Path attributes: headers, flags and codes. `rules.rs` defines which attributes are valid.

mod as_path;
mod as_path_text;
mod check;
pub(super) mod rules;

use std::fmt;

pub use as_path::{AsPath, AsPathSegment, AsPathSegmentView, AsPathView, Asns, SegmentType};
pub use as_path_text::ParseAsPathError;
pub(super) use check::mp_reach_parts;

/// The type code of a path attribute, from IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AttributeCode(pub u8);

/// Declares the codes with their names.
macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $code:literal, $name:literal;)+) => {
        impl AttributeCode {
            $($(#[$doc])* pub const $constant: Self = Self($code);)+

            /// The name from the RFC or the registry, if this crate has one for the code.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// RFC 4271 section 5.1.1.
    ORIGIN = 1, "ORIGIN";
    /// RFC 4271 section 5.1.2.
    AS_PATH = 2, "AS_PATH";
    /// RFC 4271 section 5.1.3.
    NEXT_HOP = 3, "NEXT_HOP";
    /// RFC 4271 section 5.1.4.
    MULTI_EXIT_DISC = 4, "MULTI_EXIT_DISC";
    /// RFC 4271 section 5.1.5.
    LOCAL_PREF = 5, "LOCAL_PREF";
    /// RFC 4271 section 5.1.6.
    ATOMIC_AGGREGATE = 6, "ATOMIC_AGGREGATE";
    /// RFC 4271 section 5.1.7.
    AGGREGATOR = 7, "AGGREGATOR";
    /// RFC 1997.
    COMMUNITIES = 8, "COMMUNITIES";
    /// RFC 4456.
    ORIGINATOR_ID = 9, "ORIGINATOR_ID";
    /// RFC 4456.
    CLUSTER_LIST = 10, "CLUSTER_LIST";
    /// RFC 4760.
    MP_REACH_NLRI = 14, "MP_REACH_NLRI";
    /// RFC 4760.
    MP_UNREACH_NLRI = 15, "MP_UNREACH_NLRI";
    /// RFC 4360.
    EXTENDED_COMMUNITIES = 16, "EXTENDED_COMMUNITIES";
    /// RFC 6793.
    AS4_PATH = 17, "AS4_PATH";
    /// RFC 6793.
    AS4_AGGREGATOR = 18, "AS4_AGGREGATOR";
    /// RFC 6514.
    PMSI_TUNNEL = 22, "PMSI_TUNNEL";
    /// RFC 9012.
    TUNNEL_ENCAPSULATION = 23, "TUNNEL_ENCAPSULATION";
    /// RFC 5543.
    TRAFFIC_ENGINEERING = 24, "TRAFFIC_ENGINEERING";
    /// RFC 5701.
    IPV6_EXTENDED_COMMUNITIES = 25, "IPV6_EXTENDED_COMMUNITIES";
    /// RFC 7311.
    AIGP = 26, "AIGP";
    /// RFC 9552.
    BGP_LS = 29, "BGP-LS";
    /// RFC 8092.
    LARGE_COMMUNITIES = 32, "LARGE_COMMUNITIES";
    /// RFC 9234.
    ONLY_TO_CUSTOMER = 35, "ONLY_TO_CUSTOMER";
    /// RFC 8669.
    PREFIX_SID = 40, "PREFIX_SID";
    /// RFC 6368.
    ATTR_SET = 128, "ATTR_SET";
}

impl fmt::Display for AttributeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "attribute {}", self.0),
        }
    }
}

/// The flags of a path attribute (RFC 4271 section 4.3); the low four bits have no meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AttributeFlags(pub u8);

impl AttributeFlags {
    /// The attribute is not well-known: a speaker need not support it.
    pub const OPTIONAL: Self = Self(0x80);
    /// A speaker that does not know the attribute passes it on.
    pub const TRANSITIVE: Self = Self(0x40);
    /// A speaker on the path did not know the attribute.
    pub const PARTIAL: Self = Self(0x20);
    /// The length has two octets.
    pub const EXTENDED_LENGTH: Self = Self(0x10);

    /// Returns true if all of these flags are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The union of both sets of flags.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// A path attribute, borrowed from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct AttributeView<'a> {
    /// The flags as received.
    pub flags: AttributeFlags,
    /// The type code.
    pub code: AttributeCode,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> AttributeView<'a> {
    /// The attribute at the start of `input`, and the rest of the input.
    #[inline]
    pub(super) fn parse(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let [flags, code, length, rest @ ..] = input else { return None };
        let (flags, code) = (AttributeFlags(*flags), AttributeCode(*code));
        let (value, rest) = if flags.contains(AttributeFlags::EXTENDED_LENGTH) {
            let (low, rest) = rest.split_first()?;
            rest.split_at_checked(usize::from(u16::from_be_bytes([*length, *low])))?
        } else {
            rest.split_at_checked(usize::from(*length))?
        };
        Some((Self { flags, code, value }, rest))
    }

    /// The attribute at the start of `input`, and its length including the header.
    pub(crate) fn split(input: &'a [u8]) -> Option<(Self, usize)> {
        let (attribute, rest) = Self::parse(input)?;
        Some((attribute, input.len() - rest.len()))
    }
}

/// An iterator over all attributes of a message in the order sent, unjudged. It ends early at one that exceeds the field.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    octets: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub(crate) const fn new(octets: &'a [u8]) -> Self {
        Self { octets }
    }

    pub(super) const fn as_octets(&self) -> &'a [u8] {
        self.octets
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = AttributeView<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (attribute, rest) = AttributeView::parse(self.octets)?;
        self.octets = rest;
        Some(attribute)
    }
}

impl std::iter::FusedIterator for Attributes<'_> {}
