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
mod layout;
mod loopback;
mod printer;
mod routers;
mod view;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use ferrolb_node::files::ManifestSource;
use ferrolb_node::signals::Signals;
use tokio::time::{Instant, sleep_until, timeout};

pub use args::LabArgs;
use cluster::LabCluster;
use printer::{Printed, Printer};

use crate::Failure;
use crate::input::{Reload, Startup};
use crate::output::Problems;

/// Runs the lab.
///
/// # Errors
///
/// The lab could not start, or its routers' tables are not as planned.
pub async fn run(args: LabArgs, problems: Problems) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::unusable)?;
    let options = args.cluster.configuration.manifests();
    let startup = Startup::read(&args.dir, &options, args.state_file.clone(), problems)?;

    let mut cluster = LabCluster::new(args.port, args.cluster.options(), startup.state_file);
    let mut result = cluster.apply(startup.manifests).await;
    if result.is_ok() {
        result = if is_interactive(&args) {
            follow(&args, &mut cluster, startup.source, problems, &mut signals).await
        } else {
            run_once(&args, &cluster, problems, &mut signals).await
        };
    }

    cluster.shutdown().await;
    result
}

/// Returns true if the lab keeps running and follows changes.
fn is_interactive(args: &LabArgs) -> bool {
    args.follow || !args.once && io::stdout().is_terminal()
}

/// Waits until everything is as planned, and prints it.
async fn run_once(
    args: &LabArgs,
    cluster: &LabCluster,
    problems: Problems,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let converged = async {
        let mut start = Instant::now();
        while !cluster.is_as_planned() {
            cluster.changed(start.elapsed()).await;
            start = Instant::now();
        }
    };
    let in_time = tokio::select! {
        in_time = timeout(args.timeout, converged) => in_time.is_ok(),
        () = signals.any() => return Err(Failure::Interrupted),
    };

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
    signals: &mut Signals,
) -> Result<(), Failure> {
    let mut readings = source.follow();
    let mut reload = Reload::new(problems);
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
        tokio::select! {
            () = cluster.changed(start.elapsed()) => {}
            () = sleep_until(deadline), if unsettled_since.is_some() => {}
            Some(reading) = readings.recv() => {
                if let Some(manifests) = reload.accept(reading, |_| Ok(()))
                    && let Err(failure) = cluster.apply(manifests).await
                {
                    problems.failure(&failure);
                }
            }
            () = signals.any() => return Ok(()),
        }
    }
}

/// The time after which a view is printed even though it is not as planned.
const SETTLING_TIME: Duration = Duration::from_millis(800);
