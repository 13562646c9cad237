//! An explanation as text.

use std::io::{self, Write};

use super::groups::groups;
use super::{Explanation, GateExplanation, NodeExplanation, PeerExplanation};

/// The nodes whose gates are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "nodes are written together or apart")]
pub enum TextForm {
    /// The nodes with the same outcome together. If all nodes have the same outcome, only the gates that failed.
    Grouped,
    /// Every node with all gates.
    EveryNode,
}

/// Writes an explanation: the summary, and the gates up to the first that fails, with the way to fix it.
///
/// # Errors
///
/// Those of the writer.
pub fn write_text(
    out: &mut dyn Write,
    explanation: &Explanation,
    form: TextForm,
) -> io::Result<()> {
    let Explanation { service, addresses, pool, invalid_annotations, nodes } = explanation;
    let addresses = match addresses.as_slice() {
        [] => "no address".to_owned(),
        addresses => addresses.join(" and "),
    };
    let pool = match pool {
        Some(pool) => format!(" of pool {pool:?}"),
        None => String::new(),
    };
    writeln!(out, "Service {service}: {addresses}{pool}")?;
    writeln!(out, "{}", explanation.summary())?;
    for invalid in invalid_annotations {
        writeln!(out, "  ignored: {invalid}")?;
    }

    match form {
        TextForm::Grouped => write_groups(out, nodes),
        TextForm::EveryNode => {
            for node in nodes {
                let NodeExplanation { node: name, announced, gates, peers } = node;
                write_nodes(out, name, *announced, gates, peers)?;
            }
            Ok(())
        }
    }
}

fn write_groups(out: &mut dyn Write, nodes: &[NodeExplanation]) -> io::Result<()> {
    let groups = groups(nodes);
    let are_all_alike = groups.len() == 1 && nodes.len() > 1;
    for group in &groups {
        let mut gates = group.gates();
        if are_all_alike {
            gates.retain(|gate| gate.passed == Some(false));
        }
        write_nodes(out, &group.names(), group.is_announced(), &gates, &group.peers())?;
    }
    Ok(())
}

fn write_nodes(
    out: &mut dyn Write,
    names: &str,
    is_announced: bool,
    gates: &[GateExplanation],
    peers: &[PeerExplanation],
) -> io::Result<()> {
    let announced = if is_announced { "announced" } else { "not announced" };
    writeln!(out, "\n{names}: {announced}")?;
    for gate in gates {
        write_gate(out, "", gate)?;
    }

    for peer in peers {
        writeln!(out, "  to {}", peer.peer)?;
        for gate in &peer.gates {
            write_gate(out, "  ", gate)?;
        }
    }
    Ok(())
}

fn write_gate(out: &mut dyn Write, indent: &str, gate: &GateExplanation) -> io::Result<()> {
    let GateExplanation { gate, passed, found, hint, .. } = gate;
    let mark = match passed {
        Some(true) => "ok",
        Some(false) => "FAIL",
        None => "-",
    };

    let line = format!("{indent}  {gate:<14}{mark:<6}{found}");
    writeln!(out, "{}", line.trim_end())?;
    if let Some(hint) = hint {
        writeln!(out, "{indent}  {:<20}to fix it: {hint}", "")?;
    }
    Ok(())
}

/// Returns the indentation for the rest of a line that does not fit a terminal: the column of the findings for a gate, and
/// otherwise a little more than the line's own.
pub fn indent_of(line: &str) -> usize {
    let start = line.chars().take_while(|c| *c == ' ').count();
    let is_gate = matches!(start, 2 | 4) && has_mark(line, start + 14);
    if is_gate { start + 20 } else { start + 2 }
}

fn has_mark(line: &str, column: usize) -> bool {
    let rest = line.get(column..).unwrap_or_default();
    ["ok ", "FAIL ", "- "].iter().any(|mark| rest.starts_with(mark))
}
