//! `ferrolb status --cluster`: all nodes of a cluster in one table, those with problems first.
//!
//! Owns the table. [`ferrolb_kubernetes::ClusterOverview`] reads the cluster.

use std::io::{self, Write};

use ferrolb_api::DrainStage;
use ferrolb_kubernetes::{ClusterOverview, NodeCondition, NodeReport, PendingService};

use super::view::repeat;
use crate::Failure;
use crate::input::{InClusterArgs, ViewArgs};
use crate::output::{
    BOLD, Cell, DIM, GREEN, Look, Page, RED, Table, ViewFormat, YELLOW, ago, coloured, counted,
    plain,
};

/// Shows all nodes of the cluster that the arguments name.
///
/// # Errors
///
/// The API server refuses the requests, no speaker has reported, or a node is not ready.
pub(super) async fn run(args: &ViewArgs) -> Result<(), Failure> {
    let InClusterArgs { api_server, namespace, .. } = &args.cluster;
    repeat(args, async |page: &mut Page<'_>| {
        let kubeconfig = api_server.kubeconfig.as_ref();
        show(page, &ClusterOverview::read(kubeconfig, namespace.as_deref()).await?)
    })
    .await
}

fn show(page: &mut Page<'_>, overview: &ClusterOverview) -> Result<(), Failure> {
    match page.look.format {
        ViewFormat::Json => {
            let document = serde_json::to_vec(overview).map_err(Failure::unusable)?;
            page.document(&document)?;
        }
        _ => page.write(|out, look| write(out, look, overview))?,
    }
    if overview.has_error() { Err(Failure::Unhealthy) } else { Ok(()) }
}

fn write(out: &mut dyn Write, look: Look, overview: &ClusterOverview) -> io::Result<()> {
    let title = format!("FerroLB in the namespace {}: {}", overview.namespace, summary(overview));
    writeln!(out, "{}\n", look.style.paint(BOLD, &title))?;
    nodes(overview, look).write_part(out, look.style, look.width, &mut Vec::new())?;

    if !overview.pending.is_empty() {
        writeln!(out, "\n{}", look.style.paint(BOLD, "Services without an address"))?;
        pending(overview, look).write_part(out, look.style, look.width, &mut Vec::new())?;
        let left_out = overview.pending.len().saturating_sub(most(look));
        if left_out > 0 {
            writeln!(out, "  and {left_out} more: see -o wide")?;
        }
    }
    Ok(())
}

/// Returns how many nodes there are, and how many of them have problems.
fn summary(overview: &ClusterOverview) -> String {
    let nodes = &overview.nodes;
    let of = |condition: NodeCondition| nodes.iter().filter(|it| it.condition == condition).count();
    let mut parts = vec![counted(nodes.len(), "node", "nodes")];
    for (condition, word) in [
        (NodeCondition::Silent, "silent"),
        (NodeCondition::NotReady, "not ready"),
        (NodeCondition::Degraded, "degraded"),
    ] {
        if of(condition) > 0 {
            parts.push(format!("{} {word}", of(condition)));
        }
    }
    if parts.len() == 1 {
        parts.push("all ready".to_owned());
    }
    parts.join(", ")
}

fn nodes(overview: &ClusterOverview, look: Look) -> Table {
    let is_wide = look.format == ViewFormat::Wide;
    let mut headings = vec!["NODE", "STATE", "SESSIONS", "BFD", "SERVICES", "DRAIN", "REPORTED"];
    if is_wide {
        headings.push("VERSION");
    }

    let mut table = Table::new("", &headings);
    for report in &overview.nodes {
        let node = &report.node;
        let reported = node.reported_at.map(|at| ago(at, overview.time));
        let mut cells = vec![
            plain(&node.name),
            state(report.condition),
            counts(report, &report.sessions),
            counts(report, &report.bfd),
            plain(node.services),
            drain(node.drain),
            plain(reported.unwrap_or_else(|| NONE.to_owned())),
        ];
        if is_wide {
            cells.push(plain(node.version.as_deref().unwrap_or(NONE)));
        }
        table.row(cells);
        add_problems(&mut table, report);
    }
    table
}

/// Adds the problems of a node below its row.
fn add_problems(table: &mut Table, report: &NodeReport) {
    if report.condition == NodeCondition::Ready {
        return;
    }
    let colour = if report.condition == NodeCondition::Degraded { YELLOW } else { RED };
    let texts = report.node.problems.iter().map(|problem| problem.text.as_str());
    let mut lines: Vec<_> = texts.flat_map(str::lines).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        lines.extend(report.problem.as_deref());
    }
    for line in lines {
        table.note(coloured(line, colour));
    }
}

fn pending(overview: &ClusterOverview, look: Look) -> Table {
    let mut table = Table::new("", &["NAMESPACE", "NAME"]);
    for service in overview.pending.iter().take(most(look)) {
        let PendingService { namespace, name, reason, .. } = service;
        table.row(vec![plain(namespace), plain(name)]);
        match reason {
            Some(reason) => table.note(plain(reason)),
            None => table.note(coloured("no controller has looked at it", DIM)),
        }
    }
    table
}

/// Returns the most Services to show.
fn most(look: Look) -> usize {
    if look.format == ViewFormat::Wide { usize::MAX } else { 20 }
}

fn state(condition: NodeCondition) -> Cell {
    match condition {
        NodeCondition::Ready => coloured("ready", GREEN),
        NodeCondition::Degraded => coloured("degraded", YELLOW),
        NodeCondition::NotReady => coloured("not ready", RED),
        NodeCondition::Silent => coloured("silent", RED),
        _ => plain("unknown"),
    }
}

/// Returns a count such as `2/3`. That of a silent speaker is of the past.
fn counts(report: &NodeReport, text: &str) -> Cell {
    let is_complete = text.split_once('/').is_none_or(|(up, expected)| up == expected);
    match report.condition {
        NodeCondition::Silent => coloured(format!("{text}?"), DIM),
        _ if is_complete => plain(text),
        _ => coloured(text, YELLOW),
    }
}

fn drain(stage: DrainStage) -> Cell {
    match stage {
        DrainStage::Serving => plain("no"),
        DrainStage::Marked => coloured("marked", YELLOW),
        DrainStage::Withdrawn => coloured("withdrawn", YELLOW),
        DrainStage::Drained => coloured("drained", YELLOW),
        _ => plain("unknown"),
    }
}

const NONE: &str = "-";
