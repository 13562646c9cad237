//! Origin validation (RFC 6811): the context in which policies see routes, and another look at routes when VRPs change.

use std::collections::VecDeque;
use std::sync::Arc;

use ipnet::IpNet;

use crate::peer::{Peer, ReceivedRoutes};
use crate::policy::{LearnedFrom, Policy, RouteContext};
use crate::rib::Nlri;
use crate::rpki::{VrpChange, VrpTable};
use crate::wire::PathAttributes;

/// What a peer knows for origin validation.
#[derive(Debug, Default)]
pub(super) struct Validation {
    vrps: VrpTable,
    /// The other end of the current or last session.
    learned_from: Option<LearnedFrom>,
    /// The prefixes around the received routes that wait for another look because VRPs have changed, in order. None is inside
    /// another.
    due: VecDeque<IpNet>,
    /// The next route inside the first of them.
    from: Option<Nlri>,
}

/// The routes that are looked at in one go.
const PAGE: usize = 64;

impl Validation {
    /// Lets the routes inside these prefixes wait for another look.
    fn look_again(&mut self, prefixes: Vec<IpNet>) {
        let mut sorted = prefixes;
        sorted.extend(self.due.drain(..));
        sorted.sort_unstable();

        self.from = None;
        for prefix in sorted {
            if !self.due.back().is_some_and(|before| before.contains(&prefix)) {
                self.due.push_back(prefix);
            }
        }
    }
}

impl Peer {
    /// The VRPs that policies validate routes with.
    #[must_use]
    pub fn vrps(&self) -> &VrpTable {
        &self.validation.vrps
    }

    /// Replaces the VRPs, as [`change_vrps`](Self::change_vrps) does, after a comparison of the whole tables.
    pub fn set_vrps(&mut self, vrps: &VrpTable) {
        let change = VrpChange::between(self.vrps(), vrps);
        self.change_vrps(&change);
    }

    /// Replaces the VRPs. The peers of a speaker share a change, so that the tables are compared once for all of them.
    ///
    /// If the VRPs so far are not those that the change begins with, all received routes may be concerned.
    ///
    /// If the import policy depends on them, the received routes whose validity may differ wait for
    /// [`revalidate`](Self::revalidate): the peer keeps them as they came, and is not asked for a route refresh (RFC 8481,
    /// RFC 9324). If the export policy depends on them, it is applied to all our routes again, at once.
    pub fn change_vrps(&mut self, change: &VrpChange) {
        let before = std::mem::replace(&mut self.validation.vrps, change.after().clone());
        let changed = change.prefixes_since(&before);
        if changed.is_some_and(<[IpNet]>::is_empty) {
            return;
        }

        if self.keeps_unfiltered() {
            // One pass over all routes is cheaper than a search for each of many prefixes.
            let all = [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())];
            let few = changed.filter(|it| it.len() <= self.adj_rib_in.unfiltered_len());
            self.validation.look_again(few.unwrap_or(&all).to_vec());
        }

