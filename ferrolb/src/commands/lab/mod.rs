//! `ferrolb lab`: the whole cluster in one process, with a router for each peer it is configured
//! with.
//!
//! ```text
//! manifests -> Engine -> plans of all nodes -> sessions  ~~ TCP on loopback ~~>  routers
//!                              |                                                     |
//!                              '--> what the routers should hold  ==  what they do --'
//! ```
//!
//! Owns the routers and the loopback addresses. All that a node does is what it does for a real
//! router too.

mod args;
mod cluster;
mod layout;
mod loopback;
mod picture;
mod printer;
mod routers;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::cli::Failure;
use crate::input::{Intake, Start};
use crate::output::Problems;
pub use args::LabArgs;
use ferrolb_node::files::ManifestSource;
use ferrolb_node::signals::Signals;

use cluster::Cluster;
use printer::{Printer, Shown};

/// Runs the lab.
///
/// # Errors
///
/// Why it did not come to a good end.
pub async fn lab(args: LabArgs, problems: Problems) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::unusable)?;
    let manifests = args.cluster.configuration.manifests();
    let start = Start::read(&args.dir, &manifests, args.state_file.clone(), problems)?;
    let mut cluster = Cluster::new(args.port, args.cluster.options(), start.memory);
    let started = cluster.apply(start.manifests).await;
    let ended = match started {
        Err(why) => Err(why),
        Ok(()) if stays(&args) => {
            follow(&args, &mut cluster, start.source, problems, &mut signals).await
        }
        Ok(()) => once(&args, &cluster, problems, &mut signals).await,
    };
    cluster.shutdown().await;
    ended
}

/// Whether there is somebody to stay for.
fn stays(args: &LabArgs) -> bool {
    args.follow || !args.once && io::stdout().is_terminal()
}

/// Waits until all is as it should be, and prints it.
async fn once(
    args: &LabArgs,
    cluster: &Cluster,
    problems: Problems,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let converged = async {
        let mut looking = Instant::now();
        while !cluster.is_as_planned() {
            cluster.changed(looking.elapsed()).await;
            looking = Instant::now();
        }
    };
    let in_time = tokio::select! {
        in_time = timeout(args.timeout, converged) => in_time.is_ok(),
        () = signals.any() => return Err(Failure::Interrupted),
    };

    let differences = cluster.differences();
    Printer::new(args.output).document(&cluster.picture())?;
    if in_time && differences.is_empty() {
        return Ok(());
    }
    for difference in &differences {
        problems.error(difference);
    }
    problems.error(&format!("not as planned after {:?}", args.timeout));
    Err(Failure::Unfinished)
}

/// Shows what happens, until a signal comes or nobody reads any more.
async fn follow(
    args: &LabArgs,
    cluster: &mut Cluster,
    source: ManifestSource,
    problems: Problems,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let mut readings = source.follow();
    let mut intake = Intake::new(problems);
    let mut printer = Printer::following(args);
    let mut unsettled_since: Option<Instant> = None;
    loop {
        let looking = Instant::now();
        let settled = cluster.is_as_planned();
        let late = unsettled_since.is_some_and(|since| since.elapsed() >= PATIENCE);
        match printer.show(&cluster.picture(), settled || late)? {
            Shown::Whole => unsettled_since = None,
            Shown::Withheld => {
                unsettled_since.get_or_insert_with(Instant::now);
            }
            Shown::NobodyReads => return Ok(()),
        }
        let late = unsettled_since.unwrap_or_else(Instant::now) + PATIENCE;
        tokio::select! {
            () = cluster.changed(looking.elapsed()) => {}
            () = sleep_until(late), if unsettled_since.is_some() => {}
            Some(reading) = readings.recv() => {
                if let Some(manifests) = intake.take(reading, |_| Ok(()))
                    && let Err(why) = cluster.apply(manifests).await
                {
                    why.tell(problems);
                }
            }
            () = signals.any() => return Ok(()),
        }
    }
}

/// How long a picture that is not yet as planned waits to be shown.
const PATIENCE: Duration = Duration::from_millis(800);
