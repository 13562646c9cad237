//! The Adj-RIB-Out of a peer in pages, with the attributes as the session sends them.

use std::sync::Arc;
use std::time::Instant;

use crate::fsm::Negotiated;
use crate::peer::Peer;
use crate::peer::unsendable::reason_for;
use crate::rib::{Nlri, OutPage, OutRoute, OutRouteState, family_of};
use crate::wire::PathAttributes;

impl Peer {
    /// Tells the time of the calls that take none: [`set_routes`](Self::set_routes), [`announce`](Self::announce) and
    /// [`withdraw`](Self::withdraw). It only matters to [`OutRoute::since`]. Without this call they count from the last
    /// call with a time.
    pub fn set_time(&mut self, now: Instant) {
        self.adj_rib_out.set_time(now);
    }

    /// The routes from a prefix on, or from the first one, with their states: those that the peer should have, and those
    /// that have yet to be withdrawn.
    ///
    /// [`OutRoute::attributes`] are those after the export rules, as the session sends them. Without a session, and for a
    /// route that cannot be sent, they are those before.
    ///
    /// A page has at most `most` routes, and making it takes time in proportion to that number. Between two pages
    /// routes may change, so that the pages together are no snapshot.
    #[must_use]
    pub fn adj_rib_out_page(&self, from: Option<Nlri>, most: usize) -> OutPage {
        let mut page = self.adj_rib_out.page(from, most);
        let (Some(negotiated), Some(endpoints)) = (self.negotiated(), self.endpoints()) else {
            return page;
        };

        let export = self.export_rules(negotiated, endpoints);
        // Adjacent routes mostly share their attributes.
        let mut last: Option<(Arc<PathAttributes>, Arc<PathAttributes>)> = None;
        for route in &mut page.routes {
            if self.is_left_out(route, negotiated) {
                continue;
            }
            last.take_if(|(before, _)| !Arc::ptr_eq(before, &route.attributes));
            let family = family_of(&route.prefix);
            if last.is_none() {
                let exported = export.apply(&route.attributes, family);
                last = exported.ok().map(|it| (Arc::clone(&route.attributes), Arc::new(it)));
            }
            if let Some((_, exported)) = &last {
                route.attributes = Arc::clone(exported);
            }
        }
        page
    }

    /// Returns true if a route cannot be sent. One whose family the session does not carry gets that as its state.
    fn is_left_out(&self, route: &mut OutRoute, negotiated: &Negotiated) -> bool {
        let family = family_of(&route.prefix);
        if !negotiated.has_family(family) {
            route.state = OutRouteState::Unsendable(reason_for(negotiated, family));
            route.since = self.established_at;
        }
        matches!(route.state, OutRouteState::Unsendable(_))
    }
}
