//! The tables of the peers, as a station gets them.
//!
//! Of each table the stream remembers what the station knows, which shares its routes with the table, and sends the difference.
//! So routes that change faster than the station reads are sent once, and none is queued.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bgp_core::{
    AfiSafi,
    bmp::PerPeerHeader,
    rib::{Nlri, OutRouteState, RouteSet},
    wire::{PathAttributes, WireContext},
};
use ipnet::IpNet;
use tokio::{io::AsyncWrite, time::Instant};

use crate::{PeerId, clock, monitoring::ObservedSession};

use super::{
    MonitoredRib,
    outlet::Ended,
    routes::{FAMILIES, RibView},
    stream::Stream,
};

/// A session that the station knows, and the routes that it knows of it.
pub(super) struct ShownPeer {
    session: Arc<ObservedSession>,
    pub(super) header: PerPeerHeader,
    adj_rib_in: RouteSet,
    routes: RouteSet,
}

impl<W: AsyncWrite + Unpin> Stream<'_, W> {
    /// Sends the changes of these peers' tables.
    pub(super) async fn show_tables(&mut self, peers: BTreeSet<PeerId>) -> Result<(), Ended> {
        for peer in peers {
            self.show_peer_tables(peer, clock::unix_time()).await?;
        }
        self.next_tables = Instant::now() + TABLES_APART;
        Ok(())
    }

    /// Sends the changes of a peer's tables, which happened at this time.
    pub(super) async fn show_peer_tables(
        &mut self,
        peer: PeerId,
        at: Duration,
    ) -> Result<(), Ended> {
        let (shows_in, shows_out) = (
            self.shows(MonitoredRib::AdjRibInPostPolicy),
            self.shows(MonitoredRib::AdjRibOutPrePolicy),
        );
        if !shows_in && !shows_out {
            return Ok(());
        }
        let Some(shown) = self.peers.get(&peer) else { return Ok(()) };
        let Some(handle) = self.context.registry.handle(peer) else { return Ok(()) };
        // If the peer is ending, its Peer Down follows.
        let Ok(tables) = handle.tables().await else { return Ok(()) };
        drop(handle);

        let (old_in, old_out) = (shown.adj_rib_in.clone(), shown.routes.clone());
        let (view_in, view_out) = (shown.adj_rib_in_view().at(at), shown.routes_view().at(at));
        if shows_in {
            self.show_changes(&view_in, &old_in, &tables.adj_rib_in).await?;
        }
        if shows_out {
            self.show_changes(&view_out, &old_out, &tables.routes).await?;
        }

        if let Some(shown) = self.peers.get_mut(&peer) {
            (shown.adj_rib_in, shown.routes) = (tables.adj_rib_in, tables.routes);
        }
        Ok(())
    }

    async fn show_changes(
        &mut self,
        view: &RibView,
        old: &RouteSet,
        new: &RouteSet,
    ) -> Result<(), Ended> {
        for (nlri, attributes) in session_changes(old, new, |prefix| view.has_several_paths(prefix))
        {
            view.push(nlri, attributes, &mut self.batch, &mut self.outlet.out);
            if self.outlet.is_full() {
                self.outlet.flush().await?;
            }
        }
        view.finish(&mut self.batch, &mut self.outlet.out);
        Ok(())
    }

    /// Sends the routes that a peer has from us.
    pub(super) async fn dump_adj_rib_out(&mut self, peer: PeerId) -> Result<(), Ended> {
        let Some(view) = self.peers.get(&peer).map(ShownPeer::adj_rib_out_view) else {
            return Ok(());
        };

        let mut from = None;
        loop {
            // A handle keeps the peer, so it must not outlast the page: the station may be slow to read it.
            let Some(handle) = self.context.registry.handle(peer) else { return Ok(()) };
            // If the peer is ending, its Peer Down follows.
            let Ok(page) = handle.adj_rib_out(from, PAGE).await else { return Ok(()) };
            drop(handle);

            for route in page.routes {
                let has_it = matches!(
                    route.state,
                    OutRouteState::Sent
                        | OutRouteState::Pending { replaces: true }
                        | OutRouteState::Withdrawing
                );
                if has_it {
                    let nlri = Nlri { prefix: route.prefix, path_id: route.path_id };
                    let attributes = Some(&route.attributes);
                    view.push(nlri, attributes, &mut self.batch, &mut self.outlet.out);
                }
            }
            view.finish(&mut self.batch, &mut self.outlet.out);
            self.outlet.flush().await?;

            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) async fn show_loc_rib(&mut self) -> Result<(), Ended> {
        self.next_tables = Instant::now() + TABLES_APART;
        match &mut self.loc_rib {
            Some(loc_rib) => loc_rib.show(self.context, clock::unix_time(), &mut self.outlet).await,
            None => Ok(()),
        }
    }
}

