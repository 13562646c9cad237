//! The tables of a cluster for people.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use super::cluster_view::{ClusterView, RouteRow, next_hop_text};
use super::fold::fold;
use super::style::{BOLD, GREEN, Style, YELLOW};
use super::table::{Cell, Table, plain};

/// Writes a view as tables. If `before` was written earlier, writes only the tables that have changed. No line is longer
/// than `width`, unless a single word is.
///
/// # Errors
///
/// The errors of the writer.
pub fn write_text(
    out: &mut dyn Write,
    view: &ClusterView,
    before: Option<&ClusterView>,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    if before.is_none_or(|before| before.sessions != view.sessions) {
        sessions(view).write(out, style, width)?;
    }
    if before.is_none_or(|before| before.services != view.services) {
        services(view).write(out, style, width)?;
    }
    if before.is_none_or(|before| before.routes != view.routes) {
        write_routes(out, view, style, width)?;
    }
    if before.is_none_or(|before| before.withheld != view.withheld) && !view.withheld.is_empty() {
        withheld(view).write(out, style, width)?;
    }

    let known = before.map_or(&[][..], |before| &before.notes);
    for note in view.notes.iter().filter(|note| !known.contains(note)) {
        write_note(out, note, style, width)?;
    }
    Ok(())
}

fn write_note(
    out: &mut dyn Write,
    note: &str,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    let line = format!("{NOTE} {note}");
    let lines = fold(&line, width.unwrap_or(usize::MAX), NOTE.len() + 1);
    for (number, line) in lines.iter().enumerate() {
        match line.strip_prefix(NOTE) {
            Some(rest) if number == 0 => writeln!(out, "{}{rest}", style.paint(BOLD, NOTE))?,
            _ => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

fn write_routes(
    out: &mut dyn Write,
    view: &ClusterView,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    let mut routers: Vec<_> = view.routes.iter().map(|route| &route.router).collect();
    routers.dedup();

    if routers.is_empty() {
        routes(None, &[]).write(out, style, width)?;
    }
    for router in routers {
        let rows: Vec<_> = view.routes.iter().filter(|route| &route.router == router).collect();
        routes(router.as_deref(), &rows).write(out, style, width)?;
    }
    Ok(())
}

fn sessions(view: &ClusterView) -> Table {
    let mut table = Table::new("Sessions", &["NODE", "PEER", "STATE"]);
    for row in &view.sessions {
        let colour = if row.is_established() { GREEN } else { YELLOW };
        let state = match &row.reason {
            Some(reason) => format!("{}: {reason}", row.state),
            None => row.state.clone(),
        };

        let cells = [plain(&row.node), plain(&row.peer), Cell { text: state, colour }];
        table.rows.push(cells.into());
    }
    table
}

fn services(view: &ClusterView) -> Table {
    let mut table = Table::new("Services", &["NAMESPACE", "NAME", "POOL", "ADDRESS"]);
    for row in &view.services {
        let pool = row.pool.as_deref().unwrap_or(NONE);
        let cells = [&row.namespace, &row.name, pool, &words(&row.addresses)].map(plain);
        table.rows.push(cells.into());
    }
    table
}

fn routes(router: Option<&str>, rows: &[&RouteRow]) -> Table {
    let title = match router {
        Some(router) => Cow::from(format!("Routes at {router}")),
        None => "Routes at the router".into(),
    };

    // A value that no path has gets no column.
    let optional: Vec<_> = OPTIONAL_COLUMNS
        .into_iter()
        .filter(|(_, value)| rows.iter().any(|row| value(row).is_some()))
        .collect();
    let mut headings = vec!["PREFIX", "NEXT HOP", "NODE", "AS PATH"];
    headings.extend(optional.iter().map(|(heading, _)| *heading));
    headings.push("COMMUNITIES");

    let mut table = Table::new(title, &headings);
    for row in rows {
        for (position, next_hop) in row.next_hops.iter().enumerate() {
            let node = row.nodes.get(position).map_or("", String::as_str);
            let mut cells = vec![plain(""), plain(next_hop_text(*next_hop)), plain(node)];
            // The paths share everything but next hop and node, which is written once.
            if position == 0 {
                cells[0] = plain(row.prefix);
                cells.push(plain(words(&row.as_path)));
                cells.extend(optional.iter().map(|(_, value)| plain(words(value(row)))));
                cells.push(plain(words(communities(row))));
            }
            table.rows.push(cells);
        }
    }
    table
}

/// Returns the communities of all kinds, as the configuration writes them.
fn communities(row: &RouteRow) -> impl Iterator<Item = String> {
    let large = row.large_communities.iter().map(|community| format!("large:{community}"));
    row.communities.iter().cloned().chain(large).chain(row.extended_communities.iter().cloned())
}

/// A function that returns a value of a path, if the path has it.
type OptionalValue = fn(&RouteRow) -> Option<String>;

/// The columns that a table has only if some path has such a value.
const OPTIONAL_COLUMNS: [(&str, OptionalValue); 3] = [
    ("LOCAL PREF", |row| row.local_pref.map(|value| value.to_string())),
    ("MED", |row| row.med.map(|value| value.to_string())),
    ("ORIGIN", |row| row.origin.clone()),
];

fn withheld(view: &ClusterView) -> Table {
    let mut table = Table::new("Not announced", &["SERVICE", "BY", "BECAUSE"]);
    for row in &view.withheld {
        let nodes = if row.nodes.is_empty() { "any node".to_owned() } else { row.nodes.join(", ") };
        table.rows.push([&row.service, &nodes, &row.reason].map(plain).into());
    }
    table
}

/// Returns the values with blanks between them.
fn words<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    if words.is_empty() { NONE.to_owned() } else { words.join(" ") }
}

const NONE: &str = "-";
const NOTE: &str = "note:";

#[cfg(test)]
mod tests {
    use super::super::cluster_view::{ServiceRow, SessionRow, WithheldRow};
    use super::super::style::DIM;
    use super::*;

    fn view() -> ClusterView {
        let session = |node: &str, state: &str, reason: Option<&str>| SessionRow {
            node: node.to_owned(),
            peer: "172.22.35.1".to_owned(),
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
            up: None,
        };
        let route = |prefix: &str, nodes: &[(&str, &str)]| RouteRow {
            router: None,
            prefix: prefix.parse().unwrap(),
            next_hops: nodes.iter().map(|(_, address)| address.parse().ok()).collect(),
            as_path: vec![64636],
            local_pref: None,
            origin: None,
            med: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            extended_communities: Vec::new(),
            nodes: nodes.iter().map(|(name, _)| name.to_string()).collect(),
        };
        ClusterView {
            sessions: vec![
                session("kube1", "Established", None),
                session("kube2", "Active", Some("the peer refused the TCP connection")),
            ],
            services: vec![ServiceRow {
                namespace: "default".to_owned(),
                name: "smtp".to_owned(),
                pool: Some("default".to_owned()),
                addresses: vec!["172.22.35.70".parse().unwrap()],
            }],
            routes: vec![
                route("172.22.35.64/32", &[("kube1", "172.22.35.25"), ("kube2", "172.22.35.26")]),
                route("172.22.35.70/32", &[("kube2", "172.22.35.26")]),
            ],
            withheld: vec![WithheldRow {
                service: "default/smtp".to_owned(),
                nodes: vec!["kube1".to_owned()],
                reason: "no ready endpoint is on kube1".to_owned(),
            }],
            notes: vec!["localpref 100 is not sent".to_owned()],
        }
    }

    fn written(view: &ClusterView, style: Style) -> String {
        let mut out = Vec::new();
        write_text(&mut out, view, None, style, None).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_shared_attributes_are_written_once() {
        let expected = "\
Sessions
  NODE   PEER         STATE
  kube1  172.22.35.1  Established
  kube2  172.22.35.1  Active: the peer refused the TCP connection

Services
  NAMESPACE  NAME  POOL     ADDRESS
  default    smtp  default  172.22.35.70

Routes at the router
  PREFIX           NEXT HOP      NODE   AS PATH  COMMUNITIES
  172.22.35.64/32  172.22.35.25  kube1  64636    -
                   172.22.35.26  kube2
  172.22.35.70/32  172.22.35.26  kube2  64636    -

Not announced
  SERVICE       BY     BECAUSE
  default/smtp  kube1  no ready endpoint is on kube1

note: localpref 100 is not sent
";
        assert_eq!(written(&view(), Style::Plain), expected);
    }

    /// A view with long lines in every table.
    fn wide() -> ClusterView {
        let mut wide = view();
        wide.sessions[1].reason =
            Some("the peer refused the TCP connection, as it has for a while by now".to_owned());
        for route in &mut wide.routes {
            route.local_pref = Some(100);
            route.med = Some(7);
            route.communities = (1..9).map(|it| format!("64636:{it}")).collect();
            route.large_communities = vec!["64636:1:2".to_owned()];
            route.extended_communities = vec!["bw:64636:125000000".to_owned()];
        }
        wide.withheld[0].reason = "externalTrafficPolicy is Local and no ready endpoint is on \
                                   kube1, only on kube2, kube3, kube4 and kube5"
            .to_owned();
        wide.notes
            .push("a note that is so long that it has to go on in the next line, too".repeat(2));
        wide
    }

    #[test]
    fn lines_fit_the_terminal_and_words_stay_whole() {
        let wide = wide();
        let written = |width: Option<usize>| {
            let mut out = Vec::new();
            write_text(&mut out, &wide, None, Style::Plain, width).unwrap();
            String::from_utf8(out).unwrap()
        };
        let words = |text: &str| {
            let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            words.sort();
            words
        };
        let whole = written(None);
        assert!(whole.lines().any(|line| line.chars().count() > 120), "{whole}");
        for width in [40, 60, 80, 100] {
            let folded = written(Some(width));
            let longest = folded.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(width), "{longest:?} at {width}:\n{folded}");
            assert_eq!(words(&folded), words(&whole), "{folded}");
        }
    }

    #[test]
    fn further_attributes_of_a_path_have_their_own_columns() {
        let text = written(&wide(), Style::Plain);
        let header = text.lines().find(|line| line.contains("NEXT HOP")).unwrap();
        let headings = "AS PATH  LOCAL PREF  MED  COMMUNITIES";
        assert!(header.ends_with(headings), "{text}");
        assert!(text.contains("64636:8 large:64636:1:2 bw:64636:125000000\n"), "{text}");
    }

    #[test]
    fn colours_change_no_column() {
        let coloured = written(&view(), Style::Coloured);
        assert!(coloured.contains("\x1b[32mEstablished\x1b[0m"), "{coloured:?}");
        let mut plain = coloured;
        for code in [BOLD, DIM, GREEN, YELLOW, "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, written(&view(), Style::Plain));
    }

    #[test]
    fn tables_that_have_not_changed_are_not_written_again() {
        let (before, mut now) = (view(), view());
        now.routes.pop();
        now.notes.push("something else".to_owned());
        let mut out = Vec::new();
        write_text(&mut out, &now, Some(&before), Style::Plain, None).unwrap();
        let expected = "\
Routes at the router
  PREFIX           NEXT HOP      NODE   AS PATH  COMMUNITIES
  172.22.35.64/32  172.22.35.25  kube1  64636    -
                   172.22.35.26  kube2

note: something else
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn the_tables_of_an_empty_cluster_say_none() {
        let text = written(&ClusterView::default(), Style::Plain);
        assert_eq!(
            text,
            "Sessions\n  none\n\nServices\n  none\n\nRoutes at the router\n  none\n\n"
        );
    }
}
