//! The peer's routes that are kept although the peer has yet to confirm them: during a graceful restart (RFC 4724, RFC 8538),
//! for a long time (RFC 9494), and during an enhanced route refresh (RFC 7313).
//!
//! Decides when the routes of a family become stale, and for how long they are kept. The Adj-RIB-In knows which routes those
//! are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::AfiSafi;
use crate::fsm::{DownReason, Negotiated, NegotiatedExtensions, RestartConfig, after};
use crate::peer::{Import, Output, Peer, ReceivedRoutes};
use crate::wire::{CeaseSubcode, Community, ErrorCode, Notification, PathAttributes};

/// The longest time that an attempt to connect needs to arrive, on any network. An attempt that arrives later was made after
/// the session was up.
const COLLISION_TIME: Duration = Duration::from_secs(5);

/// The stale routes of a peer, by family.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// The extensions negotiated in the current or last session.
    negotiated: NegotiatedExtensions,
    /// The families with stale routes, with the time at which these are dropped and the reason to keep them until then.
    stale: BTreeMap<AfiSafi, (Instant, KeptFor)>,
}

/// The event for which stale routes of a peer are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum KeptFor {
    /// The peer's return within its restart time (RFC 4724, section 4.2).
    Restart,
    /// The peer's return after that time, as a last resort (RFC 9494, section 4.2).
    LongLived,
    /// The End-of-RIB of a peer that has returned.
    EndOfRib,
    /// The end of a route refresh that has begun (RFC 7313, section 4).
    Refresh,
}

impl fmt::Display for KeptFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restart => "kept until the peer returns",
            Self::LongLived => "kept for long until the peer returns",
            Self::EndOfRib => "kept until its End-of-RIB",
            Self::Refresh => "kept until its refresh ends",
        })
    }
}

impl Retention {
    /// Forgets that any route is stale.
    pub(super) fn forget(&mut self) {
        self.stale.clear();
    }

    /// The families with stale routes, with the time at which these are dropped.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (AfiSafi, Instant, KeptFor)> {
        self.stale.iter().map(|(family, (deadline, kept_for))| (*family, *deadline, *kept_for))
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.stale.values().map(|(deadline, _)| *deadline).min()
    }
}

impl Peer {
    /// Keeps the routes that may outlive the session that has ended, and drops the others.
    pub(super) fn retain_routes(&mut self, now: Instant, reason: &DownReason) {
        // The next session may have other import rules.
        self.adj_rib_in.interner.clear();
        let kept = self.families_to_keep(reason);
        if kept.is_empty() {
            self.adj_rib_in.forget_gathered();
        } else {
            self.apply_gathered(usize::MAX);
        }
        let mut routes = ReceivedRoutes::default();

        for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
            let before = self.retention.stale.remove(&family);
            let Some(time) = kept.get(&family) else {
                routes.withdrawn.extend(self.adj_rib_in.clear_family(family));
                continue;
            };

            // Routes that were stale before and are not confirmed yet are not kept again (RFC 4724, section 4.2).
            if before.is_some_and(|(_, kept_for)| kept_for != KeptFor::LongLived) {
                routes.withdrawn.extend(self.adj_rib_in.remove_stale(family));
            }

            self.adj_rib_in.mark_stale(family);
            let stale = self.adj_rib_in.stale(family);
            if stale > 0 {
                debug!(%family, stale, ?time, "routes kept while the peer is away");
                self.retention.stale.insert(family, (after(now, *time), KeptFor::Restart));
            }
        }

