//! `ferrolb events`: what happened in a process, and what happens.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use ferrolb_api::{Event, Severity, Status, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::view::{failure, on_stdout};
use crate::Failure;
use crate::client::{Client, StreamItem};
use crate::input::{InClusterArgs, NodeArgs, PlaceArgs};
use crate::output::{DIM, Look, Page, Problems, RED, ViewFormat, YELLOW, fold};

/// Arguments of `ferrolb events`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct EventsArgs {
    /// Go on with new events as they happen, until Ctrl-C.
    #[arg(long, short)]
    pub follow: bool,
    /// Only events after the one with this number; 0 for all that are kept. Default: all that are kept.
    #[arg(long, value_name = "ID")]
    pub since: Option<u64>,
    /// The node.
    #[command(flatten)]
    pub node: NodeArgs,
    /// `wide` adds the number and the kind of each event. `json` prints one event a line, as the process sends it.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: ViewFormat,
    /// The process to ask.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The cluster to ask instead.
    #[command(flatten)]
    pub cluster: InClusterArgs,
}

/// A page of events that keeps each of them as the process sent it.
#[derive(Deserialize)]
struct RawPage {
    events: Vec<Box<RawValue>>,
    missed: u64,
}

/// Shows the events of a process.
///
/// # Errors
///
/// The process does not answer. With `--follow`, only if it does not at the start.
pub async fn run(args: &EventsArgs, problems: Problems) -> Result<(), Failure> {
    if args.follow && args.cluster.is_given() {
        let error = "--follow: expected a process on this machine: the API server passes on single answers only";
        return Err(Failure::Unusable(error.to_owned()));
    }
    let found = args.cluster.find(&args.place, args.node.node.as_deref()).await?;
    on_stdout(&found, args.output, async |client: &Client, page: &mut Page<'_>| {
        if args.follow {
            return follow(client, page, args, problems).await;
        }

        let query = args.since.map(|since| format!("?since={since}")).unwrap_or_default();
        let path = format!("/v1/events{query}");
        let kept: RawPage = client.get(&path).await.map_err(failure)?;
        write_missed(page, kept.missed)?;
        for event in &kept.events {
            write_event(client, page, args, event.get())?;
        }
        Ok(())
    })
    .await
}

/// Shows the events as they happen, also after the connection or the process has been lost.
async fn follow(
    client: &Client,
    page: &mut Page<'_>,
    args: &EventsArgs,
    problems: Problems,
) -> Result<(), Failure> {
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut last = args.since;
    let mut process = started_at(client).await.map_err(failure)?;
    let mut is_lost = false;

    loop {
        let followed = tokio::select! {
            _ = &mut interrupted => return Ok(()),
            followed = follow_once(client, page, args, &mut last, &mut is_lost) => followed,
        };
        match followed {
            _ if page.is_closed() => return Ok(()),
            Ok(()) => {}
            Err(failure) if is_lost => drop(failure),
            Err(failure) => {
                let message = failure.message().unwrap_or("the stream has ended");
                problems.warning(&format!("{message}; trying again"));
                is_lost = true;
            }
        }

        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            () = sleep(RETRY_AFTER) => {}
        }
        // A process that was started again counts from 1.
        if let Ok(started) = started_at(client).await
            && started != process
        {
            process = started;
            last = Some(0);
        }
    }
}

/// Shows the events of one stream until it ends.
async fn follow_once(
    client: &Client,
    page: &mut Page<'_>,
    args: &EventsArgs,
    last: &mut Option<u64>,
    is_lost: &mut bool,
) -> Result<(), Failure> {
    let mut stream = client.events(*last).await.map_err(failure)?;
    *is_lost = false;
    while let Some(item) = stream.next().await? {
        match item {
            StreamItem::Event(text) => *last = Some(write_event(client, page, args, &text)?),
            StreamItem::Missed(number) => write_missed(page, number)?,
        }
        page.write(|out, _| out.flush())?;
        if page.is_closed() {
            break;
        }
    }
    Ok(())
}

