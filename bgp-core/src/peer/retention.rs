//! The peer's routes that are kept although it has yet to confirm them: while it restarts (RFC 4724, RFC 8538), for long
//! (RFC 9494), and while it repeats all of them (RFC 7313).
//!
//! Decides what becomes stale when, and for how long; which routes those are, the Adj-RIB-In knows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::AfiSafi;
use crate::fsm::{DownReason, Negotiated, NegotiatedExtensions, RestartConfig, after};
use crate::peer::{Import, Output, Peer, ReceivedRoutes};
use crate::wire::{CeaseSubcode, Community, ErrorCode, Notification, PathAttributes};

/// An attempt to connect that was made before a session was up arrives within this time after, on any network.
const COLLISION_TIME: Duration = Duration::from_secs(5);

/// What is waited for.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// What was agreed on in the session that is up, or in the last one.
    agreed: NegotiatedExtensions,
    /// When the families' stale routes go, and what for they are kept until then.
    stale: BTreeMap<AfiSafi, (Instant, Kept)>,
}

/// What stale routes are kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// The peer's return, within its restart time (RFC 4724, section 4.2).
    Restart,
    /// The peer's return, for long (RFC 9494, section 4.2).
    LongLived,
    /// The End-of-RIB of a peer that is back.
    EndOfRib,
    /// The end of a route refresh that has begun (RFC 7313, section 4).
    Refresh,
}

impl Retention {
    /// Nothing is stale any more.
    pub(super) fn forget(&mut self) {
        self.stale.clear();
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.stale.values().map(|(deadline, _)| *deadline).min()
    }
}

