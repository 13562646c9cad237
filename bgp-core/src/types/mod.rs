//! Small values that all layers share: AS numbers, identifiers, address families.
//!
//! Message formats belong to [`crate::wire`]. Prefixes are types of the crate `ipnet`.

mod afi_safi;
mod asn;
mod direction;
mod identifier;

pub use afi_safi::{Afi, AfiSafi, ParseAfiSafiError, Safi};
pub use asn::{Asn, ParseAsnError};
pub use direction::{Direction, PeerType};
pub use identifier::{BgpIdentifier, ParseBgpIdentifierError};
