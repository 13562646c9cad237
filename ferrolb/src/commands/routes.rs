//! `ferrolb routes`: the routes that the peers have, or should have.

use std::io::{self, Write};
use std::net::IpAddr;

use clap::Args;
use ferrolb_api::{PeerList, Route, RoutePage, RouteState};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::view::{failure, show};
use crate::Failure;
use crate::client::{Client, Pages, escaped};
use crate::input::{NodeArgs, ViewArgs};
use crate::output::{
    BOLD, Cell, DIM, GREEN, Look, Page, RED, Table, ViewFormat, YELLOW, age, coloured, plain,
    write_json_line,
};

/// Arguments of `ferrolb routes`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct RoutesArgs {
    /// Only the routes for this peer.
    #[arg(long, value_name = "NAME")]
    pub peer: Option<String>,
    /// Only the routes that contain, or are contained in, this prefix or address.
    #[arg(long, value_name = "PREFIX", value_parser = parse_prefix)]
    pub prefix: Option<String>,
    /// Only the routes of this Service, as NAMESPACE/NAME, or NAME in the namespace `default`.
    #[arg(long, value_name = "SERVICE", value_parser = parse_service)]
    pub service: Option<String>,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// The process, and the form of its answer.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// A route in JSON: as the process sends it, with its peer.
#[derive(Serialize)]
struct RouteLine<'a> {
    node: &'a str,
    peer: &'a str,
    #[serde(flatten)]
    route: &'a Map<String, Value>,
}

/// A page that keeps each route as the process sent it.
#[derive(Deserialize)]
struct RawPage {
    node: String,
    peer: String,
    routes: Vec<Map<String, Value>>,
}

/// Shows the routes of a process, while they arrive.
///
/// # Errors
///
/// The process does not answer, or it has no such peer.
pub async fn run(args: &RoutesArgs) -> Result<(), Failure> {
    show(&args.view, args.node.node.as_deref(), async |client: &Client, page: &mut Page<'_>| {
        let list: PeerList = client.get(super::peers::PATH).await.map_err(failure)?;
        let mut peers: Vec<(String, Option<String>)> = Vec::new();
        for peer in list.peers.into_iter().filter(|peer| args.node.includes(&peer.node)) {
            if args.peer.as_ref().is_none_or(|name| *name == peer.name) {
                peers.push((peer.name, Some(peer.node)));
            }
        }
        if let Some(name) = args.peer.as_ref().filter(|_| peers.is_empty()) {
            // The process says which peers it has.
            peers.push((name.clone(), args.node.node.clone()));
        }

        let is_filtered = args.prefix.is_some() || args.service.is_some();
        let (mut count, mut is_first) = (0, true);
        for (name, node) in &peers {
            let path = format!("{}/{}/routes", super::peers::PATH, escaped(name));
            let query = [
                ("node", node.as_deref()),
                ("prefix", args.prefix.as_deref()),
                ("service", args.service.as_deref()),
            ];
            let pages = Pages::new(client, &path, &query);
            count += write_peer(page, client, pages, &mut is_first, is_filtered).await?;
            if page.is_closed() {
                return Ok(());
            }
        }

        if count == 0 && is_filtered && page.look.format != ViewFormat::Json {
            page.write(|out, _| writeln!(out, "No peer has, or should have, such a route."))?;
        }
        Ok(())
    })
    .await
}

