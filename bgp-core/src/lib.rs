//! BGP-4 without I/O.
//!
//! [`wire`] turns octets into messages and back; [`types`] has the values that every layer speaks of.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod types;
pub mod wire;

pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use types::{Afi, AfiSafi, Asn, BgpIdentifier, Direction, PeerType, Safi};
