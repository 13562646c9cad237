//! What is new between two pictures, in sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::{Picture, RouteRow, ServiceRow, SessionRow, next_hop_text};

/// What has changed: sessions, then Services, then routes.
pub fn changes(before: &Picture, now: &Picture) -> Vec<String> {
    let mut news = Vec::new();
    news.extend(losses(&before.sessions, &now.sessions));
    compare(&before.sessions, &now.sessions, session_name, session_news, &mut news);
    compare(&before.services, &now.services, service_name, service_news, &mut news);
    compare(&before.routes, &now.routes, route_name, route_news, &mut news);
    news
}

fn session_name(row: &SessionRow) -> String {
    format!("session {} with {}", row.node, row.peer)
}

/// Reports the sessions that were lost and came back between two looks.
fn losses(before: &[SessionRow], now: &[SessionRow]) -> Vec<String> {
    let since = |row: &SessionRow| Some(row.up.as_ref()?.0);
    let were: BTreeMap<_, _> =
        before.iter().filter_map(|row| Some(((&row.node, &row.peer), since(row)?))).collect();
    let came_back = |row: &&SessionRow| {
        let was = were.get(&(&row.node, &row.peer));
        was.is_some_and(|was| since(row).is_some_and(|since| since > *was))
    };

    let told = now.iter().filter(came_back).flat_map(|row| {
        let why = row.up.as_ref().and_then(|(_, why)| why.as_ref());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        let name = session_name(row);
        [format!("{name}: down{why}"), format!("{name}: Established")]
    });
    told.collect()
}

/// What goes on between two sessions is no news.
fn session_news(before: Option<&SessionRow>, now: Option<&SessionRow>) -> Option<String> {
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
    format!("service {}/{}", row.namespace, row.name)
}

fn service_news(before: Option<&ServiceRow>, now: Option<&ServiceRow>) -> Option<String> {
    let Some(now) = now else { return Some("gone".to_owned()) };
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

fn route_news(before: Option<&RouteRow>, now: Option<&RouteRow>) -> Option<String> {
    match now {
        None => Some("withdrawn".to_owned()),
        Some(now) if before == Some(now) => None,
        Some(now) => Some(format!("through {}", through(now))),
    }
}

fn through(row: &RouteRow) -> String {
    list(row.next_hops.iter().enumerate().map(|(position, next_hop)| {
        let next_hop = next_hop_text(*next_hop);
        match row.nodes.get(position) {
            Some(node) => format!("{next_hop} ({node})"),
            None => next_hop,
        }
    }))
}

/// Says a sentence about each row that `judge` finds something new about. Rows of one name, paths
/// with other attributes, are compared in their order.
fn compare<T>(
    before: &[T],
    now: &[T],
    name: fn(&T) -> String,
    judge: fn(Option<&T>, Option<&T>) -> Option<String>,
    news: &mut Vec<String>,
) {
    let (before, now) = (by_name(before, name), by_name(now, name));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        let rows = |of: &BTreeMap<String, Vec<_>>| of.get(name).cloned().unwrap_or_default();
        let (before, now): (Vec<&T>, Vec<&T>) = (rows(&before), rows(&now));
        for position in 0..before.len().max(now.len()) {
            let what = judge(before.get(position).copied(), now.get(position).copied());
            news.extend(what.map(|what| format!("{name}: {what}")));
        }
    }
}

fn by_name<T>(rows: &[T], name: fn(&T) -> String) -> BTreeMap<String, Vec<&T>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        all.entry(name(row)).or_default().push(row);
    }
    all
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

    fn picture(
        sessions: Vec<SessionRow>,
        services: Vec<ServiceRow>,
        routes: Vec<RouteRow>,
    ) -> Picture {
        Picture { sessions, services, routes, ..Picture::default() }
    }

    #[test]
    fn what_came_is_told_and_what_stayed_is_not() {
        let empty = Picture::default();
        let full = picture(
            vec![session("Established", None)],
            vec![service(&["172.22.35.70"])],
            vec![route("172.22.35.26", "kube2")],
        );
        assert_eq!(
            changes(&empty, &full),
            [
                "session kube1 with 172.22.35.1: Established",
                "service default/smtp: 172.22.35.70 from pool public",
                "route 172.22.35.70/32: through 172.22.35.26 (kube2)",
            ]
        );
        assert_eq!(changes(&full, &full), [""; 0]);
        assert_eq!(
            changes(&full, &empty),
            [
                "session kube1 with 172.22.35.1: removed",
                "service default/smtp: gone",
                "route 172.22.35.70/32: withdrawn",
            ]
        );
    }

    #[test]
    fn a_session_that_was_lost_and_is_back_is_news_too() {
        let since = std::time::Instant::now();
        let up = |seconds| {
            let mut row = session("Established", None);
            row.up = Some((since + Duration::from_secs(seconds), Some("reset".to_owned())));
            picture(vec![row], Vec::new(), Vec::new())
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
    fn a_session_is_news_when_it_comes_up_and_when_it_goes_down() {
        let at = |state, reason| picture(vec![session(state, reason)], Vec::new(), Vec::new());
        assert_eq!(changes(&at("Idle", None), &at("Connect", None)), [""; 0]);
        assert_eq!(
            changes(&at("Established", None), &at("Idle", Some("the connection was reset"))),
            ["session kube1 with 172.22.35.1: down: the connection was reset"]
        );
    }

    #[test]
    fn a_route_that_moves_is_told_with_where_it_goes_now() {
        let at = |address, node| picture(Vec::new(), Vec::new(), vec![route(address, node)]);
        assert_eq!(
            changes(&at("172.22.35.26", "kube2"), &at("172.22.35.27", "kube3")),
            ["route 172.22.35.70/32: through 172.22.35.27 (kube3)"]
        );
    }

    #[test]
    fn a_service_that_lost_its_address_has_none() {
        let at = |addresses| picture(Vec::new(), vec![service(addresses)], Vec::new());
        assert_eq!(changes(&at(&["172.22.35.70"]), &at(&[])), ["service default/smtp: no address"]);
    }
}
