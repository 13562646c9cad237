//! BGP-4 (RFC 4271) without I/O: a zero-copy codec, a state machine driven by events, and the routing information bases.
//!
//! ```text
//!            octets                                                          octets
//!              │                                                               ▲
//!   ┌──────────▼───────────────────────────────────────────────────────────────┴─────────┐
//!   │ peer::Peer                                                                         │
//!   │   wire::Frame ─► wire::Message ─► fsm::Event ─► fsm::Fsm ─► OPEN, KEEPALIVE, ..    │
//!   │                        │                                                           │
//!   │                        └─► rib::AdjRibIn       rib::AdjRibOut ─► wire::UpdateWriter│
//!   └─────────────────────────────────────────────────────▲──────────────────────────────┘
//!                                                         │
//!                                                   rib::RouteSet
//! ```
//!
//! * [`wire`]: octets to messages and back. Decoding allocates nothing and checks everything once.
//! * [`fsm`]: the six states of RFC 4271, section 8. Time is an argument.
//! * [`rib`]: Adj-RIB-In, Loc-RIB, Adj-RIB-Out and the decision process.
//! * [`policy`]: filters for routes, and changes to their attributes.
//! * [`rpki`]: origin validation, and the protocol of the caches that provide its data.
//! * [`peer`]: one peer with its two possible connections, as a driver runs it.
//! * [`mrt`]: the format of the files in which collectors record messages and tables.
//! * [`bmp`]: the protocol in which a router shows its sessions and RIBs to a monitoring station.
//! * [`types`]: the values that all modules share.
//!
//! With the feature `serde`, which is off by default, the values (routes, attributes, messages' contents, policies, reasons) can
//! be serialized and read back. Communities, next hops, families and prefixes are text, as operators write them. What has an
//! instant in it cannot be serialized: instants mean nothing to another process.
//!
//! This crate does not open sockets, read clocks, start threads or draw random numbers. The same calls with the same
//! instants give the same results, so a complete session, including network failures, fits in a unit test. `bgp-session`
//! drives it on tokio; to drive it yourself, follow the rules of the loop in [`peer`]:
//!
//! ```
//! use std::net::Ipv4Addr;
//! use std::time::Instant;
//!
//! use bgp_core::peer::{Endpoints, Output, Peer, PeerSettings};
//! use bgp_core::{Asn, BgpIdentifier, Direction};
//! use bytes::BytesMut;
//!
//! let identifier = BgpIdentifier(Ipv4Addr::new(172, 22, 35, 25));
//! let mut peer = Peer::new(PeerSettings::new(Asn(64636), identifier, Asn(64635)));
//!
//! let now = Instant::now();
//! peer.start(now);
//! assert_eq!(peer.poll_output(), Some(Output::Connect));
//! // .. the driver opens a TCP connection, then:
//! let endpoints = Endpoints {
//!     local: "172.22.35.25:40000".parse()?,
//!     remote: "172.22.35.1:179".parse()?,
//! };
//! peer.connected(now, Direction::Outgoing, endpoints)?;
//! let mut out = BytesMut::new();
//! while peer.poll_transmit(now, Direction::Outgoing, &mut out) {}
//! assert_eq!(out[18], 1, "the first message is an OPEN");
//! assert!(peer.poll_timeout().is_some(), "the peer has a deadline to answer");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod bmp;
pub mod fsm;
pub mod mrt;
pub mod peer;
pub mod policy;
mod prefix_index;
pub mod rib;
pub mod rpki;
#[cfg(feature = "serde")]
mod serialize;
pub mod types;
pub mod wire;

pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use types::{Afi, AfiSafi, Asn, BgpIdentifier, Direction, PeerType, Safi};

/// The examples of the page that a registry shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