/// Writes the routes for one peer, page by page. Returns their number. A peer without any is left out if `is_filtered`; all
/// but the first one have a blank line before them.
async fn write_peer(
    page: &mut Page<'_>,
    client: &Client,
    mut pages: Pages<'_>,
    is_first: &mut bool,
    is_filtered: bool,
) -> Result<usize, Failure> {
    let mut widths = Vec::new();
    let mut has_title = false;
    let mut count = 0;
    while let Some(octets) = pages.next().await.map_err(failure)? {
        if page.look.format == ViewFormat::Json {
            let raw: RawPage = client.parse(pages.path(), &octets)?;
            page.write(|out, _| write_lines(out, &raw))?;
            if page.is_closed() {
                break;
            }
            continue;
        }

        let part: RoutePage = client.parse(pages.path(), &octets)?;
        count += part.routes.len();
        page.write(|out, look| {
            let is_empty = is_filtered && part.routes.is_empty();
            if !has_title && !is_empty {
                let gap = if std::mem::take(is_first) { "" } else { "\n" };
                let title = format!("Routes from {} to {}", part.node, part.peer);
                writeln!(out, "{gap}{}", look.style.paint(BOLD, &title))?;
                has_title = true;
            }
            write_part(out, look, &part.routes, &mut widths)
        })?;
        if page.is_closed() {
            return Ok(count);
        }
    }

    if has_title && count == 0 {
        page.write(|out, _| writeln!(out, "  none"))?;
    }
    Ok(count)
}

fn write_lines(out: &mut dyn Write, page: &RawPage) -> io::Result<()> {
    let RawPage { node, peer, routes } = page;
    routes.iter().try_for_each(|route| write_json_line(out, &RouteLine { node, peer, route }))
}

/// Writes the routes of one page. `widths` has the widths of the columns so far.
fn write_part(
    out: &mut dyn Write,
    look: Look,
    routes: &[Route],
    widths: &mut Vec<usize>,
) -> io::Result<()> {
    if routes.is_empty() {
        return Ok(());
    }
    let table = if look.format == ViewFormat::Wide { wide(routes) } else { narrow(routes) };
    table.write_part(out, look.style, look.width, widths)
}

/// Returns a table with the attributes below each route.
fn narrow(routes: &[Route]) -> Table {
    let mut table = Table::new("", &["PREFIX", "NEXT HOP", "STATE", "AGE", "SERVICES"]);
    for route in routes {
        table.row([
            plain(prefix(route)),
            plain(next_hop(route)),
            state(route),
            plain(route_age(route)),
            plain(words(&route.services, MAX_SERVICES)),
        ]);

        if route.state != RouteState::Sent {
            let colour = if route.state == RouteState::Unsendable { RED } else { YELLOW };
            table.note(coloured(&route.state_text, colour));
        }
        table.note(coloured(attributes(route), DIM));
        if !route.members.is_empty() {
            table.note(coloured(format!("covers {}", words(&route.members, MAX_MEMBERS)), DIM));
        }
    }
    table
}

/// Returns a table with a column for each attribute.
fn wide(routes: &[Route]) -> Table {
    let mut table = Table::new(
        "",
        &[
            "PREFIX",
            "NEXT HOP",
            "STATE",
            "AGE",
            "ORIGIN",
            "AS PATH",
            "LOCAL PREF",
            "MED",
            "COMMUNITIES",
            "OTHER ATTRIBUTES",
            "SERVICES",
            "MEMBERS",
            "REASON",
        ],
    );
    let optional =
        |value: Option<u32>| plain(value.map_or_else(|| NONE.to_owned(), |it| it.to_string()));
    for route in routes {
        let communities = all_communities(route);
        let is_sent = route.state == RouteState::Sent;
        let as_path = if route.as_path.is_empty() { NONE } else { &route.as_path };
        table.row([
            plain(prefix(route)),
            plain(next_hop(route)),
            state(route),
            plain(route_age(route)),
            plain(&route.origin),
            plain(as_path),
            optional(route.local_pref),
            optional(route.med),
            plain(words(&communities, usize::MAX)),
            plain(words(&route.other_attributes, usize::MAX)),
            plain(words(&route.services, usize::MAX)),
            plain(words(&route.members, usize::MAX)),
            plain(if is_sent { NONE } else { &route.state_text }),
        ]);
    }
    table
}

fn prefix(route: &Route) -> String {
    if route.path_id == 0 {
        return route.prefix.clone();
    }
    format!("{} path {}", route.prefix, route.path_id)
}

fn next_hop(route: &Route) -> String {
    route.next_hop.map_or_else(|| NONE.to_owned(), |address| address.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "the age of a route")]
