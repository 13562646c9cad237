//! The rows of each list.

use ferrolb_api::{
    Bfd, Event, Peer, Pool, PoolUsage, Route, RouteState, Service, ServiceState, Severity,
};

use super::answers::Answers;
use super::app::{Open, Tab};
use crate::output::age;

/// A row of a list.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) severity: Severity,
    /// What the Enter key opens.
    pub(super) opens: Option<Open>,
}

/// A column of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// The most columns of the terminal that it takes. The last column of a list takes all that are left.
    pub(super) most: u16,
}

impl Row {
    fn new(cells: Vec<String>, severity: Severity) -> Self {
        Self { cells, severity, opens: None }
    }

    fn opening(mut self, opens: Open) -> Self {
        self.opens = Some(opens);
        self
    }

    /// Returns true if a cell contains this text, which is in lower case.
    pub(super) fn contains(&self, wanted: &str) -> bool {
        wanted.is_empty() || self.cells.iter().any(|cell| cell.to_lowercase().contains(wanted))
    }

    pub(super) fn is_problem(&self) -> bool {
        self.severity > Severity::Info
    }
}

/// Returns the columns of a list.
pub(super) fn columns(tab: Tab) -> Vec<Column> {
    let columns: &[(&'static str, u16)] = match tab {
        Tab::Peers => &[
            ("NODE", 12),
            ("PEER", 16),
            ("AS", 10),
            ("STATE", 11),
            ("UP/DOWN", 8),
            ("SENT", 7),
            ("BFD", 9),
            ("LAST ERROR", 0),
        ],
        Tab::Services => &[
            ("SERVICE", 28),
            ("STATE", 13),
            ("NODES", 5),
            ("ADDRESSES", 24),
            ("POOL", 12),
            ("PROBLEM", 0),
        ],
        Tab::Routes => &[
            ("PREFIX", 24),
            ("STATE", 11),
            ("AGE", 8),
            ("NEXT HOP", 16),
            ("ATTRIBUTES", 24),
            ("SERVICES", 0),
        ],
        Tab::Pools => &[
            ("POOL", 16),
            ("USED", 8),
            ("FREE", 12),
            ("USAGE", 12),
            ("SERVICES", 8),
            ("AUTO", 5),
            ("ADDRESSES", 0),
        ],
        Tab::Bfd => &[
            ("NODE", 12),
            ("PEER", 16),
            ("STATE", 9),
            ("FOR", 8),
            ("DETECT", 8),
            ("LOST", 5),
            ("REASON", 0),
        ],
        Tab::Events => &[("TIME", 9), ("NODE", 12), ("PEER", 12), ("EVENT", 0)],
    };
    columns.iter().map(|(heading, most)| Column { heading, most: *most }).collect()
}

/// Returns the rows of a list.
pub(super) fn rows(tab: Tab, answers: &Answers) -> Vec<Row> {
    match tab {
        Tab::Peers => answers.peers.iter().map(peer).collect(),
        Tab::Services => answers.services.iter().map(service).collect(),
        Tab::Routes => answers.routes.iter().map(route).collect(),
        Tab::Pools => answers.pools.iter().map(pool).collect(),
        Tab::Bfd => answers.bfd.iter().map(bfd).collect(),
        // The newest event is of the most interest.
        Tab::Events => answers.events.iter().rev().map(event).collect(),
    }
}

fn peer(peer: &Peer) -> Row {
    let is_up = peer.state == "Established";
    let severity = match (is_up, peer.disabled) {
        (_, true) => Severity::Warning,
        (true, _) if peer.prefixes.unsendable > 0 => Severity::Warning,
        (true, _) => Severity::Info,
        (false, _) => Severity::Error,
    };
    let cells = vec![
        peer.node.clone(),
        peer.name.clone(),
        peer.asn.map_or_else(|| "any".to_owned(), |asn| asn.to_string()),
        if peer.disabled { "Disabled".to_owned() } else { peer.state.clone() },
        time_in_state(peer.state_seconds),
        format!("{}/{}", peer.prefixes.sent, peer.prefixes.planned),
        peer.bfd.as_ref().map_or_else(|| "-".to_owned(), |bfd| bfd.state.clone()),
        peer.last_error.as_ref().map(|error| error.text.clone()).unwrap_or_default(),
    ];
    Row::new(cells, severity)
        .opening(Open::Peer { node: peer.node.clone(), name: peer.name.clone() })
}

fn service(service: &Service) -> Row {
    let (state, of_state) = match service.state {
        ServiceState::Pending => ("pending", Severity::Error),
        ServiceState::NotAnnounced => ("not announced", Severity::Error),
        ServiceState::Announced => ("announced", Severity::Info),
        ServiceState::Assigned => ("assigned", Severity::Info),
        _ => ("unknown", Severity::Warning),
    };
    let severity = match &service.problem {
        Some(problem) if problem.needs_action => of_state.max(Severity::Warning),
        // As it should be, for example without endpoints on purpose.
        Some(_) if service.state == ServiceState::NotAnnounced => Severity::Warning,
        _ => of_state,
    };

    let problem = service.problem.as_ref();
    let cells = vec![
        format!("{}/{}", service.namespace, service.name),
        state.to_owned(),
        format!("{}/{}", service.announced_by, service.nodes),
        joined(&service.addresses),
        service.pool.clone().unwrap_or_else(|| "-".to_owned()),
        problem.map(|problem| format!("{}: {}", problem.gate, problem.reason)).unwrap_or_default(),
    ];
    let (namespace, name) = (service.namespace.clone(), service.name.clone());
    Row::new(cells, severity).opening(Open::Service { namespace, name })
}

fn route(route: &Route) -> Row {
    let (state, severity) = match route.state {
        RouteState::Sent => ("sent", Severity::Info),
        RouteState::Pending => ("pending", Severity::Warning),
        RouteState::Withdrawing => ("withdrawing", Severity::Warning),
        RouteState::OtherPath => ("other path", Severity::Info),
        RouteState::Unsendable => ("unsendable", Severity::Error),
        RouteState::NoSession => ("no session", Severity::Error),
        _ => ("unknown", Severity::Warning),
    };
    let seconds = route.age_seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
    let cells = vec![
        route.prefix.clone(),
        state.to_owned(),
        seconds.map_or_else(|| "-".to_owned(), |seconds| age(f64::from(seconds))),
        route.next_hop.map_or_else(|| "-".to_owned(), |hop| hop.to_string()),
        attributes(route),
        route.services.join(" "),
    ];

    let row = Row::new(cells, severity);
    match route.services.first().and_then(|service| service.split_once('/')) {
        Some((namespace, name)) => {
            row.opening(Open::Service { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        None => row,
    }
}

fn attributes(route: &Route) -> String {
    let mut words = Vec::new();
    if !route.as_path.is_empty() {
        words.push(format!("path {}", route.as_path));
    }
    if let Some(value) = route.local_pref {
        words.push(format!("localpref {value}"));
    }
    if let Some(value) = route.med {
        words.push(format!("MED {value}"));
    }
    let communities = [&route.communities, &route.large_communities, &route.extended_communities];
    words.extend(communities.into_iter().flatten().cloned());
    words.join(" ")
}

fn pool(pool: &Pool) -> Row {
    let used = pool.ipv4.in_use + pool.ipv6.in_use;
    let is_full =
        [&pool.ipv4, &pool.ipv6].iter().any(|usage| usage.total != "0" && usage.free == "0");
    let cells = vec![
        pool.name.clone(),
        used.to_string(),
        free(pool),
        bar(&pool.ipv4).or_else(|| bar(&pool.ipv6)).unwrap_or_default(),
        pool.services.to_string(),
        if pool.auto_assign { "yes" } else { "no" }.to_owned(),
        pool.addresses.join(" "),
    ];
    Row::new(cells, if is_full { Severity::Warning } else { Severity::Info })
}

/// Returns the number of free addresses, of both families if the pool has both.
fn free(pool: &Pool) -> String {
    let families = [&pool.ipv4, &pool.ipv6];
    let free: Vec<_> = families
        .iter()
        .filter(|usage| usage.total != "0")
        .map(|usage| large(&usage.free))
        .collect();
    free.join(" + ")
}

/// Returns a number, or its power of ten if it is very large.
fn large(number: &str) -> String {
    if number.len() > 9 { format!("10^{}", number.len() - 1) } else { number.to_owned() }
}

/// Returns a bar of ten places for the usage of a pool.
fn bar(usage: &PoolUsage) -> Option<String> {
    let total: u128 = usage.total.parse().ok().filter(|total| *total > 0)?;
    let filled = u128::from(usage.in_use).saturating_mul(10).div_ceil(total).min(10);
    let filled = usize::try_from(filled).unwrap_or(10);
    Some(format!("{}{}", "#".repeat(filled), ".".repeat(10 - filled)))
}

fn bfd(bfd: &Bfd) -> Row {
    let cells = vec![
        bfd.node.clone(),
        bfd.peer.clone(),
        bfd.state.clone(),
        time_in_state(bfd.state_seconds),
        format!("{}ms", bfd.detection_time_ms),
        bfd.failures.to_string(),
        bfd.reason.clone().unwrap_or_default(),
    ];
    let severity = if bfd.state == "Up" { Severity::Info } else { Severity::Error };
    Row::new(cells, severity).opening(Open::Peer { node: bfd.node.clone(), name: bfd.peer.clone() })
}

fn event(event: &Event) -> Row {
    let cells = vec![
        event.time.strftime("%H:%M:%SZ").to_string(),
        event.node.clone().unwrap_or_default(),
        event.peer.clone().unwrap_or_default(),
        event.text.clone(),
    ];

    let row = Row::new(cells, event.severity);
    if let Some((namespace, name)) = event.service.as_ref().and_then(|it| it.split_once('/')) {
        return row
            .opening(Open::Service { namespace: namespace.to_owned(), name: name.to_owned() });
    }
    match (&event.node, &event.peer) {
        (Some(node), Some(peer)) => {
            row.opening(Open::Peer { node: node.clone(), name: peer.clone() })
        }
        _ => row,
    }
}

fn time_in_state(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), age)
}

fn joined(values: &[impl ToString]) -> String {
    if values.is_empty() {
        return "-".to_owned();
    }
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
