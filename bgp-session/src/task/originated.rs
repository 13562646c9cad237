//! [`Originated`]: the routes that handles asked for, as the peer should have them at this stage of a drain (RFC 8326).
//!
//! Outside of a drain nothing is kept here: the core's Adj-RIB-Out holds what is wanted.

use std::{collections::HashMap, mem, sync::Arc};

use bgp_core::{
    peer::Peer,
    rib::{Route, RouteSet},
    wire::{Community, PathAttributes},
};
use ipnet::IpNet;

use crate::DrainStage;

/// What is wanted while a drain keeps something else before the peer.
#[derive(Default)]
pub(super) struct Originated {
    stage: DrainStage,
    /// All that handles asked for; empty in [`DrainStage::Normal`].
    wanted: RouteSet,
    marks: Marks,
}

impl Originated {
    /// Goes to another stage. Answers whether it is another.
    pub(super) fn enter(&mut self, stage: DrainStage, peer: &mut Peer) -> bool {
        let before = mem::replace(&mut self.stage, stage);
        if before == DrainStage::Normal && stage != DrainStage::Normal {
            let desired = peer.adj_rib_out().desired();
            self.wanted = desired
                .map(|(prefix, attributes)| Route::with_attributes(*prefix, Arc::clone(attributes)))
                .collect();
        }
        if before != stage {
            self.apply(peer);
        }
        before != stage
    }

    pub(super) fn set(&mut self, routes: &RouteSet, peer: &mut Peer) {
        if self.stage == DrainStage::Normal {
            peer.set_routes(routes);
        } else {
            self.wanted = routes.clone();
            self.apply(peer);
        }
    }

    pub(super) fn announce(
        &mut self,
        prefix: IpNet,
        attributes: &Arc<PathAttributes>,
        peer: &mut Peer,
    ) {
        if self.stage != DrainStage::Normal {
            self.marks.trim(self.wanted.len());
            self.wanted.insert(Route::with_attributes(prefix, Arc::clone(attributes)));
        }
        match self.stage {
            DrainStage::Normal => peer.announce(prefix, attributes),
            DrainStage::Marked => peer.announce(prefix, &self.marks.mark(attributes)),
            DrainStage::Withdrawn => {}
        }
    }

    pub(super) fn withdraw(&mut self, prefix: IpNet, peer: &mut Peer) {
        if self.stage != DrainStage::Normal {
            self.wanted.remove(&prefix);
        }
        peer.withdraw(prefix);
    }

    fn apply(&mut self, peer: &mut Peer) {
        match self.stage {
            DrainStage::Normal => {
                peer.set_routes(&mem::take(&mut self.wanted));
                self.marks = Marks::default();
            }
            DrainStage::Marked => {
                self.marks = Marks::default();
                let marked = self.wanted.iter().map(|(prefix, attributes)| {
                    Route::with_attributes(*prefix, self.marks.mark(attributes))
                });
                peer.set_routes(&marked.collect());
            }
            DrainStage::Withdrawn => peer.set_routes(&RouteSet::default()),
        }
    }
}

/// Marked attributes: routes that shared theirs still do.
#[derive(Default)]
struct Marks {
    /// By the address of the originals, which are kept so that no other takes it.
    marked: HashMap<usize, (Arc<PathAttributes>, Arc<PathAttributes>)>,
}

impl Marks {
    /// Forgets all when they are many more than the routes: attributes that no route has any more are among them.
    fn trim(&mut self, routes: usize) {
        if self.marked.len() > 2 * routes + 64 {
            self.marked.clear();
        }
    }

    fn mark(&mut self, attributes: &Arc<PathAttributes>) -> Arc<PathAttributes> {
        let address = Arc::as_ptr(attributes).addr();
        let (_, marked) = self.marked.entry(address).or_insert_with(|| {
            let mut marked = PathAttributes::clone(attributes);
            if !marked.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
                marked.communities.push(Community::GRACEFUL_SHUTDOWN);
            }
            marked.local_pref = Some(0);
            (Arc::clone(attributes), Arc::new(marked))
        });
        Arc::clone(marked)
    }
}
