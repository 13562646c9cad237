//! An embeddable BGP-4 speaker on tokio.
//!
//! [`bgp_core`] implements the protocol: the meaning of messages, the states, and what to send. This crate adds
//! the sockets, the clock and the tasks, and an API of a handful of types:
//!
//! ```text
//!   your program                    bgp-session                                 the network
//!
//!   Speaker ───────────────▶ listener ──┐ connections, by source address
//!      │ add_peer(PeerConfig)           ▼
//!   PeerHandle ── routes ──▶  one task for each peer  ◀── octets ──▶  TCP (MD5, TTL, ...)
//!      ▲                        drives bgp_core::Peer
//!      └──── PeerStatus ────────┤
//!   Events   ◀──────────────────┤
//!   RouteChanges, LocRibSnapshot ◀┘ received routes, with Import::Keep
//! ```
//!
//! * [`PeerHandle::set_routes`] takes all routes of a peer and may be called at any rate. Only the difference from what the
//!   peer knows is sent, as soon as its socket takes it.
//! * [`PeerStatus`] always has the latest facts. [`Events`] report each change, and a slow reader may miss some.
//! * [`Speaker::loc_rib`] is the table of received routes, with the decision process applied, and [`Speaker::route_changes`] the
//!   stream of its changes.
//! * Lost sessions are re-established automatically, with growing pauses and jitter.
//! * Dropping the last [`PeerHandle`] of a peer ends its session with a Cease;
//!   [`Speaker::shutdown`] ends all of them with a message to the peers' operators (RFC 9003).
//! * [`policy`] selects and changes routes, and [`rpki`] validates their origin with the data of RPKI caches.
//! * With the feature `serde`, which is off by default, events, routes and other values can be serialized.
//! * Every queue is bounded. The crate starts no runtime and sets no logger: call it from within a tokio
//!   runtime, and subscribe to [`tracing`] if you like; each peer has a span.
//!
//! Two speakers on loopback, one of which announces a route to the other:
//!
//! ```
//! use bgp_session::{Asn, BgpIdentifier, Import, PeerConfig, Route, RouteSet, Speaker};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let router = Speaker::builder(Asn(64_500), BgpIdentifier::new(192, 0, 2, 1))
//!     .listen("127.0.0.2:0".parse()?)
//!     .start()
//!     .await?;
//! let node: std::net::IpAddr = "127.0.0.1".parse()?;
//! let _node = router
//!     .add_peer(PeerConfig::new(node, Asn(64_512)).passive().import(Import::Keep))
//!     .await?;
//!
//! let speaker = Speaker::builder(Asn(64_512), BgpIdentifier::new(192, 0, 2, 7)).start().await?;
//! let address = router.listen_addr().expect("it listens");
//! let peer = speaker.add_peer(PeerConfig::new(address, Asn(64_500))).await?;
//! peer.set_routes(RouteSet::from([Route::new("203.0.113.7/32".parse()?)])).await?;
//!
//! let mut changed = router.loc_rib_changed();
//! changed.wait_for(|version| *version > 0).await?;
//! let best = router.loc_rib().best(&"203.0.113.7/32".parse()?).expect("announced");
//! assert_eq!(best.attributes.as_path.to_string(), "64512");
//! speaker.shutdown("maintenance").await;
//! # Ok(())
//! # }
//! ```
//!
//! The [guide] walks through the rest. [`PeerConfig`] has the capabilities of a session, the timers and their defaults. Without
//! tokio, or with another kind of transport altogether, drive [`bgp_core::peer::Peer`] yourself.

pub mod bfd;
mod bmp;
mod clock;
mod command;
mod config;
mod connect;
mod discovery;
mod drain;
mod error;
mod event;
pub mod guide;
mod handle;
mod id;
mod listener;
mod log_pace;
mod monitoring;
mod range;
mod recorder;
mod registry;
mod relay;
pub mod rpki;
mod shared_routes;
mod socket;
mod speaker;
mod status;
mod table;
mod task;
mod watched;

pub use bmp::{MonitoredRib, StationConfig, StationHandle, StationStatus};
pub use config::{AoAlgorithm, AoKey, Password, PeerConfig, Updated};
pub use connect::{Connecting, Connector, TcpConnector, Transport};
pub use discovery::{InterfaceHandle, InterfacePeer, InterfaceStatus, NdMessage};
pub use drain::{DrainStage, GracefulShutdown};
pub use error::SpeakerError;
pub use event::{Event, EventKind, Events, Missed, OperatorAction};
pub use handle::PeerHandle;
pub use id::{ParsePeerError, PeerAddress, PeerId};
pub use log_pace::{LogPace, LogRoom};
pub use range::{PeerRange, RangeHandle, RangeStatus};
pub use recorder::{MessageRecorder, TableDump};
pub use registry::Accepted;
pub use speaker::{Speaker, SpeakerBuilder};
pub use status::PeerStatus;
pub use table::{
    LocRibIter, LocRibSnapshot, RouteChange, RouteChanges, RoutePath, RoutePathIter, RoutePaths,
    RouteUpdate,
};

// The parts of the core that a user of a speaker needs, so that one dependency is enough.
pub use bgp_core::{
    Afi, AfiSafi, Asn, BgpIdentifier, Direction, IpNet, Ipv4Net, Ipv6Net, PeerType, Safi,
    fsm::{
        ConnectMode, DownReason, EndedBy, Negotiated, NegotiatedExtensions, ReceivedPath, Refusal,
        RemoteAs, RestartConfig, RoleConfig, SentPath, StateKind, Timer, TransportError,
    },
    peer::{
        ConfigChange, Endpoints, Exceeded, Import, KeptFor, LastMessages, MessageCounts, PeerStats,
        PeerTimer, PrefixLimit, PrefixLimits, RefreshError, RunningTimer, TakesEffect, Timed,
    },
    rib::{
        InPage, InRoute, Nlri, OutPage, OutRoute, OutRouteState, Relay, Route, RouteSet,
        Unsendable, UnsendableRoute, family_of,
    },
    wire::{
        AddPathMode, Aggregator, AsPath, AsPathSegment, Capability, CeaseSubcode, Community,
        ErrorCode, ExtendedCommunity, LargeCommunity, NextHop, Notification, Open, Origin,
        PathAttributes, RawAttribute, Role, SegmentType,
    },
};
pub use bgp_core::{mrt, policy, wire};

/// The examples of the page that a registry shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
