//! A walk through the API, for whoever builds a controller, an anycast server or a route server on it.
//!
//! Nothing but this page and [`PeerConfig`](crate::PeerConfig) is needed for most programs. The examples of the crate are whole programs:
//! `announce` and `observe` for the two directions, `anycast` with a health check, `blast` for benchmarks.
//!
//! # A speaker and its peers
//!
//! A [`Speaker`](crate::Speaker) has an AS, a BGP Identifier and any number of listeners. It lives in the tokio runtime of the caller: none is
//! started, no logger is set and no allocator chosen. [`Speaker::add_peer`](crate::Speaker::add_peer) gives a
//! [`PeerHandle`](crate::PeerHandle); as long as one of its clones lives, the peer does.
//!
//! ```
//! use std::{net::IpAddr, time::Duration};
//! use bgp_session::{Asn, BgpIdentifier, PeerConfig, RemoteAs, Role, Speaker};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let speaker = Speaker::builder(Asn(64_512), BgpIdentifier::new(192, 0, 2, 7)).start().await?;
//! let router: IpAddr = "192.0.2.1".parse()?;
//! let config = PeerConfig::new(router, Asn(64_500))
//!     .hold_time(Duration::from_secs(30))
//!     .password("s3cret")
//!     .role(Role::CUSTOMER)
//!     .maximum_prefixes(1_000);
//! let peer = speaker.add_peer(config).await?;
//! // A peer whose AS is known from its OPEN alone; the session is external, whichever it is.
//! let second: IpAddr = "192.0.2.2".parse()?;
//! let _second = speaker.add_peer(PeerConfig::new(second, RemoteAs::External)).await?;
//! # drop(peer);
//! # Ok(())
//! # }
//! ```
//!
//! # What to announce
//!
//! [`set_routes`](crate::PeerHandle::set_routes) takes all that the peer should have, at any rate and whether or not a session is up. Only the
//! difference goes out, and a change that a slow peer never saw costs nothing. For tables too large to repeat there are
//! [`announce`](crate::PeerHandle::announce) and [`withdraw`](crate::PeerHandle::withdraw). Give one `Arc<RouteSet>` to many peers, and one
//! `Arc<PathAttributes>` to many routes: they are shared, not copied.
//!
//! ```
//! # use bgp_session::{Community, Route, RouteSet};
//! let route = Route::new("203.0.113.7/32".parse()?).community(Community::new(64_500, 100)).med(7);
//! let routes = RouteSet::from([route]);
//! # assert_eq!(routes.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What happened
//!
//! [`PeerStatus`](crate::PeerStatus) is the latest fact: state, uptime, what both OPENs offered and what was agreed on, why the last session
//! ended, counters. [`Events`](crate::Events) are the news of all peers, for logs; a reader that is too slow is told what it missed. A
//! [`DownReason`](crate::DownReason) says who ended a session and why, in words for an operator:
//!
//! ```
//! # use bgp_session::{Asn, DownReason, EndedBy, Refusal, TransportError};
//! let refusal = Refusal::WrongAs { expected: Asn(64_500).into(), local: Asn(64_512), received: Asn(65_000) };
//! let reason = DownReason::Refused(refusal);
//! assert_eq!(reason.ended_by(), EndedBy::Us);
//! assert_eq!(reason.to_string(), "refused by us: the peer is of AS 65000, expected AS 64500");
//! let unanswered = DownReason::Transport(TransportError::TimedOutSigned);
//! assert_eq!(
//!     unanswered.to_string(),
//!     "no answer to the TCP connection attempt: the peer may have no password for us, or another one"
//! );
//! ```
//!
//! # Changes
//!
//! [`PeerHandle::update`](crate::PeerHandle::update) changes a peer's configuration in place. What can hold at once does, timers hold from the next
//! session on, and what the OPENs or the connection settled resets the session; the answer says which is which.
//! [`update_without_reset`](crate::PeerHandle::update_without_reset) leaves the session alone in any case. No other peer notices either.
//!
//! ```
//! # use std::{net::IpAddr, time::Duration};
//! # use bgp_session::{Asn, BgpIdentifier, PeerConfig, Speaker};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let speaker = Speaker::builder(Asn(64_512), BgpIdentifier::new(192, 0, 2, 7)).start().await?;
//! let router: IpAddr = "192.0.2.1".parse()?;
//! let config = PeerConfig::new(router, Asn(64_500));
//! let peer = speaker.add_peer(config.clone()).await?;
//! let updated = peer.update(config.hold_time(Duration::from_secs(9))).await?;
//! assert_eq!(updated.changes.len(), 1);
//! assert!(!updated.reset && updated.needs_reset().next().is_none());
//! # Ok(())
//! # }
//! ```
//!
//! # Maintenance
//!
//! [`disable`](crate::PeerHandle::disable) and [`enable`](crate::PeerHandle::enable) switch one peer off and on, [`reset`](crate::PeerHandle::reset) begins
//! its session anew, each with a text that the other operator reads (RFC 9003). [`Speaker::drain`](crate::Speaker::drain) takes the whole
//! speaker out of service without loss (RFC 8326): routes are marked, then withdrawn, then the sessions end. Drop the future to call
//! it off:
//!
//! ```no_run
//! # use bgp_session::{GracefulShutdown, Speaker};
//! # async fn leave(speaker: Speaker, changed_our_mind: impl Future<Output = ()>) {
//! tokio::select! {
//!     () = speaker.drain(GracefulShutdown::new().message("kernel upgrade")) => {}
//!     () = changed_our_mind => {} // all routes are as they were
//! }
//! # }
//! ```
//!
//! [`Speaker::shutdown`](crate::Speaker::shutdown) ends everything at once, and waits for it. Dropping the last handle of a peer, or the
//! speaker, ends sessions with a Cease too, in the background.
//!
//! # Received routes
//!
//! They are counted and dropped, unless a peer has [`Import::Keep`](crate::Import::Keep). Then [`Speaker::loc_rib`](crate::Speaker::loc_rib)
//! has all of them with the decision process applied, and [`loc_rib_changed`](crate::Speaker::loc_rib_changed) tells of changes.
//!
//! # Other transports, and tests
//!
//! A [`Connector`](crate::Connector) opens connections in another way than TCP, and [`Speaker::accept`](crate::Speaker::accept) takes those that somebody
//! else accepted. With pipes in their place a whole session runs in a test, in virtual time: all timers follow tokio's
//! clock, which `#[tokio::test(start_paused = true)]` lets jump to the next deadline.
//!
//! Without tokio drive [`bgp_core::peer::Peer`] by the law of the loop on its page; all of the protocol is there.
