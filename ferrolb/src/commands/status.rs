//! `ferrolb status`: one screen about a process, problems first.

use std::io::{self, Write};

use clap::Args;
use ferrolb_api::{
    Configuration, ConfigurationState, Dataplane, Drain, DrainStage, Problem, Program, Severity,
    Status, Watch,
};

use super::view::{failure, show};
use crate::Failure;
use crate::client::Client;
use crate::input::{ClusterNodeArgs, ViewArgs};
use crate::output::{
    BOLD, Cell, Fields, GREEN, Look, Page, RED, ViewFormat, YELLOW, age, ago, coloured, fold, plain,
};

/// Arguments of `ferrolb status`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct StatusArgs {
    /// The speaker, in a cluster.
    #[command(flatten)]
    pub node: ClusterNodeArgs,
    /// The process, and the form of its answer.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// Shows the status of a process, or of all nodes of a cluster.
///
/// # Errors
///
/// The process does not answer; or it has a problem that keeps traffic away, or is not ready.
pub async fn run(args: &StatusArgs) -> Result<(), Failure> {
    let node = args.node.of(&args.view.cluster)?;
    #[cfg(feature = "kubernetes")]
    if args.view.cluster.is_given() && node.is_none() {
        return super::cluster_status::run(&args.view).await;
    }

    show(&args.view, node, async |client: &Client, page: &mut Page<'_>| {
        let octets = client.get_raw(PATH, MAX_STATUS).await.map_err(failure)?;
        let status: Status = client.parse(PATH, &octets)?;
        match page.look.format {
            ViewFormat::Json => page.document(&octets)?,
            _ => page.write(|out, look| write(out, look, &status))?,
        }

        let has_error = status.problems.iter().any(|it| it.severity >= Severity::Error);
        if has_error || status.not_ready.is_some() { Err(Failure::Unhealthy) } else { Ok(()) }
    })
    .await
}

/// Writes a status so that it fits a screen of 24 lines, or whole in the wide format.
fn write(out: &mut dyn Write, look: Look, status: &Status) -> io::Result<()> {
    let of_node = status.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let leader = match status.leader {
        Some(true) => ", leader",
        Some(false) => ", not the leader",
        None => "",
    };
    let uptime = status.time.as_second().saturating_sub(status.started_at.as_second());
    let title = format!(
        "FerroLB {} {}{of_node}{leader}, up {}",
        status.version,
        name_of(status.program),
        age(seconds(uptime)),
    );
    writeln!(out, "{}", look.style.paint(BOLD, &title))?;

    let mut text = Vec::new();
    fields(status).write(&mut text, look.style, look.width)?;
    let lines = text.iter().filter(|octet| **octet == b'\n').count();
    write_problems(out, look, status, LINES.saturating_sub(lines + HEAD))?;
    out.write_all(&text)
}

pub(super) fn name_of(program: Program) -> &'static str {
    match program {
        Program::Run => "run",
        Program::Speaker => "speaker",
        Program::Controller => "controller",
        Program::Lab => "lab",
        _ => "process",
    }
}

/// Writes the problems. The format for a screen leaves out those for which there is no room.
fn write_problems(out: &mut dyn Write, look: Look, status: &Status, room: usize) -> io::Result<()> {
    let not_ready = status.not_ready.as_ref().map(|reason| Problem {
        severity: Severity::Error,
        subject: "not ready".to_owned(),
        text: reason.clone(),
        hint: None,
    });
    let problems: Vec<_> = not_ready.iter().chain(&status.problems).collect();
    if problems.is_empty() {
        return writeln!(out, "\n{}\n", look.style.paint(GREEN, "No problems."));
    }

    writeln!(out, "\n{}", look.style.paint(BOLD, "Problems"))?;
    let mut left = if look.format == ViewFormat::Wide { usize::MAX } else { room };
    for (number, problem) in problems.iter().enumerate() {
        let lines = problem_lines(problem, look.width);
        let is_last = number + 1 == problems.len();
        // The first problem is always shown, and the last line is for the number of the others.
        if number > 0 && lines.len() + usize::from(!is_last) > left {
            writeln!(out, "  and {} more: see ferrolb status -o wide", problems.len() - number)?;
            break;
        }

        left = left.saturating_sub(lines.len());
        let colour = if problem.severity >= Severity::Error { RED } else { YELLOW };
        for (line, text) in lines.iter().enumerate() {
            let text = if line == 0 { look.style.paint(colour, text) } else { text.clone() };
            writeln!(out, "{text}")?;
        }
    }
    writeln!(out)
}

fn problem_lines(problem: &Problem, width: Option<usize>) -> Vec<String> {
    let severity = match problem.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        _ => "ERROR",
    };
    let width = width.unwrap_or(usize::MAX);
    let mut lines =
        fold(&format!("  {severity:<7}  {}: {}", problem.subject, problem.text), width, 11);
    if let Some(hint) = &problem.hint {
        lines.extend(fold(&format!("{:11}to fix it: {hint}", ""), width, 13));
    }
    lines
}