        self.report_received(routes);
        self.expire_stale(now);
    }

    /// Returns true if a connection that the peer opens now, while its session is up, means that it has lost the session. That
    /// is so if it has sent the Graceful Restart Capability with some family (RFC 4724, section 5), and the session is too
    /// old for the connection to be part of a collision (RFC 4271, section 6.8).
    pub(super) fn has_restarted(&self, now: Instant) -> bool {
        let Some(restart) = &self.retention.negotiated.graceful_restart else { return false };
        let is_old = self.established_at.is_some_and(|at| now >= after(at, COLLISION_TIME));
        is_old && !restart.families.is_empty()
    }

    /// The families whose routes outlive the session, with the time that the peer may be away.
    fn families_to_keep(&self, reason: &DownReason) -> BTreeMap<AfiSafi, Duration> {
        let (Some(theirs), Some(ours)) =
            (&self.retention.negotiated.graceful_restart, self.restart_config())
        else {
            return BTreeMap::new();
        };
        if !self.started || self.settings.import == Import::Drop {
            return BTreeMap::new();
        }

        if let DownReason::Local(notification) | DownReason::Remote(notification) = reason {
            let both_keep_routes = theirs.notification && ours.notification;
            if !both_keep_routes || is_hard_reset(notification) {
                return BTreeMap::new();
            }
        }

        let time = Duration::from_secs(theirs.restart_time.into());
        theirs.families.iter().map(|it| (it.family, time)).collect()
    }

    /// Drops, when a session begins, the stale routes of families for which the peer has not kept forwarding. Waits for the
    /// End-of-RIB of the other families.
    pub(super) fn resume_routes(&mut self, now: Instant, negotiated: &Negotiated) {
        let stale_time = self.restart_config().map_or(Duration::ZERO, |it| it.stale_time);
        let stale = std::mem::take(&mut self.retention.stale);
        let mut routes = ReceivedRoutes::default();

        for (family, (_, kept_for)) in stale {
            if keeps_forwarding(&negotiated.extensions, family, kept_for) {
                let until = after(now, stale_time);
                self.retention.stale.insert(family, (until, KeptFor::EndOfRib));
            } else {
                routes.withdrawn.extend(self.adj_rib_in.remove_stale(family));
            }
        }

        self.retention.negotiated = negotiated.extensions.clone();
        self.report_received(routes);
    }

    /// Handles an End-of-RIB: the peer has announced all routes of a family.
    pub(super) fn end_of_rib_received(&mut self, family: AfiSafi) {
        self.outputs.push_back(Output::EndOfRib(family));
        self.remove_stale_if(family, KeptFor::EndOfRib);
    }

    /// Handles a BoRR: routes that the peer does not repeat before the EoRR are dropped. Without an EoRR they are dropped in
    /// time too.
    pub(super) fn refresh_begins(&mut self, now: Instant, family: AfiSafi) {
        let default = RestartConfig::default();
        let time = self.restart_config().unwrap_or(&default).stale_time;
        self.adj_rib_in.mark_stale(family);
        self.retention.stale.insert(family, (after(now, time), KeptFor::Refresh));
    }

    /// Handles an EoRR. One without a BoRR is ignored (RFC 7313, section 4).
    pub(super) fn refresh_ends(&mut self, family: AfiSafi) {
        self.remove_stale_if(family, KeptFor::Refresh);
    }

    fn remove_stale_if(&mut self, family: AfiSafi, expected: KeptFor) {
        let stale = self.retention.stale.get(&family);
        if stale.is_some_and(|(_, kept_for)| *kept_for == expected) {
            self.retention.stale.remove(&family);
            self.remove_stale(family);
        }
    }

    fn remove_stale(&mut self, family: AfiSafi) {
        let withdrawn = self.adj_rib_in.remove_stale(family);
        self.report_received(ReceivedRoutes { announced: Vec::new(), withdrawn });
    }

    /// Drops the routes received from the peer.
    pub(super) fn forget_received(&mut self) {
        self.adj_rib_in.forget_gathered();
        self.retention.forget();
        let withdrawn = self.adj_rib_in.clear();
        self.report_received(ReceivedRoutes { announced: Vec::new(), withdrawn });
    }

    /// Drops all stale routes, because the operator stops the peer.
    pub(super) fn forget_stale(&mut self) {
        for family in std::mem::take(&mut self.retention.stale).into_keys() {
            self.remove_stale(family);
        }
    }

    /// Drops stale routes whose time is over, or makes them long-lived.
    pub(super) fn expire_stale(&mut self, now: Instant) {
        let mut due = Vec::new();
        for (family, (deadline, kept_for)) in &self.retention.stale {
            if *deadline <= now {
                due.push((*family, *kept_for));
            }
        }

        if !due.is_empty() {
            self.apply_gathered(usize::MAX);
        }
        for (family, kept_for) in due {
            let time = self.long_lived_time(family).filter(|_| kept_for == KeptFor::Restart);
            debug!(%family, ?kept_for, ?time, "the time of stale routes is over");

            if let Some(time) = time {
                let (announced, withdrawn) = self.adj_rib_in.change_stale(family, long_lived);
                self.retention.stale.insert(family, (after(now, time), KeptFor::LongLived));
                self.report_received(ReceivedRoutes { announced, withdrawn });
            } else {
                self.retention.stale.remove(&family);
                self.remove_stale(family);
            }
        }
    }

    /// The time for which stale routes of the family are kept as a last resort: the shorter of both ends' times.
    fn long_lived_time(&self, family: AfiSafi) -> Option<Duration> {
        let ours = self.restart_config()?.long_lived?;
        let theirs = self.retention.negotiated.long_lived.iter().find(|it| it.family == family)?;
        let time = ours.min(Duration::from_secs(theirs.stale_time.into()));
        Some(time).filter(|time| !time.is_zero())
    }

    fn restart_config(&self) -> Option<&RestartConfig> {
        self.settings.fsm.extensions.graceful_restart.as_ref()
    }

    /// Reports changes of the Adj-RIB-In. They join the last report if the driver has not taken it yet, because a sender may have
    /// put each route into an UPDATE of its own.
    pub(super) fn report_received(&mut self, mut routes: ReceivedRoutes) {
        if routes.announced.is_empty() && routes.withdrawn.is_empty() {
            return;
        }
        match self.outputs.back_mut() {
            // Withdrawn routes of a report come before its announced ones.
            Some(Output::Received(last)) if routes.withdrawn.is_empty() => {
                last.announced.append(&mut routes.announced);
            }
            Some(Output::Received(last)) if last.announced.is_empty() => {
                last.withdrawn.append(&mut routes.withdrawn);
                last.announced = routes.announced;
            }
            _ => self.outputs.push_back(Output::Received(routes)),
        }
    }

    /// Turns a Cease that ends the session for good into a Hard Reset, if both ends would otherwise keep routes after a
    /// NOTIFICATION (RFC 8538, section 3.1). Such a Cease comes from the operator or from a prefix limit.
    pub(super) fn hard_reset_if_final(&self, cease: Notification) -> Notification {
        let theirs = self.negotiated().and_then(|it| it.extensions.graceful_restart.as_ref());
        let (Some(theirs), Some(ours)) = (theirs, self.restart_config()) else { return cease };

        let both_keep_routes = theirs.notification && ours.notification;
        if both_keep_routes && is_final(&cease) { Notification::hard_reset(&cease) } else { cease }
    }
}

/// Returns true if a peer that has returned kept forwarding for the routes of this family.
fn keeps_forwarding(extensions: &NegotiatedExtensions, family: AfiSafi, kept_for: KeptFor) -> bool {
    if kept_for == KeptFor::LongLived {
        return extensions.long_lived.iter().any(|it| it.family == family && it.forwarding);
    }
    let Some(restart) = &extensions.graceful_restart else { return false };
    restart.families.iter().any(|it| it.family == family && it.forwarding)
}

fn is_hard_reset(notification: &Notification) -> bool {
    (notification.code, notification.subcode) == (ErrorCode::CEASE, CeaseSubcode::HARD_RESET.0)
}

/// Returns true for a Cease after which no session follows soon.
fn is_final(cease: &Notification) -> bool {
    cease.code == ErrorCode::CEASE
        && matches!(
            CeaseSubcode(cease.subcode),
            CeaseSubcode::MAXIMUM_PREFIXES_REACHED
                | CeaseSubcode::ADMINISTRATIVE_SHUTDOWN
                | CeaseSubcode::PEER_DECONFIGURED
        )
}

/// Marks a route as long-lived stale. `None` if it must not be kept (RFC 9494, section 4.2).
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
