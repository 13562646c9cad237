//! The changes between two views, in sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::time::Instant;

use super::cluster_view::{ClusterView, RouteRow, ServiceRow, SessionRow, next_hop_text};

/// Returns the changes: sessions, then Services, then routes.
pub fn changes(before: &ClusterView, now: &ClusterView) -> Vec<String> {
    let mut changes = Vec::new();
    push_flaps(&before.sessions, &now.sessions, &mut changes);
    compare(&before.sessions, &now.sessions, session_name, session_change, &mut changes);
    compare(&before.services, &now.services, service_name, service_change, &mut changes);
    compare(&before.routes, &now.routes, route_name, route_change, &mut changes);
    changes
}

fn session_name(row: &SessionRow) -> String {
    format!("session {} with {}", row.node, row.peer)
}

/// Reports the sessions that went down and came back between the views.
fn push_flaps(before: &[SessionRow], now: &[SessionRow], changes: &mut Vec<String>) {
    let mut up_before: BTreeMap<(&str, &str), Instant> = BTreeMap::new();
    for row in before {
        if let Some((since, _)) = row.up {
            up_before.insert((&row.node, &row.peer), since);
        }
    }

    for row in now {
        let Some((since, reason)) = &row.up else { continue };
        let came_back = up_before.get(&(&*row.node, &*row.peer)).is_some_and(|up| since > up);
        if came_back {
            let name = session_name(row);
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            changes.push(format!("{name}: down{reason}"));
            changes.push(format!("{name}: Established"));
        }
    }
}

/// Returns the change of a session. Changes between states other than Established are not reported.
fn session_change(before: Option<&SessionRow>, now: Option<&SessionRow>) -> Option<String> {
    let was_up = before.is_some_and(SessionRow::is_established);
    let Some(now) = now else { return Some("removed".to_owned()) };
    match (was_up, now.is_established()) {
        (false, true) => Some("Established".to_owned()),
        (true, false) => Some(match &now.reason {
            Some(reason) => format!("down: {reason}"),
            None => "down".to_owned(),
        }),
        (true, true) | (false, false) => None,
    }
}

fn service_name(row: &ServiceRow) -> String {
    format!("Service {}/{}", row.namespace, row.name)
}

fn service_change(before: Option<&ServiceRow>, now: Option<&ServiceRow>) -> Option<String> {
    let Some(now) = now else { return Some("removed".to_owned()) };
    if before == Some(now) {
        return None;
    }
    Some(match &now.pool {
        Some(pool) => format!("{} from pool {pool}", list(&now.addresses)),
        None => "no address".to_owned(),
    })
}

fn route_name(row: &RouteRow) -> String {
    match &row.router {
        Some(router) => format!("route {} at {router}", row.prefix),
        None => format!("route {}", row.prefix),
    }
}

fn route_change(before: Option<&RouteRow>, now: Option<&RouteRow>) -> Option<String> {
    match now {
        None => Some("withdrawn".to_owned()),
        Some(now) if before == Some(now) => None,
        Some(now) => Some(format!("through {}", next_hops(now))),
    }
}

fn next_hops(row: &RouteRow) -> String {
    list(row.next_hops.iter().enumerate().map(|(position, next_hop)| {
        let next_hop = next_hop_text(*next_hop);
        match row.nodes.get(position) {
            Some(node) => format!("{next_hop} ({node})"),
            None => next_hop,
        }
    }))
}

/// Reports the changes that `change` finds between rows with the same name. If several rows have the same name, such as
/// paths with different attributes, they are compared in their order.
fn compare<T>(
    before: &[T],
    now: &[T],
    name: fn(&T) -> String,
    change: fn(Option<&T>, Option<&T>) -> Option<String>,
    changes: &mut Vec<String>,
) {
    let before = rows_by_name(before, name);
    let now = rows_by_name(now, name);

    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        let before = before.get(name).map_or(&[][..], Vec::as_slice);
        let now = now.get(name).map_or(&[][..], Vec::as_slice);
        for position in 0..before.len().max(now.len()) {
            let change = change(before.get(position).copied(), now.get(position).copied());
            changes.extend(change.map(|change| format!("{name}: {change}")));
        }
    }
}

