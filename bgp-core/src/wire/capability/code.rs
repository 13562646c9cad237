//! The codes of capabilities.

use std::fmt;

/// The code of a capability, from IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
