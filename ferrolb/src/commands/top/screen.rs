//! Draws the view.
//!
//! ```text
//! title, counts, problems
//! tabs
//! list, or the text that is open
//! keys, filter, or the reason why the process does not answer
//! ```
//!
//! Colours repeat what words say, so that nothing is lost without them.

use ferrolb_api::{DrainStage, Gate, ServiceExplanation, Severity, Status};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row as TableRow, Table, TableState, Wrap};

use super::answers::Opened;
use super::app::{App, Tab};
use super::rows::{Row, columns};
use crate::commands::{peers, status};
use crate::output::{self, Look, ViewFormat, age};

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let head = head(app, frame.area().height);
    let head_height = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let [top, tabs, body, foot] = Layout::vertical([
        Constraint::Length(head_height),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());

    frame.render_widget(Paragraph::new(head), top);
    frame.render_widget(Paragraph::new(tab_line(app)), tabs);
    match app.opened() {
        Some(opened) => draw_opened(frame, app, opened, body),
        None => draw_list(frame, app, body),
    }
    frame.render_widget(Paragraph::new(foot_line(app)), foot);
    if app.shows_keys {
        draw_keys(frame);
    }
}

/// Returns the lines about the whole process. On a low terminal only the first problems have room.
fn head(app: &App, height: u16) -> Vec<Line<'static>> {
    let Some(status) = &app.answers.status else { return Vec::new() };
    let node = status.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let uptime = status.time.duration_since(status.started_at).as_secs_f64();
    let program = status::name_of(status.program);
    let title = format!("FerroLB {} {program}{node}, up {}", status.version, age(uptime));
    let mut lines = vec![Line::styled(title, Modifier::BOLD), Line::raw(counts(status))];
    if status.drain.stage != DrainStage::Serving {
        let text = match status.drain.stage {
            DrainStage::Marked => "DRAINING: routes have GRACEFUL_SHUTDOWN",
            DrainStage::Withdrawn => "DRAINING: routes are withdrawn",
            _ => "DRAINED: sessions have ended",
        };
        lines.push(Line::styled(text, app.style(Severity::Warning)));
    }

    let room = usize::from(height / 4).max(1);
    for problem in status.problems.iter().take(room) {
        let text = format!("! {}: {}", problem.subject, problem.text);
        lines.push(Line::styled(text, app.style(problem.severity)));
    }
    let others = status.problems.len().saturating_sub(room);
    if others > 0 {
        lines.push(Line::raw(format!("! and {others} more: ferrolb status -o wide")));
    }
    lines
}

fn counts(status: &Status) -> String {
    let Status { peers, bfd, prefixes, services, .. } = status;
    let mut words = vec![
        format!("peers {}/{}", peers.established, peers.expected),
        format!("prefixes {}/{}", prefixes.sent, prefixes.planned),
        format!("Services {}", services.total),
    ];
    if bfd.expected > 0 {
        words.insert(1, format!("BFD {}/{}", bfd.up, bfd.expected));
    }
    if services.pending > 0 {
        words.push(format!("{} pending", services.pending));
    }
    if prefixes.unsendable > 0 {
        words.push(format!("{} unsendable", prefixes.unsendable));
    }
    words.join("   ")
}

fn tab_line(app: &App) -> Line<'static> {
    let mut spans = Vec::new();
    for (number, tab) in (1..).zip(Tab::ALL) {
        // Brackets show the tab where a terminal has no reversed text.
        let is_shown = tab == app.tab;
        let text = if is_shown {
            format!("[{number} {}]", tab.name())
        } else {
            format!(" {number} {} ", tab.name())
        };
        let modifier = if is_shown { Modifier::REVERSED } else { Modifier::empty() };
        spans.push(Span::styled(text, modifier));
    }
    Line::from(spans)
}

fn draw_list(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let rows = app.rows();
    let columns = columns(app.tab);
    let widths = widths(app.tab, &rows);

    let headings = columns.iter().map(|column| Cell::from(column.heading));
    let header = TableRow::new(headings).style(Modifier::BOLD);
    let lines = rows.iter().map(|row| {
        TableRow::new(row.cells.iter().map(|cell| Cell::from(cell.as_str())))
            .style(app.style(row.severity))
    });
    let table = Table::new(lines, widths)
        .header(header)
        .column_spacing(1)
        .highlight_symbol("> ")
        .row_highlight_style(Modifier::REVERSED);

    let mut state = TableState::new().with_selected((!rows.is_empty()).then_some(app.selected));
    frame.render_stateful_widget(table, area, &mut state);
    if rows.is_empty() && area.height > 1 {
        let below = Rect { y: area.y + 1, height: 1, ..area };
        frame.render_widget(Paragraph::new(empty_text(app)), below);
    }
}

fn empty_text(app: &App) -> &'static str {
    if !app.filter.is_empty() {
        return "  nothing matches the filter: Esc clears it";
    }
    if app.only_problems {
        return "  no problems here: p shows all";
    }
    "  none"
}

/// Returns the width of each column: no more than its cells need, and the rest for the last one.
fn widths(tab: Tab, rows: &[Row]) -> Vec<Constraint> {
    let columns = columns(tab);
    let last = columns.len().saturating_sub(1);
    let mut widths = Vec::with_capacity(columns.len());
    for (number, column) in columns.iter().enumerate() {
        if number == last {
            widths.push(Constraint::Fill(1));
            break;
        }
        let cells = rows.iter().filter_map(|row| row.cells.get(number));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        let longest = u16::try_from(longest.max(column.heading.len())).unwrap_or(u16::MAX);
        widths.push(Constraint::Length(longest.min(column.most)));
    }
    widths
}

