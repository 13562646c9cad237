//! Tables for people.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

use super::{Picture, RouteRow};

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

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// Writes the picture as tables; of one that has been shown `before`, only the tables that are
/// others now.
///
/// # Errors
///
/// Those of the writer.
pub fn write_text(
    out: &mut dyn Write,
    picture: &Picture,
    before: Option<&Picture>,
    style: Style,
) -> io::Result<()> {
    let is_new = |same: fn(&Picture, &Picture) -> bool| before.is_none_or(|it| !same(it, picture));
    if is_new(|a, b| a.sessions == b.sessions) {
        sessions(picture).write(out, style)?;
    }
    if is_new(|a, b| a.services == b.services) {
        services(picture).write(out, style)?;
    }
    if is_new(|a, b| a.routes == b.routes) {
        all_routes(out, picture, style)?;
    }
    if is_new(|a, b| a.withheld == b.withheld) && !picture.withheld.is_empty() {
        withheld(picture).write(out, style)?;
    }
    let known = before.map_or(&[][..], |before| &before.notes);
    for note in picture.notes.iter().filter(|note| !known.contains(note)) {
        writeln!(out, "{} {note}", style.paint(BOLD, "note:"))?;
    }
    Ok(())
}

fn all_routes(out: &mut dyn Write, picture: &Picture, style: Style) -> io::Result<()> {
    let mut routers: Vec<_> = picture.routes.iter().map(|route| &route.router).collect();
    routers.dedup();
    if routers.is_empty() {
        routes(None, &[]).write(out, style)?;
    }
    for router in routers {
        let rows: Vec<_> = picture.routes.iter().filter(|route| &route.router == router).collect();
        routes(router.as_deref(), &rows).write(out, style)?;
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
    let mut headings = vec!["PREFIX", "NEXT HOP", "NODE", "AS PATH", "COMMUNITIES"];
    let with_local_pref = rows.iter().any(|row| row.local_pref.is_some());
    if with_local_pref {
        headings.insert(4, "LOCAL PREF");
    }
    let mut table = Table::new(title, &headings);
    for row in rows {
        for (position, next_hop) in row.next_hops.iter().enumerate() {
            let node = row.nodes.get(position).map_or("", String::as_str);
            let mut cells = vec![plain(""), plain(next_hop), plain(node)];
            // What all paths have in common stands once.
            if position == 0 {
                cells[0] = plain(row.prefix);
                cells.push(plain(words(&row.as_path)));
                if with_local_pref {
                    cells.push(plain(words(row.local_pref)));
                }
                cells.push(plain(words(&row.communities)));
            }
            table.rows.push(cells);
        }
    }
    table
}

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

/// A titled table with aligned columns.
struct Table {
    title: Cow<'static, str>,
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

struct Cell {
    text: String,
    /// The parameters of an SGR sequence, or nothing.
    colour: &'static str,
}

impl Table {
    fn new(title: impl Into<Cow<'static, str>>, headings: &[&'static str]) -> Self {
        Self { title: title.into(), headings: headings.to_vec(), rows: Vec::new() }
    }

    fn write(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        writeln!(out, "{}", style.paint(BOLD, &self.title))?;
        if self.rows.is_empty() {
            writeln!(out, "  none")?;
            return writeln!(out);
        }
        let headings: Vec<_> = self
            .headings
            .iter()
            .map(|text| Cell { text: (*text).to_owned(), colour: DIM })
            .collect();
        let widths: Vec<_> = (0..headings.len()).map(|column| self.width(column)).collect();
        for row in [&headings].into_iter().chain(&self.rows) {
            write_row(out, row, &widths, style)?;
        }
        writeln!(out)
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.text.chars().count()).max();
        let heading = self.headings.get(column).map_or(0, |text| text.chars().count());
        heading.max(widest.unwrap_or(0))
    }
}

fn write_row(out: &mut dyn Write, row: &[Cell], widths: &[usize], style: Style) -> io::Result<()> {
    let mut line = String::new();
    for (column, cell) in row.iter().enumerate() {
        line.push_str("  ");
        if cell.colour.is_empty() {
            line.push_str(&cell.text);
        } else {
            line.push_str(&style.paint(cell.colour, &cell.text));
        }
        if column + 1 < row.len() {
            let width = widths.get(column).copied().unwrap_or(0);
            let missing = width.saturating_sub(cell.text.chars().count());
            line.extend(std::iter::repeat_n(' ', missing));
        }
    }
    writeln!(out, "{}", line.trim_end())
}

fn plain(text: impl Display) -> Cell {
    Cell { text: text.to_string(), colour: "" }
}

/// Values with blanks between them.
fn words<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let words: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    if words.is_empty() { NONE.to_owned() } else { words.join(" ") }
}

const NONE: &str = "-";
const BOLD: &str = "1";
const DIM: &str = "2";
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
        };
        let route = |prefix: &str, nodes: &[(&str, &str)]| RouteRow {
            router: None,
            prefix: prefix.parse().unwrap(),
            next_hops: nodes.iter().map(|(_, address)| address.parse().unwrap()).collect(),
            as_path: vec![64636],
            local_pref: None,
            communities: Vec::new(),
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
        write_text(&mut out, picture, None, style).unwrap();
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
        write_text(&mut out, &now, Some(&before), Style::Plain).unwrap();
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
