//! An explanation for people.

use std::io::{self, Write};

use super::{Explanation, GateExplained, NodeExplained};

/// Writes an explanation: for each node the conditions up to the first that fails, and what would
/// mend it.
///
/// # Errors
///
/// Those of the writer.
pub fn write_text(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    let Explanation { service, addresses, pool, complaints, nodes } = explanation;
    let addresses = match addresses.as_slice() {
        [] => "no address".to_owned(),
        addresses => addresses.join(" and "),
    };
    let pool = pool.as_ref().map(|pool| format!(" of pool {pool:?}")).unwrap_or_default();
    writeln!(out, "Service {service}: {addresses}{pool}")?;
    for complaint in complaints {
        writeln!(out, "  without effect: {complaint}")?;
    }
    if nodes.is_empty() {
        writeln!(out, "  there is no Node, so nothing is announced")?;
    }
    nodes.iter().try_for_each(|node| write_node(out, node))
}

fn write_node(out: &mut dyn Write, node: &NodeExplained) -> io::Result<()> {
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

/// Returns the indentation with which a line goes on that does not fit a terminal: the column of what gates found, or a
/// little more than the line's own.
pub fn indent_of(line: &str) -> usize {
    let start = line.chars().take_while(|it| *it == ' ').count();
    let is_gate = |line: &str| {
        let marks = ["ok ", "FAIL ", "- "];
        let rest = line.get(start + 14..).unwrap_or_default();
        marks.iter().any(|mark| rest.starts_with(mark))
    };
    match start {
        2 | 4 if is_gate(line) => start + 20,
        _ => start + 2,
    }
}

fn write_gate(out: &mut dyn Write, indent: &str, gate: &GateExplained) -> io::Result<()> {
    let GateExplained { gate, passed, found, mend } = gate;
    let mark = match passed {
        Some(true) => "ok",
        Some(false) => "FAIL",
        None => "-",
    };
    let line = format!("{indent}  {gate:<14}{mark:<6}{found}");
    writeln!(out, "{}", line.trim_end())?;
    match mend {
        Some(mend) => writeln!(out, "{indent}  {:<20}to mend: {mend}", ""),
        None => Ok(()),
    }
}