fn draw_opened(frame: &mut Frame<'_>, app: &App, opened: &Opened, area: Rect) {
    let lines = match opened {
        Opened::Service(explanation) => service_lines(app, explanation),
        Opened::Peer(peer) => {
            let format = ViewFormat::Text;
            let width = Some(usize::from(area.width));
            let look = Look { format, style: output::Style::Plain, width };
            let now = app.answers.status.as_ref().map(|status| status.time).unwrap_or_default();
            let text = peers::detail_text(look, peer, now);
            text.lines().map(|line| Line::raw(line.to_owned())).collect()
        }
    };

    let last = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(1);
    let text = Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((app.scroll.min(last), 0));
    frame.render_widget(text, area);
}

/// Returns the path of a Service, gate by gate.
fn service_lines(app: &App, explanation: &ServiceExplanation) -> Vec<Line<'static>> {
    let title = format!("{}: {}", explanation.service, explanation.summary);
    let mut lines = vec![Line::styled(title, Modifier::BOLD)];
    if !explanation.addresses.is_empty() {
        let pool = explanation.pool.as_ref().map(|it| format!(" of pool {it}")).unwrap_or_default();
        lines.push(Line::raw(format!("{}{pool}", explanation.addresses.join(" "))));
    }
    for complaint in &explanation.complaints {
        lines.push(Line::styled(format!("! {complaint}"), app.style(Severity::Warning)));
    }

    for node in &explanation.nodes {
        lines.push(Line::raw(""));
        let outcome = if node.announced { "announces it" } else { "does not announce it" };
        lines.push(Line::styled(format!("{} {outcome}", node.node), Modifier::BOLD));
        lines.extend(node.gates.iter().flat_map(|gate| gate_lines(app, gate, 1)));
        for peer in &node.peers {
            lines.push(Line::raw(format!("  to {}", peer.peer)));
            lines.extend(peer.gates.iter().flat_map(|gate| gate_lines(app, gate, 2)));
            lines.extend(peer.routes.iter().map(|route| Line::raw(format!("    {route}"))));
        }
    }
    lines
}

fn gate_lines(app: &App, gate: &Gate, depth: usize) -> Vec<Line<'static>> {
    let indent = "  ".repeat(depth);
    let (mark, style) = match gate.passed {
        Some(true) => ("ok    ", Style::new()),
        Some(false) => ("CLOSED", app.style(Severity::Error)),
        None => ("-     ", Style::new()),
    };
    let text = format!("{indent}{mark} {:<13} {}", gate.gate, gate.found);
    let mut lines = vec![Line::styled(text, style)];
    if let Some(hint) = &gate.hint {
        lines.push(Line::raw(format!("{indent}       {:13} to fix it: {hint}", "")));
    }
    lines
}

fn foot_line(app: &App) -> Line<'static> {
    if let Some(reason) = &app.lost {
        let text = format!("the process does not answer: {reason}; trying again");
        return Line::styled(text, app.style(Severity::Error));
    }
    if app.is_typing {
        return Line::raw(format!("filter: {}_   Enter keeps it, Esc clears it", app.filter));
    }
    if app.opened().is_some() {
        return Line::raw("Esc back   j/k scroll   r routes of the peer   ? keys");
    }

    let mut words = Vec::new();
    if !app.filter.is_empty() {
        words.push(format!("filter \"{}\" (Esc clears)", app.filter));
    }
    if app.only_problems {
        words.push("only problems".to_owned());
    }
    if let (Tab::Routes, Some((node, peer))) = (app.tab, &app.answers.routes_of) {
        words.push(format!("routes of {peer} on {node}"));
    }
    if app.answers.is_cut {
        words.push("the first 2,000 only".to_owned());
    }
    words.push("q quit   Tab list   / filter   p problems   Enter open   ? keys".to_owned());
    Line::raw(words.join("   "))
}

fn draw_keys(frame: &mut Frame<'_>) {
    let area = frame.area();
    let width = area.width.min(58);
    let height = area.height.min(u16::try_from(KEYS.len()).unwrap_or(u16::MAX) + 2);
    let centred = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let lines: Vec<_> = KEYS.iter().map(|line| Line::raw(*line)).collect();
    frame.render_widget(Clear, centred);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("Keys")), centred);
}

const KEYS: [&str; 10] = [
    "1-6, Tab, Shift-Tab   choose a list",
    "j k, arrows           move; PageUp, PageDown, g, G too",
    "Enter                 explain a Service, or show a peer",
    "r                     the routes of a peer",
    "/                     filter; Esc clears it",
    "p                     only what has a problem",
    "Esc                   back",
    "q, Ctrl-C             quit",
    "",
    "any key closes this",
];

impl App {
    /// Returns the style of a severity.
    fn style(&self, severity: Severity) -> Style {
        if !self.is_coloured {
            return Style::new();
        }
        match severity {
            Severity::Info => Style::new(),
            Severity::Warning => Style::new().fg(Color::Yellow),
            _ => Style::new().fg(Color::Red),
        }
    }
}
