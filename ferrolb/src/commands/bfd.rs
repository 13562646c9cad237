//! `ferrolb bfd`: the BFD sessions of a process, and why some are down.

use std::io::{self, Write};

use clap::Args;
use ferrolb_api::{Bfd, BfdList, Timestamp};

use super::view::{failure, of_node, show};
use crate::Failure;
use crate::client::Client;
use crate::input::{NodeArgs, ViewArgs};
use crate::output::{GREEN, Look, Page, RED, Table, ViewFormat, age, ago, coloured, plain};

/// Arguments of `ferrolb bfd`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct BfdArgs {
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// The process, and the form of its answer.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Shows the BFD sessions of a process.
///
/// # Errors
///
/// The process does not answer, or a session is not Up.
pub async fn run(args: &BfdArgs) -> Result<(), Failure> {
    show(&args.view, args.node.node.as_deref(), async |client: &Client, page: &mut Page<'_>| {
        let octets = client.get_raw(PATH, MAX_SESSIONS).await.map_err(failure)?;
        let mut list: BfdList = client.parse(PATH, &octets)?;
        list.sessions.retain(|session| args.node.includes(&session.node));

        match page.look.format {
            ViewFormat::Json => {
                page.document(&of_node(client.parse(PATH, &octets)?, "sessions", &args.node))?;
            }
            _ => page.write(|out, look| write(out, look, &list.sessions, Timestamp::now()))?,
        }
        if list.sessions.iter().all(is_up) { Ok(()) } else { Err(Failure::Unhealthy) }
    })
    .await
}

fn is_up(session: &Bfd) -> bool {
    session.state == "Up"
}

fn write(out: &mut dyn Write, look: Look, sessions: &[Bfd], now: Timestamp) -> io::Result<()> {
    let is_wide = look.format == ViewFormat::Wide;
    let mut headings =
        vec!["NODE", "PEER", "STATE", "FOR", "REMOTE", "SEND", "RECEIVE", "DETECT", "LOST"];
    if is_wide {
        headings.extend([
            "UPS",
            "MULTIPLIERS",
            "DISCRIMINATORS",
            "SENT",
            "RECEIVED",
            "DISCARDED",
            "LAST LOST",
            "DIAGNOSTIC",
            "REMOTE DIAGNOSTIC",
            "REASON",
        ]);
    }

    let mut table = Table::new("BFD sessions", &headings);
    for session in sessions {
        let colour = if is_up(session) { GREEN } else { RED };
        let mut cells = vec![
            plain(&session.node),
            plain(&session.peer),
            coloured(&session.state, colour),
            plain(session.state_seconds.map_or_else(|| NONE.to_owned(), age)),
            plain(&session.remote_state),
            plain(format!("{}ms", session.transmit_interval_ms)),
            plain(format!("{}ms", session.receive_interval_ms)),
            plain(format!("{}ms", session.detection_time_ms)),
            plain(session.failures),
        ];
        if is_wide {
            let lost = session.last_down_at.map_or_else(|| NONE.to_owned(), |at| ago(at, now));
            cells.extend([
                plain(session.ups),
                plain(format!("{} {}", session.multiplier, session.remote_multiplier)),
                plain(format!("{} {}", session.discriminator, session.remote_discriminator)),
                plain(session.packets_sent),
                plain(session.packets_received),
                plain(session.packets_discarded),
                plain(lost),
                plain(&session.diagnostic),
                plain(&session.remote_diagnostic),
                plain(session.reason.as_deref().unwrap_or(NONE)),
            ]);
        }
        table.row(cells);
        if let Some(reason) = session.reason.as_ref().filter(|_| !is_wide) {
            table.note(coloured(reason, colour));
        }
    }
    if !is_wide {
        table.drop_columns_to_fit(look.width, &["RECEIVE", "SEND", "LOST"]);
    }
    table.write_last(out, look.style, look.width)
}

const PATH: &str = "/v1/bfd";
const MAX_SESSIONS: usize = 64 * 1024 * 1024;
const NONE: &str = "-";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::view::shown;

    #[test]
    fn the_reason_is_below_a_session_that_is_down() {
        let session = |peer: &str, state: &str, reason: Option<&str>| {
            json!({
                "node": "kube1", "peer": peer, "endpoint": "172.22.35.1:179", "state": state,
                "state_seconds": 97_200.0, "remote_state": state, "diagnostic": "No Diagnostic",
                "remote_diagnostic": "No Diagnostic", "reason": reason,
                "last_down_at": "2026-11-30T14:58:20Z",
                "transmit_interval_ms": 300, "receive_interval_ms": 300, "detection_time_ms": 900,
                "multiplier": 3, "remote_multiplier": 5, "discriminator": 7,
                "remote_discriminator": 9, "remote_is_independent": true, "packets_sent": 1204,
                "packets_received": 1203, "packets_discarded": 1, "ups": 2, "failures": 1,
            })
        };
        let list = json!({"sessions": [
            session("tor1", "Up", None),
            session("tor2", "Down", Some("no packet from the router has arrived yet")),
        ]});
        let list: BfdList = serde_json::from_value(list).unwrap();
        let now: Timestamp = "2026-11-30T15:00:00Z".parse().unwrap();
        let text = |format| shown(format, |out, look| write(out, look, &list.sessions, now));
        insta::assert_snapshot!(text(ViewFormat::Text), @r"
    BFD sessions
      NODE   PEER  STATE  FOR    REMOTE  SEND   RECEIVE  DETECT  LOST
      kube1  tor1  Up     1d 3h  Up      300ms  300ms    900ms   1
      kube1  tor2  Down   1d 3h  Down    300ms  300ms    900ms   1
        no packet from the router has arrived yet
    ");
        insta::assert_snapshot!(text(ViewFormat::Wide), @r"
    BFD sessions
      NODE   PEER  STATE  FOR    REMOTE  SEND   RECEIVE  DETECT  LOST  UPS  MULTIPLIERS  DISCRIMINATORS  SENT  RECEIVED  DISCARDED  LAST LOST   DIAGNOSTIC     REMOTE DIAGNOSTIC  REASON
      kube1  tor1  Up     1d 3h  Up      300ms  300ms    900ms   1     2    3 5          7 9             1204  1203      1          1m 40s ago  No Diagnostic  No Diagnostic      -
      kube1  tor2  Down   1d 3h  Down    300ms  300ms    900ms   1     2    3 5          7 9             1204  1203      1          1m 40s ago  No Diagnostic  No Diagnostic      no packet from the router has arrived yet
    ");
    }
}
