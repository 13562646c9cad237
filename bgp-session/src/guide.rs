//! A walk through the API, for authors of a controller, an anycast server or a route server.
//!
//! Most programs need only this page and [`PeerConfig`](crate::PeerConfig). The examples of the crate are whole programs:
//! `announce` and `observe` for the two directions, `collector` for a stream of JSON, `anycast` with a health check,
//! `route_server` for an exchange, `monitor` for BMP and MRT, `blast` for benchmarks.
//!
//! # A speaker and its peers
//!
//! A [`Speaker`](crate::Speaker) has an AS, a BGP Identifier and any number of listeners. It runs on the tokio runtime of the
//! caller, and sets neither a logger nor an allocator. [`Speaker::add_peer`](crate::Speaker::add_peer) returns a
//! [`PeerHandle`](crate::PeerHandle). The peer lives as long as one of the handle's clones.
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
//! // A peer in any AS but ours: its OPEN names it, and the session is external.
//! let second: IpAddr = "192.0.2.2".parse()?;
//! let _second = speaker.add_peer(PeerConfig::new(second, RemoteAs::External)).await?;
//! # drop(peer);
//! # Ok(())
//! # }
//! ```
//!
//! # Announced routes
//!
//! [`set_routes`](crate::PeerHandle::set_routes) takes all routes that the peer should have, at any rate and whether or not a
//! session is up. Only the difference is sent, and a change that a slow peer never saw costs nothing. For tables too large to
//! repeat there are
//! [`announce`](crate::PeerHandle::announce) and [`withdraw`](crate::PeerHandle::withdraw). Pass one `Arc<RouteSet>` to many peers, and one
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
//! # Status and events
//!
//! [`PeerStatus`](crate::PeerStatus) has the latest facts, so that an embedder can answer what an operator asks:
//!
//! | question | answer |
//! | --- | --- |
//! | Is it up, and since when? | `state`, `since`, [`uptime`](crate::PeerStatus::uptime); `stats.sessions_lost` counts flaps |
//! | Why not? | [`reason`](crate::PeerStatus::reason) in words, `last_error` as a value, `last_error_at` |
//! | What did each end offer? | [`messages`](crate::LastMessages): both OPENs with their capabilities, even after a refusal |
//! | What was agreed on? | [`negotiated`](crate::Negotiated): families, timers, capabilities, graceful restart |
//! | Who said goodbye, and how? | [`messages`](crate::LastMessages): the last NOTIFICATION in each direction, with the operator's text |
//! | When is the next attempt due? | `timers`, [`time_left`](crate::PeerStatus::time_left), `bfd_hold_until` |
//! | Over which connection? | `endpoints`, `direction` |
//! | Does it say anything? | `stats`: messages by type and direction, octets |
//! | Which routes does it have, and since when? | `routes`, [`PeerHandle::adj_rib_out`](crate::PeerHandle::adj_rib_out): page by page, with attributes, state and time |
//! | What does BFD say? | [`PeerHandle::bfd`](crate::PeerHandle::bfd): states, discriminators, intervals, the reasons of both ends |
//!
//! ```
//! # use std::net::IpAddr;
//! # use bgp_session::{Asn, BgpIdentifier, PeerConfig, PeerTimer, Speaker, Timer};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let speaker = Speaker::builder(Asn(64_512), BgpIdentifier::new(192, 0, 2, 7)).start().await?;
//! # let router: IpAddr = "192.0.2.1".parse()?;
//! # let peer = speaker.add_peer(PeerConfig::new(router, Asn(64_500))).await?;
//! let status = peer.status();
//! println!("{} for {:?}: {}", status.state, status.time_in_state(), status.reason().unwrap_or_default());
//! for running in &status.timers {
//!     println!("{}: {:?} left", running.timer, status.time_left(running.timer));
//! }
//! if let Some(received) = &status.messages.notification_received {
//!     println!("the router's last word: {}", received.message);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Events`](crate::Events) report the changes at all peers, for logs; a slow
//! reader learns how many it missed. A [`DownReason`](crate::DownReason) explains to an operator who ended a session and why:
//!
//! ```
//! # use bgp_session::{Asn, DownReason, EndedBy, Refusal, TransportError};
//! let refusal = Refusal::WrongAs { expected: Asn(64_500).into(), local: Asn(64_512), received: Asn(65_000) };
//! let reason = DownReason::Refused(refusal);
//! assert_eq!(reason.ended_by(), EndedBy::Us);
//! assert_eq!(reason.to_string(), "refused by us: the peer is in AS 65000, expected AS 64500");
//! let unanswered = DownReason::Transport(TransportError::TimedOutSigned);
//! assert_eq!(
//!     unanswered.to_string(),
//!     "no answer to the TCP connection attempt: the peer may have no password for us, or a different one"
//! );
//! ```
//!
//! # Changes
//!
//! [`PeerHandle::update`](crate::PeerHandle::update) changes a peer's configuration in place. Some values take effect at once,
//! and timers with the next session. A change of a value that the OPENs or the connection depend on resets the session. The
//! result lists each change with the time when it takes effect.
//! [`update_without_reset`](crate::PeerHandle::update_without_reset) never resets a session. Neither call affects another
//! peer.
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
//! [`disable`](crate::PeerHandle::disable) and [`enable`](crate::PeerHandle::enable) switch one peer off and on, and
//! [`reset`](crate::PeerHandle::reset) restarts its session, each with a text that the other operator reads (RFC 9003).
//! Without an end of the session, [`refresh`](crate::PeerHandle::refresh) asks the peer for its routes again, and
//! [`resend`](crate::PeerHandle::resend) sends ours again (soft resets, inbound and outbound). Each of these calls is an event,
//! [`EventKind::Operator`](crate::EventKind::Operator).
//!
//! [`Speaker::drain`](crate::Speaker::drain) takes the whole speaker out of service without loss (RFC 8326): routes are marked,
//! then withdrawn, then the sessions end. Drop the future to cancel the drain:
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
//! [`Speaker::shutdown`](crate::Speaker::shutdown) ends all sessions at once, and waits until they are closed. Dropping the last
//! handle of a peer, or the speaker, ends sessions with a Cease too, in the background.
//!
//! # Received routes
//!
//! Received routes are counted and dropped, unless a peer has [`Import::Keep`](crate::Import::Keep). Then
//! [`Speaker::loc_rib`](crate::Speaker::loc_rib) returns them with the decision process applied. This costs nothing worth
//! counting, since the result shares its routes with the speaker's table. [`PeerHandle::adj_rib_in`](crate::PeerHandle::adj_rib_in)
//! lists what one peer has announced, page by page.
//!
//! [`Speaker::route_changes`](crate::Speaker::route_changes) is the same table as a stream: first the table, then each prefix
//! that changes, with its paths. A program that cannot keep up gets the table again instead of the changes that it has missed, and
//! never delays a session:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use bgp_session::{IpNet, RouteChanges, RoutePaths, RouteUpdate};
//!
//! async fn follow(mut changes: RouteChanges) {
//!     let mut known: BTreeMap<IpNet, RoutePaths> = BTreeMap::new();
//!     while let Some(update) = changes.next().await {
//!         match update {
//!             RouteUpdate::Table(table) => known = table.iter().collect(),
//!             RouteUpdate::Change(change) if change.is_withdrawn() => {
//!                 known.remove(&change.prefix);
//!             }
//!             RouteUpdate::Change(change) => {
//!                 known.insert(change.prefix, change.paths);
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! # Relayed routes
//!
//! [`PeerConfig::relay`](crate::PeerConfig::relay) passes these routes on to a peer without any code of the embedder: as a router
//! does, or as a route server (RFC 7947), which changes nothing and chooses for each client among the paths that the client's
//! policy accepts. Peers with equal rules share one table, and a peer never gets its own routes back. Such a peer gets no other
//! routes. [`Speaker::set_routes`](crate::Speaker::set_routes) gives routes of the embedder to many peers in one call.
//!
//! ```
//! # use std::net::IpAddr;
//! # use bgp_session::{Asn, BgpIdentifier, Import, PeerConfig, Relay, Speaker};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let speaker = Speaker::builder(Asn(64_500), BgpIdentifier::new(192, 0, 2, 1)).start().await?;
//! let mut clients = Vec::new();
//! for (address, asn) in [("192.0.2.11", 64_511), ("192.0.2.12", 64_512)] {
//!     let address: IpAddr = address.parse()?;
//!     let config = PeerConfig::new(address, Asn(asn)).passive().import(Import::Keep);
//!     clients.push(speaker.add_peer(config.relay(Relay::RouteServer)).await?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Policies
//!
//! [`import_policy`](crate::PeerConfig::import_policy) and [`export_policy`](crate::PeerConfig::export_policy) take a
//! [`Policy`](crate::policy::Policy): rules in order, each with a condition, changes of attributes, and a verdict. A
//! [`Match`](crate::policy::Match) is one condition, or several that are combined with `&`, `|` and `!`: prefix sets of any size,
//! AS paths by regular expression, length and members, communities of all kinds with ranges and wildcards, the next hop, the peer
//! that sent the route, and the result of origin validation. An [`Action`](crate::policy::Action) exists for every attribute.
//!
//! ```
//! # use bgp_session::{Asn, Community};
//! use bgp_session::policy::{Action, Match, Policy, PrefixMatch, PrefixSet, Rule};
//!
//! let customer: PrefixSet = ["192.0.2.0/24 le 28".parse::<PrefixMatch>()?].into();
//! let theirs = Match::Prefix(customer) & Match::AsPath("^64500(_64500)*$".parse()?);
//! let too_long = Match::prefixes(["0.0.0.0/0 ge 25".parse()?, "::/0 ge 49".parse()?]);
//! let policy = Policy::reject_all()
//!     .rule(Rule::reject(Match::Prefix(PrefixSet::martians()) & !theirs.clone()))
//!     .rule(Rule::accept(theirs).action(Action::AddCommunity(Community::new(64_512, 1))))
//!     .rule(Rule::accept(!too_long).action(Action::LocalPref(Some(50))));
//! # let _ = policy;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A route whose next hop cannot be the address of a host, or is our own, is refused under any policy;
//! `stats.next_hops_rejected` counts such routes.
//!
//! # Origin validation
//!
//! [`Speaker::set_rtr_caches`](crate::Speaker::set_rtr_caches) names the RPKI caches, the most preferred first, and
//! [`Speaker::rtr_caches`](crate::Speaker::rtr_caches) shows what they do. A speaker with a source of its own calls
//! [`Speaker::set_vrps`](crate::Speaker::set_vrps). Policies use the result by
//! [`Match::Validity`](crate::policy::Match::Validity). When VRPs change, routes come and go without a route refresh. The page of
//! [`rpki`](crate::rpki) has an example.
//!
//! # Monitoring
//!
//! [`Speaker::add_station`](crate::Speaker::add_station) starts a stream to a monitoring station: BMP (RFC 7854), with the
//! sessions, statistics, and those of the [five views of routes](crate::MonitoredRib) that the
//! [configuration](crate::StationConfig) names. A station that reads slowly delays no session. What waits for it is bounded;
//! beyond that, the stream starts over.
//!
//! ```no_run
//! # use bgp_session::{MonitoredRib, Speaker, StationConfig};
//! # async fn monitor(speaker: Speaker) -> Result<(), Box<dyn std::error::Error>> {
//! let views = [MonitoredRib::AdjRibInPostPolicy, MonitoredRib::LocRib];
//! let config = StationConfig::connect("192.0.2.99:11019".parse()?).ribs(views).sys_name("edge-1");
//! let station = speaker.add_station(config).await?;
//! // .. the stream lasts as long as its handle
//! station.close("maintenance").await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Speaker::record_messages`](crate::Speaker::record_messages) turns all messages into MRT records for your files, and
//! [`Speaker::table_dump`](crate::Speaker::table_dump) is the Loc-RIB as an MRT file.
//!
//! # Other transports, and tests
//!
//! A [`Connector`](crate::Connector) opens connections in another way than TCP, and
//! [`Speaker::accept`](crate::Speaker::accept) takes connections that were accepted elsewhere. With pipes in their place a whole
//! session runs in a test, in virtual time: all timers follow tokio's clock, which `#[tokio::test(start_paused = true)]` lets
//! jump to the next deadline.
//!
//! Without tokio, drive [`bgp_core::peer::Peer`] in the loop that its page describes; all of the protocol is there.
