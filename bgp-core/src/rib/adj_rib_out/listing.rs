//! The Adj-RIB-Out in pages, for an operator: each route with its state at the peer.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv6Net};

use super::AdjRibOut;
use super::family::Listed;
use crate::rib::key::{Key, Key4, Key6};
use crate::rib::{Nlri, Unsendable};
use crate::wire::PathAttributes;

/// A route that the peer should have, or still has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutRoute {
    /// The prefix.
    pub prefix: IpNet,
    /// The path identifier of the route. Only a session that carries several paths to the prefix sends it (RFC 7911). 0 for
    /// a route of another session that is being withdrawn.
    pub path_id: u32,
    /// Its state at the peer.
    pub state: OutRouteState,
    /// The time at which it got into that state, to a second. `None` without a session, and for
    /// [`OutRouteState::OtherPath`]. For [`OutRouteState::Sent`]: the time at which it was announced last. A route that was
    /// withdrawn and announced again before the peer was told of either counts from the second time.
    pub since: Option<Instant>,
    /// The attributes that the peer has or will get. From [`AdjRibOut::page`] they are those before the export rules.
    pub attributes: Arc<PathAttributes>,
}

/// The state of a route at the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum OutRouteState {
    /// The route was announced to the peer.
    Sent,
    /// The route waits to be announced, or to be announced again.
    Pending {
        /// True if the peer has a route that this one will replace.
        replaces: bool,
    },
    /// The peer has the route, and waits to be told that it is gone.
    Withdrawing,
    /// The session carries one path to the prefix, and that is another one with a lower identifier.
    OtherPath,
    /// The session cannot carry the route.
    Unsendable(Unsendable),
    /// No session is up.
    NoSession,
}

/// Some routes of an Adj-RIB-Out, IPv4 before IPv6, in the order of prefixes and path identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutPage {
    /// The routes. There may be none although there is a next page.
    pub routes: Vec<OutRoute>,
    /// The start of the next page; `None` if this is the last.
    pub next: Option<Nlri>,
}

impl fmt::Display for OutRouteState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent => f.write_str("sent"),
            Self::Pending { replaces: false } => f.write_str("waits to be sent"),
            Self::Pending { replaces: true } => f.write_str("waits to replace what was sent"),
            Self::Withdrawing => f.write_str("waits to be withdrawn"),
            Self::OtherPath => f.write_str("another path to the prefix is sent"),
            Self::Unsendable(why) => write!(f, "cannot be sent: {why}"),
            Self::NoSession => f.write_str("no session"),
        }
    }
}

impl AdjRibOut {
    /// Tells the time of the calls that follow. Only the ages of routes depend on it.
    pub fn set_time(&mut self, now: Instant) {
        let epoch = *self.epoch.get_or_insert(now);
        let seconds = now.saturating_duration_since(epoch).as_secs();
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.v4.set_time(seconds);
        self.v6.set_time(seconds);
    }

    /// The routes from a prefix on, or from the first one, with their states: those that the peer should have, and those
    /// that have yet to be withdrawn. The attributes are those before the export rules.
    ///
    /// A page has at most `most` routes, and making it takes time in proportion to that number. In addition,
    /// it looks through the times of the latest announcements, a few octets each: at most a thirty-second of the routes, or an eighth of those
    /// with a time of their own. Between two pages routes may change, so that the pages together are no snapshot.
    #[must_use]
    pub fn page(&self, from: Option<Nlri>, most: usize) -> OutPage {
        let most = most.max(1);
        let mut page = OutPage::default();
        let first_of_v6 = match from {
            Some(Nlri { prefix, path_id }) => Key6::new(prefix, path_id),
            None => None,
        };

        if first_of_v6.is_none() {
            let from = from.and_then(|from| Key4::new(from.prefix, from.path_id));
            let (listed, next) = self.v4.list(from, most);
            self.add(&mut page, listed, next);
        }
        let room = most - page.routes.len().min(most);
        if page.next.is_some() {
            return page;
        }
        if room == 0 {
            page.next = (!self.v6.is_empty()).then(|| start_of_v6().into());
            return page;
        }

        let (listed, next) = self.v6.list(first_of_v6, room);
        self.add(&mut page, listed, next);
        page
    }

    fn add<K: Key>(&self, page: &mut OutPage, listed: Vec<Listed<K>>, next: Option<K>) {
        page.routes.extend(listed.into_iter().map(|route| {
            let since = route.since.map(|seconds| Duration::from_secs(seconds.into()));
            OutRoute {
                prefix: route.key.prefix(),
                path_id: route.key.path_id(),
                state: route.state,
                since: since.and_then(|since| self.epoch?.checked_add(since)),
                attributes: route.attributes,
            }
        }));
        page.next = next.map(|key| Nlri { prefix: key.prefix(), path_id: key.path_id() });
    }
}

fn start_of_v6() -> IpNet {
    Ipv6Net::new(Ipv6Addr::UNSPECIFIED, 0).unwrap_or_default().into()
}