fn fields(status: &Status) -> Fields {
    let mut fields = Fields::default();
    fields.add("configuration", configuration(&status.configuration, status));
    for error in status.configuration.errors.iter().take(MAX_ERRORS) {
        fields.add("", plain(error));
    }

    if status.program != Program::Controller {
        fields.add("peers", peers(status));
        if status.bfd.expected > 0 {
            let (up, expected) = (status.bfd.up, status.bfd.expected);
            fields.add("BFD", of(up, expected, format!("{up} of {expected} Up")));
        }
        fields.add("prefixes", prefixes(status));
    }
    fields.add("Services", services(status));
    fields.add("drain", drain(&status.drain, status));
    if !status.watches.is_empty() {
        fields.add("watches", watches(&status.watches));
    }
    if let Some(dataplane) = &status.dataplane {
        fields.add("dataplane", gate(dataplane));
    }
    fields.add("log level", plain(&status.log_level));
    fields
}

fn configuration(configuration: &Configuration, status: &Status) -> Cell {
    let loaded = configuration
        .loaded_at
        .map(|at| format!(", loaded {}", ago(at, status.time)))
        .unwrap_or_default();
    let source = &configuration.source;
    match configuration.state {
        ConfigurationState::Valid => coloured(format!("valid{loaded}, from {source}"), GREEN),
        ConfigurationState::Stale => {
            coloured(format!("an older one is in force{loaded}, from {source}"), YELLOW)
        }
        _ => coloured(format!("none found in {source}"), RED),
    }
}

fn peers(status: &Status) -> Cell {
    let peers = status.peers;
    let disabled =
        if peers.disabled > 0 { format!(", {} disabled", peers.disabled) } else { String::new() };
    let text = format!("{} of {} Established{disabled}", peers.established, peers.expected);
    of(peers.established, peers.expected, text)
}

fn prefixes(status: &Status) -> Cell {
    let prefixes = status.prefixes;
    let text = format!("{} of {} sent", prefixes.sent, prefixes.planned);
    if prefixes.unsendable > 0 {
        return coloured(format!("{text}, {} cannot be sent", prefixes.unsendable), YELLOW);
    }
    of(prefixes.sent, prefixes.planned, text)
}

fn services(status: &Status) -> Cell {
    let services = status.services;
    let mut text = services.total.to_string();
    if status.program != Program::Controller {
        text.push_str(&format!(", {} announced", services.announced));
    }
    if services.pending > 0 {
        return coloured(format!("{text}, {} pending", services.pending), YELLOW);
    }
    plain(text)
}

fn drain(drain: &Drain, status: &Status) -> Cell {
    let stage = match drain.stage {
        DrainStage::Serving => return plain("none"),
        DrainStage::Marked => "routes have GRACEFUL_SHUTDOWN",
        DrainStage::Withdrawn => "routes are withdrawn",
        DrainStage::Drained => "sessions have ended",
        _ => "unknown stage",
    };
    let since = drain.since.map(|at| format!(", {}", ago(at, status.time)));
    let by = drain.requested_by.as_ref().map(|by| format!(", requested by {by}"));
    let more = since.unwrap_or_default() + &by.unwrap_or_default();
    coloured(format!("{stage}{more}"), YELLOW)
}

fn watches(watches: &[Watch]) -> Cell {
    let works = |watch: &&Watch| watch.synced && watch.error.is_none();
    let working = watches.iter().filter(works).count();
    let mut text = format!("{working} of {} work", watches.len());
    for watch in watches.iter().filter(|watch| !works(watch)) {
        let reason = watch.error.as_deref().unwrap_or("not all objects have been listed yet");
        text.push_str(&format!("; {}: {reason}", watch.resource));
    }
    of(working, watches.len(), text)
}

fn gate(gate: &Dataplane) -> Cell {
    let Dataplane { held, depreferenced, withdrawn, .. } = gate;
    let kube_proxy = match gate.kube_proxy_healthy {
        Some(true) => "kube-proxy is healthy",
        Some(false) => "kube-proxy is not healthy",
        None => "kube-proxy has not answered",
    };
    let text =
        format!("{kube_proxy}; {held} held, {depreferenced} depreferenced, {withdrawn} withdrawn");
    if gate.kube_proxy_healthy == Some(false) { coloured(text, YELLOW) } else { plain(text) }
}

/// Returns a text in the colour of a part of a whole.
fn of(part: usize, whole: usize, text: String) -> Cell {
    coloured(text, if part >= whole { GREEN } else { YELLOW })
}

#[expect(clippy::cast_precision_loss, reason = "the age of a process")]
fn seconds(seconds: i64) -> f64 {
    seconds as f64
}