impl Peer {
    /// The session ended: keeps the routes that may be kept, and forgets the others.
    pub(super) fn retain_routes(&mut self, now: Instant, reason: &DownReason) {
        let kept = self.families_to_keep(reason);
        let mut routes = ReceivedRoutes::default();
        for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
            let time = kept.get(&family);
            let Some(time) = time else {
                self.retention.stale.remove(&family);
                routes.withdrawn.extend(self.adj_rib_in.clear_family(family));
                continue;
            };
            // What was stale before and is not confirmed yet has had its chance (RFC 4724, section 4.2).
            if self.retention.stale.remove(&family).is_some_and(|(_, kept)| kept != Kept::LongLived)
            {
                routes.withdrawn.extend(self.adj_rib_in.remove_stale(family));
            }
            self.adj_rib_in.mark_stale(family);
            let stale = self.adj_rib_in.stale(family);
            if stale > 0 {
                debug!(%family, stale, ?time, "routes kept while the peer is away");
                self.retention.stale.insert(family, (after(now, *time), Kept::Restart));
            }
        }
        self.report_received(routes);
        self.expire_stale(now);
    }

    /// Whether a connection that the peer makes now, beside the session, says that it has lost that session: it has the
    /// Graceful Restart Capability with some family (RFC 4724, section 5), and its attempt is none of the time when the
    /// session was in the making, which would be a collision (RFC 4271, section 6.8).
    pub(super) fn has_restarted(&self, now: Instant) -> bool {
        let agreed = self.retention.agreed.graceful_restart.as_ref();
        let made_since = self.established_at.is_some_and(|at| now >= after(at, COLLISION_TIME));
        made_since && agreed.is_some_and(|restart| !restart.families.is_empty())
    }

    /// The families whose routes outlive the session, and for how long the peer may be away.
    fn families_to_keep(&self, reason: &DownReason) -> BTreeMap<AfiSafi, Duration> {
        let (Some(theirs), Some(ours)) =
            (&self.retention.agreed.graceful_restart, self.restart_config())
        else {
            return BTreeMap::new();
        };
        let notified = match reason {
            DownReason::Local(notification) | DownReason::Remote(notification) => {
                Some(notification)
            }
            _ => None,
        };
        let gently = notified.is_none_or(|notification| {
            theirs.notification && ours.notification && !is_hard(notification)
        });
        if !gently || !self.started || self.settings.import == Import::Drop {
            return BTreeMap::new();
        }
        let time = Duration::from_secs(theirs.restart_time.into());
        theirs.families.iter().map(|it| (it.family, time)).collect()
    }

    /// A session begins: forgets stale routes of families that the peer has not kept forwarding for, and waits for the
    /// End-of-RIB of the others.
    pub(super) fn resume_routes(&mut self, now: Instant, negotiated: &Negotiated) {
        let agreed = negotiated.extensions.clone();
        let mut routes = ReceivedRoutes::default();
        let stale: Vec<_> = self.retention.stale.keys().copied().collect();
        for family in stale {
            let was_long = matches!(self.retention.stale.get(&family), Some((_, Kept::LongLived)));
            let restart = agreed.graceful_restart.as_ref();
            let restarted = restart.is_some_and(|restart| {
                restart.families.iter().any(|it| it.family == family && it.forwarding)
            });
            let for_long = agreed.long_lived.iter().any(|it| it.family == family && it.forwarding);
            if if was_long { for_long } else { restarted } {
                let time = self.restart_config().map_or(Duration::ZERO, |it| it.stale_time);
                self.retention.stale.insert(family, (after(now, time), Kept::EndOfRib));
            } else {
                self.retention.stale.remove(&family);
                routes.withdrawn.extend(self.adj_rib_in.remove_stale(family));
            }
        }
        self.retention.agreed = agreed;
        self.report_received(routes);
    }

    /// The peer has announced all routes of a family.
    pub(super) fn end_of_rib_received(&mut self, family: AfiSafi) {
        self.outputs.push_back(Output::EndOfRib(family));
        self.remove_stale_if(family, Kept::EndOfRib);
    }

    /// A BoRR has come: what the peer does not repeat before the EoRR is gone. Without an EoRR it goes, too, in time.
    pub(super) fn refresh_begins(&mut self, now: Instant, family: AfiSafi) {
        let default = RestartConfig::default();
        let time = self.restart_config().unwrap_or(&default).stale_time;
        self.adj_rib_in.mark_stale(family);
        self.retention.stale.insert(family, (after(now, time), Kept::Refresh));
    }

    /// An EoRR has come. One without a BoRR is ignored (RFC 7313, section 4).
    pub(super) fn refresh_ends(&mut self, family: AfiSafi) {
        self.remove_stale_if(family, Kept::Refresh);
    }

    fn remove_stale_if(&mut self, family: AfiSafi, kept: Kept) {
        if self.retention.stale.get(&family).is_some_and(|(_, it)| *it == kept) {
            self.retention.stale.remove(&family);
            let withdrawn = self.adj_rib_in.remove_stale(family);
            self.report_received(ReceivedRoutes { announced: Vec::new(), withdrawn });
        }
    }

    /// The operator ends it: nothing is kept.
    pub(super) fn forget_stale(&mut self) {
        for family in std::mem::take(&mut self.retention.stale).into_keys() {
            let withdrawn = self.adj_rib_in.remove_stale(family);
            self.report_received(ReceivedRoutes { announced: Vec::new(), withdrawn });
        }
    }

    /// Stale routes whose time is over go, or become long-lived.
    pub(super) fn expire_stale(&mut self, now: Instant) {
        let due: Vec<_> = self
            .retention
            .stale
            .iter()
            .filter(|(_, (deadline, _))| *deadline <= now)
            .map(|(family, (_, kept))| (*family, *kept))
            .collect();
        for (family, kept) in due {
            let time = self.long_lived_time(family).filter(|_| kept == Kept::Restart);
            let mut routes = ReceivedRoutes::default();
            match time {
                Some(time) => {
                    let changed = self.adj_rib_in.change_stale(family, long_lived);
                    (routes.announced, routes.withdrawn) = changed;
                    self.retention.stale.insert(family, (after(now, time), Kept::LongLived));
                }
                None => {
                    self.retention.stale.remove(&family);
                    routes.withdrawn = self.adj_rib_in.remove_stale(family);
                }
            }
            debug!(%family, ?kept, ?time, "stale routes have had their time");
            self.report_received(routes);
        }
    }

    /// For how long stale routes of the family are kept as a last resort: the shorter of what both ends allow.
    fn long_lived_time(&self, family: AfiSafi) -> Option<Duration> {
        let ours = self.restart_config()?.long_lived?;
        let theirs = self.retention.agreed.long_lived.iter().find(|it| it.family == family)?;
        let time = ours.min(Duration::from_secs(theirs.stale_time.into()));
        Some(time).filter(|time| !time.is_zero())
    }

    fn restart_config(&self) -> Option<&RestartConfig> {
        self.settings.fsm.extensions.graceful_restart.as_ref()
    }

    pub(super) fn report_received(&mut self, routes: ReceivedRoutes) {
        if !routes.announced.is_empty() || !routes.withdrawn.is_empty() {
            self.outputs.push_back(Output::Received(routes));
        }
    }

    /// What a Cease by which the operator, or a limit of the peer's routes, ends the session for good is to be: a Hard
    /// Reset, where both ends would otherwise keep routes after a NOTIFICATION (RFC 8538, section 3.1).
    pub(super) fn hard(&self, cease: Notification) -> Notification {
        let theirs = self.negotiated().and_then(|it| it.extensions.graceful_restart.as_ref());
        let (Some(theirs), Some(ours)) = (theirs, self.restart_config()) else { return cease };
        let for_good = [
            CeaseSubcode::MAXIMUM_PREFIXES_REACHED,
            CeaseSubcode::ADMINISTRATIVE_SHUTDOWN,
            CeaseSubcode::PEER_DECONFIGURED,
        ];
        let ends = cease.code == ErrorCode::CEASE
            && for_good.iter().any(|subcode| subcode.0 == cease.subcode);
        if theirs.notification && ours.notification && ends {
            Notification::hard_reset(&cease)
        } else {
            cease
        }
    }
}

fn is_hard(notification: &Notification) -> bool {
    (notification.code, notification.subcode) == (ErrorCode::CEASE, CeaseSubcode::HARD_RESET.0)
}

/// A route as it is kept for long: marked, unless it must not be kept so (RFC 9494, section 4.2).
fn long_lived(attributes: &Arc<PathAttributes>) -> Option<Arc<PathAttributes>> {
    let communities = &attributes.communities;
    if communities.contains(&Community::NO_LLGR) {
        return None;
    }
    let mut attributes = Arc::clone(attributes);
    if !communities.contains(&Community::LLGR_STALE) {
        Arc::make_mut(&mut attributes).communities.push(Community::LLGR_STALE);
    }
    Some(attributes)
}
