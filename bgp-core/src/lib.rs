//! BGP-4 (RFC 4271) without I/O: a codec that borrows, a state machine that asks for nothing but events, and the
//! routing information bases between them.
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
//! * [`policy`]: which routes pass, and with which attributes.
//! * [`peer`]: one peer, with its two possible connections; what a driver feeds.
//! * [`mrt`]: the files in which collectors record messages and tables.
//! * [`types`]: the values that all of them speak of.
//!
//! Nothing here opens a socket, reads a clock, starts a thread or draws a random number. The same calls with the
//! same instants give the same run, so that a whole session, the loss of the network included, is a unit test.
//! `bgp-session` drives it on tokio; to drive it yourself, keep to the law of the loop of [`peer`]:
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
//! assert!(peer.poll_timeout().is_some(), "the peer has so long to answer");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod fsm;
pub mod mrt;
pub mod peer;
pub mod policy;
pub mod rib;
pub mod types;
pub mod wire;

pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use types::{Afi, AfiSafi, Asn, BgpIdentifier, Direction, PeerType, Safi};