fn route_age(route: &Route) -> String {
    route.age_seconds.map_or_else(|| NONE.to_owned(), |seconds| age(seconds as f64))
}

fn state(route: &Route) -> Cell {
    match route.state {
        RouteState::Sent => coloured("sent", GREEN),
        RouteState::Pending => coloured("pending", YELLOW),
        RouteState::Withdrawing => coloured("withdrawing", YELLOW),
        RouteState::OtherPath => coloured("other path", YELLOW),
        RouteState::Unsendable => coloured("unsendable", RED),
        RouteState::NoSession => coloured("no session", YELLOW),
        _ => plain(&route.state_text),
    }
}

/// Returns the attributes in words.
fn attributes(route: &Route) -> String {
    let as_path = if route.as_path.is_empty() { "empty" } else { &route.as_path };
    let mut text = format!("AS path {as_path}, origin {}", route.origin);
    if let Some(value) = route.local_pref {
        text.push_str(&format!(", local pref {value}"));
    }
    if let Some(value) = route.med {
        text.push_str(&format!(", MED {value}"));
    }
    let communities = all_communities(route);
    if !communities.is_empty() {
        text.push_str(&format!(", communities {}", communities.join(" ")));
    }
    for attribute in &route.other_attributes {
        text.push_str(&format!(", {attribute}"));
    }
    text
}

/// Returns the communities of all kinds, as the configuration writes them.
fn all_communities(route: &Route) -> Vec<String> {
    let large = route.large_communities.iter().map(|community| format!("large:{community}"));
    let others = large.chain(route.extended_communities.iter().cloned());
    route.communities.iter().cloned().chain(others).collect()
}

/// Returns the first values, and the number of the others.
fn words<T: ToString>(values: &[T], limit: usize) -> String {
    if values.is_empty() {
        return NONE.to_owned();
    }
    let mut words: Vec<_> = values.iter().take(limit).map(T::to_string).collect();
    if values.len() > limit {
        words.push(format!("and {} more", values.len() - limit));
    }
    words.join(" ")
}

