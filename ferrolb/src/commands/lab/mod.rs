//! `ferrolb lab`: a whole cluster in one process, with a router for each configured peer.
//!
//! ```text
//! manifests -> Engine -> plans of all nodes -> sessions  ~~ TCP on loopback ~~>  routers
//!                              |                                                     |
//!                              '--> the routers' expected tables  ==  their tables --'
//! ```
//!
//! Owns the routers and the loopback addresses. The nodes run the same code as with real routers.

mod args;
mod cluster;
mod facts;
mod layout;
mod loopback;
mod printer;
mod routers;
mod view;

use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::time::Duration;

use ferrolb_api::Program;
use ferrolb_node::api::{Identity, answer};
use ferrolb_node::events::configuration_loaded;
use ferrolb_node::files::ManifestSource;
use ferrolb_node::http::{HttpServer, StatusRequest, TcpListen, next_request};
use ferrolb_node::log::Log;
use ferrolb_node::signals::Signals;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub use args::LabArgs;
use cluster::LabCluster;
use printer::{Printed, Printer};

use crate::Failure;
use crate::input::Startup;
use crate::output::Problems;

/// Runs the lab.
///
/// # Errors
///
/// The lab could not start, or its routers' tables are not as planned.
pub async fn run(args: LabArgs, log: Log, problems: Problems) -> Result<(), Failure> {
    let signals = Signals::new().map_err(Failure::unusable)?;
    let options = args.cluster.configuration.manifests();
    let startup = Startup::read(&args.dir, &options, args.state_file.clone(), problems)?;

    let identity = Identity::new(Program::Lab, None, log);
    let listen = args.http.listen(TcpListen::OrAnyPort, SOCKET);
    let (http, requests) = HttpServer::start(listen, &identity).await?;
    identity.events().record(configuration_loaded());
    let mut cluster = LabCluster::new(&args, identity, startup.state_file, problems);
    let mut result = cluster.apply(startup.manifests).await;
    if result.is_ok() {
        let mut inputs = Inputs { requests, signals };
        result = if is_interactive(&args) {
            if let Some(address) = http.address() {
                problems.note(&format!("watch this lab at http://{address}/"));
            }
            follow(&args, &mut cluster, startup.source, problems, &mut inputs).await
        } else {
            run_once(&args, &mut cluster, problems, &mut inputs).await
        };
    }

    cluster.shutdown().await;
    result
}

/// What comes to a lab from outside, besides changes of its files.
struct Inputs {
    requests: mpsc::Receiver<StatusRequest>,
    signals: Signals,
}

/// Returns true if the lab keeps running and follows changes.
fn is_interactive(args: &LabArgs) -> bool {
    args.follow || !args.once && io::stdout().is_terminal()
}

/// Waits until everything is as planned, and prints it.
async fn run_once(
    args: &LabArgs,
    cluster: &mut LabCluster,
    problems: Problems,
    inputs: &mut Inputs,
) -> Result<(), Failure> {
    let deadline = Instant::now() + args.timeout;
    let mut in_time = true;
    loop {
        let start = Instant::now();
        if cluster.is_as_planned() {
            break;
        }

        let mut changed = pin!(cluster.changed(start.elapsed()));
        loop {
            tokio::select! {
                () = changed.as_mut() => break,
                () = sleep_until(deadline) => {
                    in_time = false;
                    break;
                }
                request = next_request(&mut inputs.requests) => answer(cluster, request).await,
                () = inputs.signals.any() => return Err(Failure::Interrupted),
            }
        }
        if !in_time {
            break;
        }
    }

    let differences = cluster.differences();
    Printer::new(args.output).print_document(&cluster.view())?;
    if in_time && differences.is_empty() {
        return Ok(());
    }

    for difference in &differences {
        problems.error(difference);
    }
    problems.error(&format!("not as planned after {:?}", args.timeout));
    Err(Failure::Unfinished)
}

/// Prints changes until a signal comes or stdout is closed.
async fn follow(
    args: &LabArgs,
    cluster: &mut LabCluster,
    source: ManifestSource,
    problems: Problems,
    inputs: &mut Inputs,
) -> Result<(), Failure> {
    let mut readings = source.follow();
    let mut printer = Printer::following(args.output, &args.dir);
    let mut unsettled_since: Option<Instant> = None;
    loop {
        let start = Instant::now();
        let is_late = unsettled_since.is_some_and(|since| since.elapsed() >= SETTLING_TIME);
        let is_settled = cluster.is_as_planned() || is_late;
        match printer.print(&cluster.view(), is_settled)? {
            Printed::Complete => unsettled_since = None,
            Printed::Deferred => {
                unsettled_since.get_or_insert_with(Instant::now);
            }
            Printed::Closed => return Ok(()),
        }

        let deadline = unsettled_since.unwrap_or_else(Instant::now) + SETTLING_TIME;
        let mut changed = pin!(cluster.changed(start.elapsed()));
        loop {
            tokio::select! {
                () = changed.as_mut() => break,
                () = sleep_until(deadline), if unsettled_since.is_some() => break,
                Some(reading) = readings.recv() => {
                    if let Err(failure) = cluster.take(reading).await {
                        problems.failure(&failure);
                    }
                    break;
                }
                request = next_request(&mut inputs.requests) => answer(cluster, request).await,
                () = inputs.signals.any() => return Ok(()),
            }
        }
    }
}

/// The name of a lab's socket.
const SOCKET: &str = "lab";
/// The time after which a view is printed even though it is not as planned.
const SETTLING_TIME: Duration = Duration::from_millis(800);