        // The driver has a group for relayed routes, whose rules have changed.
        let export = self.settings.policies.export.clone();
        let export = export.filter(|policy| policy.uses_validity());
        if let Some(policy) = export.filter(|_| self.settings.relay.is_none()) {
            let routes = self.routes();
            let passed = self.exported(&policy, &routes);
            self.change_routes(|peer| peer.adj_rib_out.set(&passed));
        }
    }

    /// Returns true if received routes wait for [`revalidate`](Self::revalidate).
    #[must_use]
    pub fn has_unvalidated(&self) -> bool {
        !self.validation.due.is_empty()
    }

    /// Applies the import policy again to routes whose validity may have changed, to about `most` of them, and reports those
    /// that differ as [`Output::Received`](crate::peer::Output::Received). Returns true if routes are left for another call.
    pub fn revalidate(&mut self, most: usize) -> bool {
        let policy = self.settings.policies.import.clone();
        let Some(policy) = policy.filter(|_| self.keeps_unfiltered()) else {
            self.validation.due.clear();
            return false;
        };

        // They were judged before the routes are judged again.
        self.apply_gathered(usize::MAX);
        let mut routes = ReceivedRoutes::default();
        let mut left = most.max(1);
        while left > 0 {
            let Some(prefix) = self.validation.due.front().copied() else { break };
            let looked_at = self.revalidate_page(&policy, prefix, &mut routes);
            left = left.saturating_sub(1 + looked_at);
        }
        self.report_received(routes);
        self.has_unvalidated()
    }

    /// Looks at the next routes inside a prefix, and returns their number.
    fn revalidate_page(
        &mut self,
        policy: &Policy,
        prefix: IpNet,
        routes: &mut ReceivedRoutes,
    ) -> usize {
        let vrps = self.vrps().clone();
        let context = self.import_context(&vrps);
        let mut last = LastPassed::default();
        let from = self.validation.from.unwrap_or_else(|| prefix.into());
        let page = self.adj_rib_in.unfiltered_page(from, PAGE);

        let mut looked_at = 0;
        for route in page.routes.iter().take_while(|route| prefix.contains(&route.prefix)) {
            looked_at += 1;
            let nlri = Nlri { prefix: route.prefix, path_id: route.path_id };
            let passed = last.apply(policy, route.prefix, &route.attributes, &context);
            let passed =
                passed.map(|it| self.adj_rib_in.interner.share_changed(it, &route.attributes));
            if self.adj_rib_in.judge_again(nlri, route.is_stale, passed.as_ref()) {
                match passed {
                    Some(attributes) => routes.announced.push((nlri, attributes)),
                    None => routes.withdrawn.push(nlri),
                }
            }
        }

        self.validation.from = page.next.filter(|next| prefix.contains(&next.prefix));
        if self.validation.from.is_none() {
            self.validation.due.pop_front();
        }
        looked_at
    }

    /// Returns true if received routes are kept as they came.
    pub(super) fn keeps_unfiltered(&self) -> bool {
        self.settings.policies.import.as_ref().is_some_and(|policy| policy.uses_validity())
    }

    /// The context of routes that the peer sends. Without a session there are none.
    pub(super) fn import_context<'a>(&self, vrps: &'a VrpTable) -> RouteContext<'a> {
        let context = self.export_context(vrps);
        match self.validation.learned_from {
            Some(peer) => context.learned_from(peer),
            None => context,
        }
    }

    /// The context of our own routes.
    pub(super) fn export_context<'a>(&self, vrps: &'a VrpTable) -> RouteContext<'a> {
        RouteContext::own(self.settings.fsm.local_asn).vrps(vrps)
    }

    /// The other end of the session, as policies see it. Routes that outlive the session have it too.
    pub(super) fn remember_sender(&mut self) {
        if let (Some(negotiated), Some(endpoints)) = (self.negotiated(), self.endpoints()) {
            self.validation.learned_from = Some(LearnedFrom {
                address: endpoints.remote.ip().to_canonical(),
                asn: negotiated.remote_asn,
                peer_type: negotiated.peer_type,
            });
        }
    }
}

/// The attributes of the last route that passed a policy changed. The next route shares them if its own are equal.
#[derive(Default)]
pub(super) struct LastPassed(Option<Arc<PathAttributes>>);

impl LastPassed {
    /// Applies a policy to a route.
    pub(super) fn apply(
        &mut self,
        policy: &Policy,
        prefix: IpNet,
        attributes: &Arc<PathAttributes>,
        context: &RouteContext<'_>,
    ) -> Option<Arc<PathAttributes>> {
        let passed = policy.apply(prefix, attributes, context)?;
        let is_changed = !Arc::ptr_eq(&passed, attributes);
        match &self.0 {
            Some(last) if is_changed && *last == passed => Some(Arc::clone(last)),
            _ => {
                self.0 = Some(Arc::clone(&passed));
                Some(passed)
            }
        }
    }
}
