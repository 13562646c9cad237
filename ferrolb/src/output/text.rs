//! Tables for people.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

use super::fold::fold;
use super::table::{Cell, Table, plain};
use super::{Picture, RouteRow, next_hop_text};

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is or it is not")]
pub enum Style {
    /// Text alone.
    #[default]
    Plain,
    /// With the escape sequences of terminals.
    Coloured,
}

impl Style {
    /// For stdout: colours on a terminal that has them, unless `NO_COLOR` is set to something.
    pub fn of_stdout() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        match io::stdout().is_terminal() && !set("NO_COLOR") && !dumb {
            true => Self::Coloured,
            false => Self::Plain,
        }
    }

    pub(super) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// Writes the picture as tables; if another was shown `before`, only the tables that have changed. If there is a `width`,
/// no line is longer, unless a single word is.
///
/// # Errors
///
/// Those of the writer.
pub fn write_text(
    out: &mut dyn Write,
    picture: &Picture,
    before: Option<&Picture>,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    let is_new = |same: fn(&Picture, &Picture) -> bool| before.is_none_or(|it| !same(it, picture));
    if is_new(|a, b| a.sessions == b.sessions) {
        sessions(picture).write(out, style, width)?;
    }
    if is_new(|a, b| a.services == b.services) {
        services(picture).write(out, style, width)?;
    }
    if is_new(|a, b| a.routes == b.routes) {
        all_routes(out, picture, style, width)?;
    }
    if is_new(|a, b| a.withheld == b.withheld) && !picture.withheld.is_empty() {
        withheld(picture).write(out, style, width)?;
    }

    let known = before.map_or(&[][..], |before| &before.notes);
    for note in picture.notes.iter().filter(|note| !known.contains(note)) {
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

fn all_routes(
    out: &mut dyn Write,
    picture: &Picture,
    style: Style,
    width: Option<usize>,
) -> io::Result<()> {
    let mut routers: Vec<_> = picture.routes.iter().map(|route| &route.router).collect();
    routers.dedup();
    if routers.is_empty() {
        routes(None, &[]).write(out, style, width)?;
    }
    for router in routers {
        let rows: Vec<_> = picture.routes.iter().filter(|route| &route.router == router).collect();
        routes(router.as_deref(), &rows).write(out, style, width)?;
    }
    Ok(())
}

fn sessions(picture: &Picture) -> Table {
    let mut table = Table::new("Sessions", &["NODE", "PEER", "STATE"]);
    for row in &picture.sessions {
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

fn services(picture: &Picture) -> Table {
    let mut table = Table::new("Services", &["NAMESPACE", "NAME", "POOL", "ADDRESS"]);
    for row in &picture.services {
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
    // A value that no path has needs no column.
    let optional: Vec<_> = OPTIONAL
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
            // What all paths have in common stands once.
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

/// The communities of all kinds, as the configuration writes them.
fn communities(row: &RouteRow) -> impl Iterator<Item = String> {
    let large = row.large_communities.iter().map(|it| format!("large:{it}"));
    row.communities.iter().cloned().chain(large).chain(row.extended_communities.iter().cloned())
}

/// Returns a value of a path, if it has one.
type Value = fn(&RouteRow) -> Option<String>;

/// The columns that are there only where a path has such a value.
const OPTIONAL: [(&str, Value); 3] = [
    ("LOCAL PREF", |row| row.local_pref.map(|it| it.to_string())),
    ("MED", |row| row.med.map(|it| it.to_string())),
    ("ORIGIN", |row| row.origin.clone()),
];

fn withheld(picture: &Picture) -> Table {
    let mut table = Table::new("Not announced", &["SERVICE", "BY", "BECAUSE"]);
    for row in &picture.withheld {
        let nodes = match row.nodes.is_empty() {
            true => "any node".to_owned(),
            false => row.nodes.join(", "),
        };
        table.rows.push([&row.service, &nodes, &row.reason].map(plain).into());
    }
    table
}

/// Values with blanks between them.
fn words<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    if words.is_empty() { NONE.to_owned() } else { words.join(" ") }
}

const NONE: &str = "-";
const NOTE: &str = "note:";
pub(super) const BOLD: &str = "1";
pub(super) const DIM: &str = "2";
const GREEN: &str = "32";
const YELLOW: &str = "33";

#[cfg(test)]
mod tests {
    use super::super::{ServiceRow, SessionRow, WithheldRow};
    use super::*;

    fn picture() -> Picture {
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
        Picture {
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

    fn written(picture: &Picture, style: Style) -> String {
        let mut out = Vec::new();
        write_text(&mut out, picture, None, style, None).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_what_paths_share_stands_once() {
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
        assert_eq!(written(&picture(), Style::Plain), expected);
    }

    /// A picture with long lines in every part.
    fn wide() -> Picture {
        let mut wide = picture();
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
    fn no_line_is_longer_than_the_terminal_is_wide_and_no_word_is_broken() {
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
    fn what_a_path_carries_beyond_its_communities_has_columns_of_its_own() {
        let text = written(&wide(), Style::Plain);
        let header = text.lines().find(|line| line.contains("NEXT HOP")).unwrap();
        let headings = "AS PATH  LOCAL PREF  MED  COMMUNITIES";
        assert!(header.ends_with(headings), "{text}");
        assert!(text.contains("64636:8 large:64636:1:2 bw:64636:125000000\n"), "{text}");
    }

    #[test]
    fn colours_change_no_column() {
        let coloured = written(&picture(), Style::Coloured);
        assert!(coloured.contains("\x1b[32mEstablished\x1b[0m"), "{coloured:?}");
        let mut plain = coloured;
        for code in [BOLD, DIM, GREEN, YELLOW, "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, written(&picture(), Style::Plain));
    }

    #[test]
    fn what_was_shown_before_is_not_shown_again() {
        let (before, mut now) = (picture(), picture());
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
    fn an_empty_cluster_says_so() {
        let text = written(&Picture::default(), Style::Plain);
        assert_eq!(
            text,
            "Sessions\n  none\n\nServices\n  none\n\nRoutes at the router\n  none\n\n"
        );
    }
}