fn rows_by_name<T>(rows: &[T], name: fn(&T) -> String) -> BTreeMap<String, Vec<&T>> {
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        by_name.entry(name(row)).or_default().push(row);
    }
    by_name
}

fn list<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn session(state: &str, reason: Option<&str>) -> SessionRow {
        SessionRow {
            node: "kube1".to_owned(),
            peer: "172.22.35.1".to_owned(),
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
            up: None,
        }
    }

    fn service(addresses: &[&str]) -> ServiceRow {
        ServiceRow {
            namespace: "default".to_owned(),
            name: "smtp".to_owned(),
            pool: (!addresses.is_empty()).then(|| "public".to_owned()),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }

    fn route(next_hop: &str, node: &str) -> RouteRow {
        RouteRow {
            router: None,
            prefix: "172.22.35.70/32".parse().unwrap(),
            next_hops: vec![next_hop.parse().ok()],
            as_path: vec![64636],
            local_pref: None,
            origin: None,
            med: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            extended_communities: Vec::new(),
            nodes: vec![node.to_owned()],
        }
    }

    fn view(
        sessions: Vec<SessionRow>,
        services: Vec<ServiceRow>,
        routes: Vec<RouteRow>,
    ) -> ClusterView {
        ClusterView { sessions, services, routes, ..ClusterView::default() }
    }

    #[test]
    fn only_changes_are_reported() {
        let empty = ClusterView::default();
        let full = view(
            vec![session("Established", None)],
            vec![service(&["172.22.35.70"])],
            vec![route("172.22.35.26", "kube2")],
        );
        assert_eq!(
            changes(&empty, &full),
            [
                "session kube1 with 172.22.35.1: Established",
                "Service default/smtp: 172.22.35.70 from pool public",
                "route 172.22.35.70/32: through 172.22.35.26 (kube2)",
            ]
        );
        assert_eq!(changes(&full, &full), [""; 0]);
        assert_eq!(
            changes(&full, &empty),
            [
                "session kube1 with 172.22.35.1: removed",
                "Service default/smtp: removed",
                "route 172.22.35.70/32: withdrawn",
            ]
        );
    }

    #[test]
    fn a_session_that_went_down_and_came_back_is_reported() {
        let since = Instant::now();
        let up = |seconds| {
            let mut row = session("Established", None);
            row.up = Some((since + Duration::from_secs(seconds), Some("reset".to_owned())));
            view(vec![row], Vec::new(), Vec::new())
        };
        assert_eq!(changes(&up(1), &up(1)), [""; 0]);
        assert_eq!(
            changes(&up(1), &up(2)),
            [
                "session kube1 with 172.22.35.1: down: reset",
                "session kube1 with 172.22.35.1: Established",
            ]
        );
    }

    #[test]
    fn a_session_is_reported_when_it_comes_up_and_when_it_goes_down() {
        let at = |state, reason| view(vec![session(state, reason)], Vec::new(), Vec::new());
        assert_eq!(changes(&at("Idle", None), &at("Connect", None)), [""; 0]);
        assert_eq!(
            changes(&at("Established", None), &at("Idle", Some("the connection was reset"))),
            ["session kube1 with 172.22.35.1: down: the connection was reset"]
        );
    }

    #[test]
    fn a_route_that_moves_is_reported_with_its_new_next_hop() {
        let at = |address, node| view(Vec::new(), Vec::new(), vec![route(address, node)]);
        assert_eq!(
            changes(&at("172.22.35.26", "kube2"), &at("172.22.35.27", "kube3")),
            ["route 172.22.35.70/32: through 172.22.35.27 (kube3)"]
        );
    }

    #[test]
    fn a_service_that_lost_its_address_has_no_address() {
        let at = |addresses| view(Vec::new(), vec![service(addresses)], Vec::new());
        assert_eq!(changes(&at(&["172.22.35.70"]), &at(&[])), ["Service default/smtp: no address"]);
    }
}
