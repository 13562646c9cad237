//! What a node's sessions should be, by its plan: how to reach each peer, from where, and what to announce.
//!
//! Shared by whatever speaks for a real node. Owns no session.

use std::collections::BTreeMap;

use crate::engine::{Engine, identifier};
use crate::planner::{PeerPlan, Plan};
use crate::sessions::{SessionKey, Terms, Wanted, peer_config};
use crate::source_address::SourceAddresses;

/// The sessions of every node that is planned for.
pub(crate) fn sessions(
    engine: &Engine,
    sources: &mut SourceAddresses,
) -> BTreeMap<SessionKey, Wanted> {
    let sessions = engine.sessions().filter_map(|(plan, peer_plan)| {
        let key = SessionKey::new(plan.node(), &peer_plan.peer.name);
        Some((key, session(sources, plan, peer_plan)?))
    });
    sessions.collect()
}

fn session(sources: &mut SourceAddresses, plan: &Plan, peer_plan: &PeerPlan) -> Option<Wanted> {
    let peer = &peer_plan.peer;
    let address = peer.socket_address()?;
    let configuration = plan.scene.config.as_ref();
    let bfd = peer.bfd_profile.as_ref().zip(configuration);
    let bfd = bfd.and_then(|(name, configuration)| configuration.bfd_profile(name));
    let mut config = peer_config(address, peer, bfd);
    if peer.source_address.is_none()
        && let Some(source) = sources.for_peer(&plan.scene.node.addresses, address.ip())
    {
        config = config.local_address(source);
    }
    let terms = Terms::new(peer.shown_asn(), identifier(&plan.scene.node, peer), config);
    Some(Wanted::new(terms, peer_plan.route_set()))
}
