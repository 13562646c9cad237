//! What may happen to a Service while a client opens connections to it: one row of the table each.
//!
//! A scenario plays the user, the kubelet and the controller of EndpointSlices. It must leave the cluster as it was, for
//! the next one.

mod changes;
mod creation;
mod pods;
mod proxies;
mod speakers;

use std::pin::Pin;

use proxies::Fault;

use crate::world::{World, WorldConfig};

/// A running scenario.
type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A row of the table.
pub(crate) struct Row {
    /// What happens, for the table.
    pub(crate) name: &'static str,
    /// True if a speaker can save every connection that counts.
    pub(crate) savable: bool,
    pub(crate) scenario: for<'a> fn(&'a mut World) -> Running<'a>,
}

/// Rows that share a cluster.
pub(crate) struct Group {
    pub(crate) config: WorldConfig,
    /// The number of other Services in the cluster.
    pub(crate) others: usize,
    pub(crate) rows: &'static [Row],
}

const PLAIN: &[Row] = &[
    row("Service created, `Cluster`", |world| Box::pin(creation::cluster(world))),
    row("Service created, `Local`", |world| Box::pin(creation::local(world))),
    row("`Local`, 0 to 1 to 0 pods", |world| Box::pin(creation::zero_one_zero(world))),
    row("`Local`, a pod moves, other Services change", |world| {
        Box::pin(pods::one_moves_while_others_change(world))
    }),
    row("`Local`, rolling restart of 6 pods", |world| Box::pin(pods::rolling_restart(world))),
    row("terminating but serving, ready elsewhere", |world| {
        Box::pin(pods::terminating_and_ready_elsewhere(world))
    }),
    row("kube-proxy dead on a node, a second pod starts there", |world| {
        Box::pin(proxies::where_a_pod_starts(world, Fault::Dead))
    }),
    row("kube-proxy dead on a node, `Cluster`, a pod moves", |world| {
        Box::pin(proxies::while_a_pod_moves(world, Fault::Dead))
    }),
    row("kube-proxy stuck on a node, a second pod starts there", |world| {
        Box::pin(proxies::where_a_pod_starts(world, Fault::Stuck))
    }),
    Row {
        name: "kube-proxy stuck on a node, `Cluster`, a pod moves",
        // Its health check answers as before, so no speaker can tell.
        savable: false,
        scenario: |world| Box::pin(proxies::while_a_pod_moves(world, Fault::Stuck)),
    },
    row("all health ports blocked at once", |world| Box::pin(proxies::all_ports_blocked(world))),
    row("drain, SIGTERM, kill -9, other nodes carry", |world| {
        Box::pin(speakers::others_carry(world))
    }),
    Row {
        name: "the only node, kill -9 without graceful restart",
        savable: false,
        scenario: |world| Box::pin(speakers::the_only_one_is_killed(world)),
    },
    row("`Local` to `Cluster` and back", |world| Box::pin(changes::local_cluster_local(world))),
    row("an address changes hands", |world| Box::pin(changes::address_changes_hands(world))),
    row("a node takes over", |world| Box::pin(changes::a_node_takes_over(world))),
];

const RESTARTS: &[Row] = &[row("upgrade, kill -9, graceful restart carries", |world| {
    Box::pin(speakers::graceful_restart_carries(world))
})];

const AMONG_MANY: &[Row] = &[
    row("Service created, `Local`, 500 other Services", |world| Box::pin(creation::local(world))),
    row("`Local`, a pod moves, 500 other Services", |world| {
        Box::pin(pods::one_moves_while_others_change(world))
    }),
];

/// All rows, with speakers that have this `--dataplane-gate`.
pub(crate) fn groups(gate: &'static str) -> [Group; 3] {
    let plain = WorldConfig { gate, graceful_restart: false };
    let restarts = WorldConfig { gate, graceful_restart: true };
    [
        Group { config: plain, others: 0, rows: PLAIN },
        Group { config: plain, others: 500, rows: AMONG_MANY },
        Group { config: restarts, others: 0, rows: RESTARTS },
    ]
}

const fn row(name: &'static str, scenario: for<'a> fn(&'a mut World) -> Running<'a>) -> Row {
    Row { name, savable: true, scenario }
}