async fn started_at(client: &Client) -> Result<Timestamp, crate::client::ClientError> {
    Ok(client.get::<Status>("/v1/status").await?.started_at)
}

/// Writes an event, if it is of the wanted node. Returns its number.
fn write_event(
    client: &Client,
    page: &mut Page<'_>,
    args: &EventsArgs,
    text: &str,
) -> Result<u64, Failure> {
    let event: Event = client.parse("/v1/events", text.as_bytes())?;
    if event.node.as_deref().is_some_and(|node| !args.node.includes(node)) {
        return Ok(event.id);
    }

    match args.output {
        ViewFormat::Json => page.document(text.as_bytes())?,
        _ => page.write(|out, look| write(out, look, &event))?,
    }
    Ok(event.id)
}

fn write(out: &mut dyn Write, look: Look, event: &Event) -> io::Result<()> {
    let (severity, colour) = match event.severity {
        Severity::Info => ("info", ""),
        Severity::Warning => ("warning", YELLOW),
        _ => ("ERROR", RED),
    };
    let time = event.time.strftime("%Y-%m-%d %H:%M:%SZ");
    let subjects = [&event.node, &event.peer, &event.service, &event.prefix];
    let subjects: Vec<_> = subjects.into_iter().flatten().map(String::as_str).collect();
    let subject = if subjects.is_empty() { String::new() } else { subjects.join(" ") + ": " };
    let more = match look.format {
        ViewFormat::Wide => format!("{:>6}  {:<21}  ", event.id, kind_of(event)),
        _ => String::new(),
    };

    let line = format!("{time}  {severity:<7}  {more}{subject}{}", event.text);
    for line in fold(&line, look.width.unwrap_or(usize::MAX), CONTINUATION_INDENT) {
        writeln!(out, "{}", look.style.paint_if(colour, &line))?;
    }
    Ok(())
}

/// Returns the kind of an event, as the API names it.
fn kind_of(event: &Event) -> String {
    let kind = serde_json::to_value(event.kind).ok();
    kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().to_owned()
}

fn write_missed(page: &mut Page<'_>, missed: u64) -> Result<(), Failure> {
    if missed == 0 || page.look.format == ViewFormat::Json {
        return Ok(());
    }
    page.write(|out, look| {
        let text = format!(".. {missed} earlier events are no longer kept");
        writeln!(out, "{}", look.style.paint(DIM, &text))
    })
}

const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The column of the text.
const CONTINUATION_INDENT: usize = 31;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::view::shown;

    #[test]
    fn an_event_is_a_line_with_its_time_and_severity() {
        let event = |severity: &str, text: &str| -> Event {
            serde_json::from_value(json!({
                "id": 17, "time": "2026-11-30T15:00:00.25Z", "kind": "session_down",
                "severity": severity, "node": "kube1", "peer": "tor1", "text": text,
            }))
            .unwrap()
        };
        let text =
            "the session has ended: the router sent a NOTIFICATION, Cease: Administrative Reset";
        let events = [event("error", text), event("info", "the session is Established")];
        let all = |format| {
            shown(format, |out, look| events.iter().try_for_each(|event| write(out, look, event)))
        };
        insta::assert_snapshot!(all(ViewFormat::Text), @r"
    2026-11-30 15:00:00Z  ERROR    kube1 tor1: the session has ended: the router
                                   sent a NOTIFICATION, Cease: Administrative Reset
    2026-11-30 15:00:00Z  info     kube1 tor1: the session is Established
    ");
        insta::assert_snapshot!(all(ViewFormat::Wide), @r"
    2026-11-30 15:00:00Z  ERROR        17  session_down           kube1 tor1: the session has ended: the router sent a NOTIFICATION, Cease: Administrative Reset
    2026-11-30 15:00:00Z  info         17  session_down           kube1 tor1: the session is Established
    ");
    }
}
