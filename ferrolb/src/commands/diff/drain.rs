//! The effects of the drain of a node: its routes, and the nodes that remain for each Service.
//!
//! Owns the question of which nodes remain. The planner decides what a node announces while it is being drained, and the
//! comparison of states is that of `diff`.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use lb_adapter::explain::announced_prefixes;
use lb_adapter::model::ServiceKey;
use lb_adapter::recording::Cluster;

use super::{Difference, WireState};
use crate::Failure;

/// The prefixes that routers have from each node, for one Service.
type Announced = BTreeMap<String, Vec<IpNet>>;

/// Drains a node, and returns the differences: its routes, then its Services.
///
/// # Errors
///
/// There is no such node.
pub(super) fn differences(cluster: &mut Cluster, node: &str) -> Result<Vec<Difference>, Failure> {
    let Some(plan) = cluster.engine.plan(node) else {
        return Err(Failure::Unusable(format!("there is no Node {node}")));
    };
    let services: BTreeSet<_> = plan.services().cloned().collect();
    let services = services.into_iter().map(|key| (announced(cluster, &key), key));
    let mut services: Vec<_> = services.collect();
    // A Service whose routes no router has from this node loses nothing.
    services.retain(|(announced, _)| announced.contains_key(node));

    let before = WireState::of(&cluster.engine);
    cluster.engine.drain(node);
    let mut differences = before.diff(&WireState::of(&cluster.engine));

    for (before, service) in services {
        let after = announced(cluster, &service);
        let addresses = cluster.engine.holding(&service).map(|holding| holding.addresses);
        let mut lost = addresses.map(|addresses| addresses.to_vec()).unwrap_or_default();
        lost.retain(|address| {
            let has = |announced: &Announced| {
                announced.values().flatten().any(|prefix| prefix.contains(address))
            };
            has(&before) && !has(&after)
        });

        let remaining: BTreeSet<_> = after.into_keys().collect();
        let node = node.to_owned();
        differences.push(Difference::Drained { service, node, remaining, lost });
    }
    Ok(differences)
}

/// Returns the nodes that announce a Service.
fn announced(cluster: &Cluster, service: &ServiceKey) -> Announced {
    let mut announced = Announced::new();
    for plan in cluster.engine.plans() {
        let prefixes = announced_prefixes(cluster, plan, service);
        if !prefixes.is_empty() {
            announced.insert(plan.node().to_owned(), prefixes);
        }
    }
    announced
}

/// Returns the Services that lose their last node, for one of their addresses or for all.
pub(super) fn losing(differences: &[Difference]) -> impl Iterator<Item = &ServiceKey> {
    differences.iter().filter_map(|difference| match difference {
        Difference::Drained { service, lost, .. } if !lost.is_empty() => Some(service),
        _ => None,
    })
}

/// Returns one line for each difference, and at last the Services that lose their last node.
pub(super) fn to_text(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "no changes\n".to_owned();
    }

    let mut text = String::new();
    for difference in differences {
        text.push_str(&format!("{difference}\n"));
    }
    let losing: Vec<_> = losing(differences).map(ToString::to_string).collect();
    let losing = if losing.is_empty() { "none".to_owned() } else { losing.join(", ") };
    text.push_str(&format!("Services that lose their last node: {losing}\n"));
    text
}
