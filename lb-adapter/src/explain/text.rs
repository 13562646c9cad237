//! An explanation as text.

use std::io::{self, Write};

use super::{Explanation, GateExplanation, NodeExplanation};

/// Writes an explanation: for each node the gates up to the first that fails, and how to fix it.
///
/// # Errors
///
/// Those of the writer.
pub fn write_text(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
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
    for invalid in invalid_annotations {
        writeln!(out, "  ignored: {invalid}")?;
    }

    if nodes.is_empty() {
        writeln!(out, "  there is no Node, so nothing is announced")?;
    }
    for node in nodes {
        write_node(out, node)?;
    }
    Ok(())
}

fn write_node(out: &mut dyn Write, node: &NodeExplanation) -> io::Result<()> {
    let announced = if node.announced { "announced" } else { "not announced" };
    writeln!(out, "\n{}: {announced}", node.node)?;
    for gate in &node.gates {
        write_gate(out, "", gate)?;
    }

    for peer in &node.peers {
        writeln!(out, "  to {}", peer.peer)?;
        for gate in &peer.gates {
            write_gate(out, "  ", gate)?;
        }
    }
    Ok(())
}

fn write_gate(out: &mut dyn Write, indent: &str, gate: &GateExplanation) -> io::Result<()> {
    let GateExplanation { gate, passed, found, hint } = gate;
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