/// The changes of the routes that a session carries: all paths to a prefix, if it carries `several`, or else the first.
fn session_changes<'a>(
    old: &'a RouteSet,
    new: &'a RouteSet,
    several: impl Fn(&IpNet) -> bool + 'a,
) -> impl Iterator<Item = (Nlri, Option<&'a Arc<PathAttributes>>)> {
    let mut last = None;
    new.changes_since(old).filter_map(move |(nlri, attributes)| {
        let Nlri { prefix, .. } = nlri;
        if several(&prefix) {
            return Some((nlri, attributes));
        }
        let is_repeated = last.replace(prefix) == Some(prefix);
        let attributes = new.get(&prefix);
        let is_changed = !is_repeated && attributes != old.get(&prefix);
        is_changed.then_some((Nlri { prefix, path_id: 0 }, attributes))
    })
}

impl ShownPeer {
    pub(super) fn new(session: Arc<ObservedSession>, header: PerPeerHeader) -> Self {
        let (adj_rib_in, routes) = (RouteSet::new(), RouteSet::new());
        Self { session, header, adj_rib_in, routes }
    }

    /// The families of the session whose routes are shown.
    pub(super) fn families(&self) -> Vec<AfiSafi> {
        let negotiated = &self.session.negotiated;
        FAMILIES.into_iter().filter(|family| negotiated.has_family(*family)).collect()
    }

    /// What the peer sends, before policy.
    pub(super) fn received_view(&self) -> RibView {
        self.view_in(self.header)
    }

    /// The Adj-RIB-In after policy.
    pub(super) fn adj_rib_in_view(&self) -> RibView {
        self.view_in(self.header.post_policy())
    }

    /// The routes that the peer should have, before policy.
    pub(super) fn routes_view(&self) -> RibView {
        self.view_out(self.header.adj_rib_out())
    }

    /// What the peer is sent.
    pub(super) fn adj_rib_out_view(&self) -> RibView {
        self.view_out(self.header.adj_rib_out().post_policy())
    }

    /// The context of the messages that the peer sends.
    pub(super) fn received_context(&self) -> WireContext {
        self.session.negotiated.wire_context()
    }

    fn view_in(&self, header: PerPeerHeader) -> RibView {
        let ObservedSession { negotiated, start, .. } = &*self.session;
        let local = start.endpoints.local.ip();
        RibView::of_session(header, negotiated, self.received_context(), local)
    }

    fn view_out(&self, header: PerPeerHeader) -> RibView {
        let ObservedSession { negotiated, start, .. } = &*self.session;
        let local = start.endpoints.local.ip();
        RibView::of_session(header, negotiated, negotiated.send_context(), local)
    }
}

/// The shortest time between two looks at the tables: changes in between are sent together.
const TABLES_APART: Duration = Duration::from_millis(100);
/// The number of routes that a peer's task lists at once.
const PAGE: usize = 1_024;

#[cfg(test)]
mod tests {
    use bgp_core::rib::Route;

    use super::*;

    /// The changes between sets of routes to one prefix, given by path identifier and MULTI_EXIT_DISC. `None`: withdrawn.
    fn changes(old: &[(u32, u32)], new: &[(u32, u32)], several: bool) -> Vec<(u32, Option<u32>)> {
        let [old, new] = [old, new].map(|paths| {
            let route = |(path_id, med): &(u32, u32)| {
                let attributes = PathAttributes { med: Some(*med), ..PathAttributes::default() };
                Route::with_attributes("192.0.2.0/24".parse().unwrap(), attributes.into())
                    .path(*path_id)
            };
            paths.iter().map(route).collect::<RouteSet>()
        });
        let changes = session_changes(&old, &new, |_| several);
        changes.map(|(nlri, new)| (nlri.path_id, new.and_then(|it| it.med))).collect()
    }

    #[test]
    fn a_session_with_one_path_to_a_prefix_shows_the_first_and_withdraws_it_with_the_last() {
        let (best, other) = ((1, 10), (2, 20));
        let one = |old: &[_], new: &[_]| changes(old, new, false);
        assert_eq!(one(&[], &[best, other]), [(0, Some(10))]);
        assert_eq!(one(&[best, other], &[best]), []);
        assert_eq!(one(&[best, other], &[other]), [(0, Some(20))]);
        assert_eq!(one(&[best, other], &[]), [(0, None)]);
        assert_eq!(changes(&[best, other], &[best], true), [(2, None)]);
    }
}