/// Checks a prefix or an address, which the process gets as it is.
fn parse_prefix(text: &str) -> Result<String, String> {
    if text.parse::<IpNet>().is_err() && text.parse::<IpAddr>().is_err() {
        return Err("expected a prefix or an address, such as 172.22.35.64/26".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses the name of a Service.
fn parse_service(text: &str) -> Result<String, String> {
    let (namespace, name) = text.split_once('/').unwrap_or(("default", text));
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        return Err("expected NAMESPACE/NAME, or NAME in the namespace default".to_owned());
    }
    Ok(format!("{namespace}/{name}"))
}

const NONE: &str = "-";
/// The Services of a route that the narrow table shows.
const MAX_SERVICES: usize = 3;
/// The members of an aggregate that the narrow table shows.
const MAX_MEMBERS: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::view::shown;

    fn route(prefix: &str, changes: Value) -> Route {
        let mut route = json!({
            "prefix": prefix, "path_id": 0, "state": "sent", "state_text": "the peer has it",
            "age_seconds": 97_200, "next_hop": "172.22.35.25", "origin": "IGP", "as_path": "64636",
            "communities": [], "large_communities": [], "extended_communities": [],
            "other_attributes": [], "services": ["web/web"], "members": [],
        });
        for (key, value) in changes.as_object().unwrap() {
            route[key] = value.clone();
        }
        serde_json::from_value(route).unwrap()
    }

    fn routes() -> Vec<Route> {
        vec![
            route("172.22.35.64/32", json!({})),
            route(
                "172.22.35.70/32",
                json!({
                    "local_pref": 100, "med": 7, "as_path": "", "path_id": 2, "state": "pending",
                    "state_text": "it waits for the peer to read", "age_seconds": 3,
                    "communities": ["64636:100", "graceful-shutdown"],
                    "large_communities": ["64636:1:2"], "extended_communities": ["bw:64636:125000"],
                    "other_attributes": ["AIGP 10"], "services": ["mail/smtp"],
                }),
            ),
            route(
                "200.1.154.64/26",
                json!({
                    "services": ["a/a", "b/b", "c/c", "d/d", "e/e"],
                    "members": ["200.1.154.65", "200.1.154.66"],
                }),
            ),
            route(
                "fd00:22:35::70/128",
                json!({
                    "state": "unsendable", "next_hop": null, "age_seconds": null,
                    "state_text": "the session has no IPv6: the router did not offer ipv6-unicast",
                }),
            ),
        ]
    }

    fn text(format: ViewFormat, parts: &[&[Route]]) -> String {
        let mut widths = Vec::new();
        shown(format, |out, look| {
            parts.iter().try_for_each(|part| write_part(out, look, part, &mut widths))
        })
    }

    #[test]
    fn attributes_members_and_reasons_are_below_each_route() {
        insta::assert_snapshot!(text(ViewFormat::Text, &[&routes()]), @r"
    PREFIX                  NEXT HOP      STATE       AGE    SERVICES
    172.22.35.64/32         172.22.35.25  sent        1d 3h  web/web
      AS path 64636, origin IGP
    172.22.35.70/32 path 2  172.22.35.25  pending     3s     mail/smtp
      it waits for the peer to read
      AS path empty, origin IGP, local pref 100, MED 7, communities 64636:100
        graceful-shutdown large:64636:1:2 bw:64636:125000, AIGP 10
    200.1.154.64/26         172.22.35.25  sent        1d 3h  a/a b/b c/c and 2
                                                             more
      AS path 64636, origin IGP
      covers 200.1.154.65 200.1.154.66
    fd00:22:35::70/128      -             unsendable  -      web/web
      the session has no IPv6: the router did not offer ipv6-unicast
      AS path 64636, origin IGP
    ");
    }

    #[test]
    fn the_wide_table_has_a_column_for_each_attribute() {
        insta::assert_snapshot!(text(ViewFormat::Wide, &[&routes()]), @r"
    PREFIX                  NEXT HOP      STATE       AGE    ORIGIN  AS PATH  LOCAL PREF  MED  COMMUNITIES                                                  OTHER ATTRIBUTES  SERVICES             MEMBERS                    REASON
    172.22.35.64/32         172.22.35.25  sent        1d 3h  IGP     64636    -           -    -                                                            -                 web/web              -                          -
    172.22.35.70/32 path 2  172.22.35.25  pending     3s     IGP     -        100         7    64636:100 graceful-shutdown large:64636:1:2 bw:64636:125000  AIGP 10           mail/smtp            -                          it waits for the peer to read
    200.1.154.64/26         172.22.35.25  sent        1d 3h  IGP     64636    -           -    -                                                            -                 a/a b/b c/c d/d e/e  200.1.154.65 200.1.154.66  -
    fd00:22:35::70/128      -             unsendable  -      IGP     64636    -           -    -                                                            -                 web/web              -                          the session has no IPv6: the router did not offer ipv6-unicast
    ");
    }

    #[test]
    fn the_columns_of_a_later_page_are_not_narrower_and_have_no_headings() {
        let routes = routes();
        let whole = text(ViewFormat::Wide, &[&routes]);
        assert_eq!(text(ViewFormat::Wide, &[&routes, &routes[..1]]).lines().count(), 6);
        let parts = text(ViewFormat::Wide, &[&routes, &[], &routes[..1]]);
        assert!(parts.starts_with(&whole), "{parts}");
        assert_eq!(parts.lines().last(), whole.lines().nth(1), "{parts}");
    }

    #[test]
    fn a_service_without_a_namespace_is_in_the_default_one() {
        assert_eq!(parse_service("smtp").as_deref(), Ok("default/smtp"));
        assert_eq!(parse_service("mail/smtp").as_deref(), Ok("mail/smtp"));
        for wrong in ["", "/a", "a/", "a/b/c"] {
            assert!(parse_service(wrong).is_err(), "{wrong}");
        }
    }
}
