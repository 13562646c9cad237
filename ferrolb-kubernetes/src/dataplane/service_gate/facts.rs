//! The input of a gate: the facts about its node, the checks and their results.

use std::net::IpAddr;

use super::super::proxy_health::PerFamily;
use super::super::timing::{Moment, Timing};

/// The facts about a node on which the gates of its Services depend.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::dataplane) struct NodeFacts {
    /// The last answer of kube-proxy that it is healthy.
    pub(in crate::dataplane) proxy_ok: Option<Moment>,
    /// The moment since which kube-proxy has answered that it is healthy.
    pub(in crate::dataplane) proxy_since: Option<Moment>,
    /// The moment since which kube-proxy, which the cluster has, does not answer or reports that it is stuck.
    pub(in crate::dataplane) proxy_failing: Option<Moment>,
    /// The end of kube-proxy's last sync of rules.
    pub(in crate::dataplane) synced: PerFamily<Option<Moment>>,
    pub(in crate::dataplane) health_ports: HealthPorts,
    /// The last write of the report about this node.
    pub(in crate::dataplane) reported: Option<Moment>,
}

impl NodeFacts {
    /// Returns true if kube-proxy has been in operation for long enough to have rules for everything that it knows.
    pub(in crate::dataplane) fn proxy_has_run(&self, now: Moment, timing: &Timing) -> bool {
        let Some(since) = self.proxy_since else { return false };
        let syncs = [self.synced.ipv4, self.synced.ipv6];
        let reports_syncs = syncs.iter().any(Option::is_some);
        let is_old = |synced: &Moment| now.since(*synced) >= timing.settle * 2;
        !reports_syncs || syncs.iter().flatten().any(is_old) || now.since(since) >= timing.settle
    }
}

/// The health ports of a cluster's Services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::dataplane) enum HealthPorts {
    /// None has answered yet.
    #[default]
    Unknown,
    /// The dataplane serves them.
    Answering,
    /// The dataplane does not serve them.
    Silent,
}

/// The result of a check whether the dataplane forwards to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dataplane) enum Observation {
    Forwards,
    /// It does, and with rules from after the last change.
    ForwardsNow,
    /// The health port reports that the node has no ready endpoint.
    NoEndpoint(String),
    /// It does not, for this reason.
    DoesNot(String),
}

/// The check that shows whether the dataplane forwards to a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dataplane) enum Check {
    /// A request to the health port.
    HealthPort(u16),
    /// The same, and then a connection. The port reports endpoints, even if the rules for the address are not in place yet.
    HealthPortAndConnect(u16, ConnectTarget),
    /// A TCP connection to each address of the Service.
    Connect(ConnectTarget),
    /// The same, once the health port of the former policy is closed. kube-proxy closes it after it has written the rules.
    ClosedPortAndConnect(u16, ConnectTarget),
}

/// The addresses of a Service, and one of its TCP ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dataplane) struct ConnectTarget {
    pub(in crate::dataplane) addresses: Vec<IpAddr>,
    pub(in crate::dataplane) port: u16,
    /// Some of the endpoints on other nodes.
    pub(in crate::dataplane) remote_endpoints: Vec<IpAddr>,
}
