//! Origin validation with the RPKI (RFC 6811): the caches that a speaker gets VRPs from, and the VRPs that its policies use.
//!
//! A peer's policies decide what validity means, by [`Match::Validity`](crate::policy::Match::Validity). When VRPs change, the
//! routes that may be concerned are judged again, without a route refresh (RFC 8481, RFC 9324).
//!
//! Owns the connections to caches and the choice between them. The protocol is [`RtrClient`](bgp_core::rpki::RtrClient)'s.
//!
//! ```
//! use bgp_session::{
//!     Asn, BgpIdentifier, PeerConfig, Speaker,
//!     policy::{Action, Match, Policy, Rule},
//!     rpki::{RtrCache, Validity},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let speaker = Speaker::builder(Asn(64_512), BgpIdentifier::new(192, 0, 2, 7)).start().await?;
//! speaker.set_rtr_caches([
//!     RtrCache::new("192.0.2.11:323".parse()?),
//!     RtrCache::new("192.0.2.12:323".parse()?), // used while the first has no data
//! ]);
//!
//! let valid = Rule::change(Match::Validity(Validity::Valid)).action(Action::LocalPref(Some(200)));
//! let policy = Policy::accept_all().rule(Rule::reject(Match::Validity(Validity::Invalid))).rule(valid);
//! let router: std::net::IpAddr = "192.0.2.1".parse()?;
//! let peer = speaker.add_peer(PeerConfig::new(router, Asn(64_500)).import_policy(policy)).await?;
//! # drop(peer);
//! # Ok(())
//! # }
//! ```

mod cache;
mod validation;

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpStream, sync::watch, time::timeout};

use crate::{Connecting, Speaker};

pub use bgp_core::rpki::{
    RtrErrorCode, RtrFailure, RtrState, Validity, Vrp, VrpTable, route_origin,
};

pub(crate) use validation::OriginValidation;

/// A cache of validated RPKI data that speaks RTR (RFC 8210, RFC 6810).
#[derive(Clone)]
pub struct RtrCache {
    address: SocketAddr,
    connect: Arc<dyn Fn(SocketAddr) -> Connecting + Send + Sync>,
}

impl RtrCache {
    /// A cache at this address, over TCP. The usual port is 323. TCP protects nothing, so that the cache should be on a network
    /// that is trusted (RFC 8210, section 9).
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connect: Arc::new(dial) }
    }

    /// Connects in another way, such as TLS or SSH. The future should give up after some seconds; the speaker drops it when it no
    /// longer wants the connection.
    #[must_use]
    pub fn connect_by(
        mut self,
        connect: impl Fn(SocketAddr) -> Connecting + Send + Sync + 'static,
    ) -> Self {
        self.connect = Arc::new(connect);
        self
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn connect(&self) -> Connecting {
        (self.connect)(self.address)
    }
}

/// Opens a TCP connection to a cache.
fn dial(address: SocketAddr) -> Connecting {
    Box::pin(async move {
        let stream = timeout(CONNECT_LIMIT, TcpStream::connect(address))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.try_into()
    })
}

impl fmt::Debug for RtrCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtrCache").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The latest facts about a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RtrStatus {
    /// The address of the cache.
    pub address: SocketAddr,
    /// The state of the session.
    pub state: RtrState,
    /// The serial number of its data. `None`: it has given none yet, or they have expired.
    pub serial: Option<u32>,
    /// The number of its VRPs.
    pub vrps: usize,
    /// True if its VRPs are those that policies use.
    pub is_used: bool,
    /// The last failure since it gave data.
    pub last_failure: Option<RtrFailure>,
}

impl Speaker {
    /// Gets VRPs from these caches, the most preferred first, in place of earlier caches and of
    /// [`set_vrps`](Self::set_vrps). All of them are connected, and the first that has data is used (RFC 8210, section 10).
    /// Connections that fail are tried again, with growing pauses.
    ///
    /// Until one of them has data, the VRPs stay in force: those of earlier caches at most until they expire, those of
    /// [`set_vrps`](Self::set_vrps) without a limit. Without any cache there are no VRPs, at once.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, if there are caches.
    pub fn set_rtr_caches(&self, caches: impl IntoIterator<Item = RtrCache>) {
        self.inner().origin_validation().follow(caches.into_iter().collect());
    }

    /// The status of the caches, the most preferred first.
    pub fn rtr_caches(&self) -> Vec<RtrStatus> {
        self.inner().origin_validation().statuses()
    }

    /// Uses these VRPs from now on, for embedders with a source of their own. Caches are no longer followed.
    pub fn set_vrps(&self, vrps: VrpTable) {
        self.inner().origin_validation().set(vrps);
    }

    /// The VRPs that policies use, now and after each change.
    pub fn vrps(&self) -> watch::Receiver<VrpTable> {
        self.inner().origin_validation().table().subscribe()
    }
}

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