const PATH: &str = "/v1/status";
const MAX_STATUS: usize = 1024 * 1024;
/// The lines of a small terminal, without that of the next prompt.
const LINES: usize = 23;
/// The lines of a status beside its problems and its fields: the title, the heading of the problems, two blank lines.
const HEAD: usize = 4;
/// The errors of a configuration that are shown here. `ferrolb check` shows all.
const MAX_ERRORS: usize = 3;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::view::shown;

    fn healthy() -> Value {
        json!({
            "time": "2026-11-30T15:00:00Z", "program": "run", "version": "0.1.0",
            "started_at": "2026-11-29T12:00:00Z", "node": "kube1", "problems": [],
            "configuration": {
                "state": "valid", "source": "manifests", "loaded_at": "2026-11-30T14:54:57Z",
                "errors": [],
            },
            "peers": {"expected": 2, "established": 2, "disabled": 0},
            "bfd": {"expected": 2, "up": 2},
            "prefixes": {"planned": 6, "sent": 6, "unsendable": 0},
            "services": {"total": 3, "announced": 3, "pending": 0},
            "drain": {"stage": "serving"}, "watches": [], "log_level": "info",
        })
    }

    fn text(value: &Value, format: ViewFormat) -> String {
        let status: Status = serde_json::from_value(value.clone()).unwrap();
        shown(format, |out, look| write(out, look, &status))
    }

    #[test]
    fn a_healthy_process_has_a_line_for_each_topic() {
        insta::assert_snapshot!(text(&healthy(), ViewFormat::Text), @r"
    FerroLB 0.1.0 run on kube1, up 1d 3h

    No problems.

      configuration  valid, loaded 5m 3s ago, from manifests
      peers          2 of 2 Established
      BFD            2 of 2 Up
      prefixes       6 of 6 sent
      Services       3, 3 announced
      drain          none
      log level      info
    ");
    }

    #[test]
    fn problems_are_first_and_all_fits_a_screen() {
        let mut status = healthy();
        status["program"] = json!("speaker");
        status["not_ready"] = json!("the API server has not been reached yet");
        status["configuration"]["state"] = json!("stale");
        status["configuration"]["source"] = json!("metallb-system");
        status["configuration"]["errors"] = json!([
            "BGPPeer metallb-system/tor2: spec.peerASN: 0: expected an AS number from 1 to 4294967295",
        ]);
        status["peers"] = json!({"expected": 3, "established": 1, "disabled": 1});
        status["bfd"]["up"] = json!(1);
        status["prefixes"] = json!({"planned": 9, "sent": 3, "unsendable": 1});
        status["services"] = json!({"total": 4, "announced": 2, "pending": 1});
        status["drain"] = json!({
            "stage": "marked", "since": "2026-11-30T14:59:10Z", "requested_by": "operator",
        });
        status["watches"] = json!([
            {"resource": "services", "synced": true, "restarts": 0},
            {"resource": "bgppeers", "synced": true, "restarts": 4, "error": "forbidden"},
        ]);
        status["dataplane"] = json!({
            "held": 1, "depreferenced": 0, "withdrawn": 0, "kube_proxy_healthy": false,
        });
        let problem = |severity: &str, number: usize| {
            json!({
                "severity": severity, "subject": format!("peer tor{number}"),
                "text": "the router refused the TCP connection, as it has done since the process started",
                "hint": "check that the router listens on port 179",
            })
        };
        status["problems"] =
            json!([problem("error", 1), problem("error", 2), problem("warning", 3)]);

        let screen = text(&status, ViewFormat::Text);
        assert!(screen.lines().count() <= LINES, "{screen}");
        insta::assert_snapshot!(screen, @r"
    FerroLB 0.1.0 speaker on kube1, up 1d 3h

    Problems
      ERROR    not ready: the API server has not been reached yet
      ERROR    peer tor1: the router refused the TCP connection, as it has done
               since the process started
               to fix it: check that the router listens on port 179
      ERROR    peer tor2: the router refused the TCP connection, as it has done
               since the process started
               to fix it: check that the router listens on port 179
      and 1 more: see ferrolb status -o wide

      configuration  an older one is in force, loaded 5m 3s ago, from metallb-system
                     BGPPeer metallb-system/tor2: spec.peerASN: 0: expected an AS
                     number from 1 to 4294967295
      peers          1 of 3 Established, 1 disabled
      BFD            1 of 2 Up
      prefixes       3 of 9 sent, 1 cannot be sent
      Services       4, 2 announced, 1 pending
      drain          routes have GRACEFUL_SHUTDOWN, 50s ago, requested by operator
      watches        1 of 2 work; bgppeers: forbidden
      dataplane      kube-proxy is not healthy; 1 held, 0 depreferenced, 0 withdrawn
      log level      info
    ");
        let wide = text(&status, ViewFormat::Wide);
        assert!(wide.contains("  warning  peer tor3: ") && !wide.contains(" more"), "{wide}");
    }

    #[test]
    fn a_controller_has_no_sessions() {
        let mut status = healthy();
        status["program"] = json!("controller");
        status["node"] = Value::Null;
        status["leader"] = json!(true);
        insta::assert_snapshot!(text(&status, ViewFormat::Text), @r"
    FerroLB 0.1.0 controller, leader, up 1d 3h

    No problems.

      configuration  valid, loaded 5m 3s ago, from manifests
      Services       3
      drain          none
      log level      info
    ");
    }
}
