//! The small values that every layer speaks of: AS numbers, identifiers, address families.
//!
//! Nothing here knows how a message looks; [`crate::wire`] does. Prefixes are those of the crate `ipnet`.

mod afi_safi;
mod asn;
mod direction;
mod identifier;

pub use afi_safi::{Afi, AfiSafi, ParseAfiSafiError, Safi};
pub use asn::{Asn, ParseAsnError};
pub use direction::{Direction, PeerType};
pub use identifier::{BgpIdentifier, ParseBgpIdentifierError};
