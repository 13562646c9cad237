//! The table of the sessions of all nodes, as a controller knows them from the reports of the speakers.

use std::io::{self, Write};

use ferrolb_api::{DrainStage, Node, NodePeer, Timestamp};

use super::ESTABLISHED;
use crate::output::{
    Cell, DIM, GREEN, Look, RED, Table, ViewFormat, YELLOW, age, ago, coloured, plain,
};

/// Returns true if all sessions of these nodes are known and Established.
pub(super) fn are_established(nodes: &[Node]) -> bool {
    let is_up = |peer: &NodePeer| peer.state == ESTABLISHED;
    nodes.iter().all(|node| !node.silent && node.peers.iter().all(is_up))
}

/// Writes the table.
pub(super) fn write(
    out: &mut dyn Write,
    look: Look,
    nodes: &[Node],
    now: Timestamp,
) -> io::Result<()> {
    let is_wide = look.format == ViewFormat::Wide;
    let mut headings = vec!["NODE", "PEER", "STATE", "UP/DOWN", "PREFIXES", "BFD"];
    if is_wide {
        headings.extend(["ENDPOINT", "VERSION", "DRAIN", "REPORTED", "REASON"]);
    }

    let mut table = Table::new("Peers, as the nodes report them", &headings);
    for node in nodes {
        for peer in &node.peers {
            let mut cells = vec![
                plain(&node.name),
                plain(&peer.name),
                state(peer, node.silent),
                plain(peer.state_seconds.map_or_else(|| NONE.to_owned(), age)),
                plain(peer.prefixes),
                plain(peer.bfd.as_deref().unwrap_or(NONE)),
            ];
            if is_wide {
                let reported = node.reported_at.map_or_else(|| NONE.to_owned(), |at| ago(at, now));
                cells.extend([
                    plain(&peer.endpoint),
                    plain(node.version.as_deref().unwrap_or(NONE)),
                    plain(if node.drain == DrainStage::Serving { "no" } else { "yes" }),
                    plain(reported),
                    plain(peer.reason.as_deref().unwrap_or(NONE)),
                ]);
            }
            table.row(cells);
            if let Some(reason) = peer.reason.as_ref().filter(|_| !is_wide) {
                table.note(coloured(reason, RED));
            }
        }
        if node.peers.is_empty() {
            table.row([plain(&node.name), plain(NONE)]);
        }
        if node.silent {
            let since =
                node.reported_at.map(|at| format!(": the last report was {}", ago(at, now)));
            let since = since.unwrap_or_default();
            table.note(coloured(format!("the speaker does not report{since}"), RED));
        }
    }
    table.write_last(out, look.style, look.width)
}

fn state(peer: &NodePeer, is_silent: bool) -> Cell {
    match peer.state.as_str() {
        // What a silent speaker reported once is no news.
        other if is_silent => coloured(other, DIM),
        _ if peer.disabled => coloured("Disabled", YELLOW),
        ESTABLISHED => coloured(ESTABLISHED, GREEN),
        other => coloured(other, RED),
    }
}

const NONE: &str = "-";
