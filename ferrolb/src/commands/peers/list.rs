//! The table of all peers.

use std::io::{self, Write};

use ferrolb_api::{Failure, Peer, Timestamp};

use super::{asn, bfd_state, state, state_age};
use crate::output::{DIM, Look, RED, Table, ViewFormat, ago, coloured, counted, plain};

/// Writes the table. In the format for a narrow screen, the errors are below the rows.
pub(super) fn write(
    out: &mut dyn Write,
    look: Look,
    peers: &[Peer],
    now: Timestamp,
) -> io::Result<()> {
    let is_wide = look.format == ViewFormat::Wide;
    let mut headings =
        vec!["NODE", "PEER", "AS", "STATE", "UP/DOWN", "SENT", "RCVD", "FLAPS", "BFD"];
    if is_wide {
        headings.extend(["ENDPOINT", "LOCAL AS", "FAMILIES", "UNSENDABLE", "LAST ERROR"]);
    }

    let mut table = Table::new("Peers", &headings);
    for peer in peers {
        let prefixes = peer.prefixes;
        let mut cells = vec![
            plain(&peer.node),
            plain(&peer.name),
            plain(asn(peer)),
            state(peer),
            plain(state_age(peer)),
            plain(format!("{}/{}", prefixes.sent, prefixes.planned)),
            plain(peer.received),
            plain(peer.flaps),
            bfd_state(peer),
        ];
        let last_error = peer.last_error.as_ref();
        if is_wide {
            let families = peer.families.join(" ");
            cells.push(plain(&peer.endpoint));
            cells.push(plain(peer.local_asn));
            cells.push(plain(if families.is_empty() { "-" } else { &families }));
            cells.push(plain(prefixes.unsendable));
            cells.push(plain(last_error.map_or_else(|| "-".to_owned(), |it| error(it, now))));
        }
        table.row(cells);
        if !is_wide {
            add_notes(&mut table, peer, now);
        }
    }
    if !is_wide {
        table.drop_columns_to_fit(look.width, &["RCVD", "AS", "FLAPS"]);
    }
    table.write_last(out, look.style, look.width)
}

fn add_notes(table: &mut Table, peer: &Peer, now: Timestamp) {
    let is_down = peer.state != super::ESTABLISHED;
    if let Some(last) = &peer.last_error {
        let colour = if is_down { RED } else { DIM };
        table.note(coloured(format!("last error: {}", error(last, now)), colour));
        if let Some(hint) = last.hint.as_ref().filter(|_| is_down) {
            table.note(plain(format!("to fix it: {hint}")));
        }
    }
    if let Some(reason) = peer.bfd.as_ref().and_then(|bfd| bfd.reason.as_ref()) {
        table.note(plain(format!("BFD: {reason}")));
    }
    if peer.prefixes.unsendable > 0 {
        table.note(plain(format!(
            "{} cannot be sent: see ferrolb routes --peer {}",
            counted(peer.prefixes.unsendable, "prefix", "prefixes"),
            peer.name
        )));
    }
}

/// Returns an error with its age.
pub(super) fn error(failure: &Failure, now: Timestamp) -> String {
    match failure.at {
        Some(at) => format!("{}, {}", failure.text, ago(at, now)),
        None => failure.text.clone(),
    }
}
