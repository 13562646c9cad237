//! The codes of capabilities, and views of the capabilities in an OPEN.

use std::fmt;

use crate::wire::input::counted_by_octet;
use crate::wire::open::OptionalParameters;

use super::Capability;

/// The code of a capability, from IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapabilityCode(pub u8);

/// Declares the codes with their names.
macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $code:literal, $name:literal;)+) => {
        impl CapabilityCode {
            $($(#[$doc])* pub const $constant: Self = Self($code);)+

            /// The name in the registry, if this crate has one for the code.
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
    /// RFC 4760.
    MULTIPROTOCOL = 1, "multiprotocol";
    /// RFC 2918.
    ROUTE_REFRESH = 2, "route refresh";
    /// RFC 5291.
    OUTBOUND_ROUTE_FILTERING = 3, "outbound route filtering";
    /// RFC 8950.
    EXTENDED_NEXT_HOP = 5, "extended next hop";
    /// RFC 8654.
    EXTENDED_MESSAGE = 6, "extended message";
    /// RFC 8205.
    BGPSEC = 7, "BGPsec";
    /// RFC 8277.
    MULTIPLE_LABELS = 8, "multiple labels";
    /// RFC 9234.
    ROLE = 9, "role";
    /// RFC 4724.
    GRACEFUL_RESTART = 64, "graceful restart";
    /// RFC 6793.
    FOUR_OCTET_AS = 65, "four-octet AS";
    /// From a draft; rarely used.
    DYNAMIC_CAPABILITY = 67, "dynamic capability";
    /// From a draft.
    MULTISESSION = 68, "multisession";
    /// RFC 7911.
    ADD_PATH = 69, "ADD-PATH";
    /// RFC 7313.
    ENHANCED_ROUTE_REFRESH = 70, "enhanced route refresh";
    /// RFC 9494.
    LONG_LIVED_GRACEFUL_RESTART = 71, "long-lived graceful restart";
    /// The speaker's name.
    FQDN = 73, "FQDN";
    /// The speaker's software.
    SOFTWARE_VERSION = 75, "software version";
    /// Cisco's code from before RFC 2918; many speakers still send it together with code 2.
    ROUTE_REFRESH_CISCO = 128, "route refresh (Cisco)";
    /// Cisco's code from before RFC 5291.
    OUTBOUND_ROUTE_FILTERING_CISCO = 130, "outbound route filtering (Cisco)";
    /// From a draft, with Cisco's code.
    MULTISESSION_CISCO = 131, "multisession (Cisco)";
}

impl fmt::Display for CapabilityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "capability {}", self.0),
        }
    }
}

/// A capability, borrowed from an OPEN. Unlike [`Capability`], it includes bits without a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 5492 section 4 has these fields")]
pub struct CapabilityView<'a> {
    /// The code.
    pub code: CapabilityCode,
    /// The value.
    pub value: &'a [u8],
}

impl CapabilityView<'_> {
    /// Decodes the capability.
    #[must_use]
    pub fn read(&self) -> Capability {
        Capability::decode(self.code.0, self.value)
    }
}

/// An iterator over the capabilities of an OPEN in the order sent, not decoded: see [`Frame::capabilities`]. It ends early at
/// a capability that exceeds its parameter, or a parameter that exceeds the message.
///
/// [`Frame::capabilities`]: crate::wire::Frame::capabilities
#[derive(Clone, Debug)]
pub struct CapabilityViews<'a> {
    /// The rest of the current parameter.
    capabilities: &'a [u8],
    /// The parameters after it.
    parameters: OptionalParameters<'a>,
}

impl<'a> CapabilityViews<'a> {
    pub(in crate::wire) const fn new(parameters: OptionalParameters<'a>) -> Self {
        Self { capabilities: &[], parameters }
    }
}

impl<'a> Iterator for CapabilityViews<'a> {
    type Item = CapabilityView<'a>;

    fn next(&mut self) -> Option<CapabilityView<'a>> {
        loop {
            if let [code, rest @ ..] = self.capabilities {
                let (rest, value) = counted_by_octet(rest).ok()?;
                self.capabilities = rest;
                return Some(CapabilityView { code: CapabilityCode(*code), value });
            }
            self.capabilities = self.parameters.next_capabilities()?;
        }
    }
}
