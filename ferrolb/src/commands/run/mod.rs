//! `ferrolb run`: one node of a cluster, with real routers.
//!
//! ```text
//! manifests ─► NodeProcess: Engine ─► desired sessions ─► Sessions
//!                           └─► state file
//! ```
//!
//! Owns the events of the process, its log lines and its answers over HTTP. The engine plans the routes.
//!
//! NEXT_HOP is the Node's address of the prefix's family in the manifests, whatever address the session uses. That is the
//! same on a link, and right for a router some hops away. The peer's configuration may say otherwise. Over an interface,
//! and if the Node has no such address, it is the session's address.

mod args;
mod log;
mod node_process;

use std::path::PathBuf;
use std::time::Instant;

use ferrolb_node::grace::GracePeriod;
use ferrolb_node::http::{HttpServer, next_request};
use ferrolb_node::signals::Signals;

pub use args::RunArgs;
use node_process::{NodeProcess, check_node};

use crate::Failure;
use crate::input::{Reload, Startup};
use crate::output::Problems;

/// Speaks for one node until a signal comes.
///
/// # Errors
///
/// The reason why it could not start. Once it runs, no error in the files or on the network ends it.
pub async fn run(args: RunArgs, problems: Problems) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::unusable)?;

    // A state file that the user named must be usable. Without the default one, addresses may change with a restart.
    let needs_state_file = args.state_file.is_some();
    let state_file = args.state_file.unwrap_or_else(|| default_state_file(&args.node));
    let options = args.cluster.configuration.manifests();
    let startup = Startup::read(&args.dir, &options, Some(state_file), problems)?;
    check_node(&args.node, &startup.manifests).map_err(Failure::Unusable)?;

    let (_http, mut requests) = HttpServer::listen_if(args.http, "--http").await?;
    let grace = GracePeriod::new(args.pool_grace_period);
    let mut node = NodeProcess::new(args.node, &args.cluster, startup.state_file, grace, problems);
    node.load(startup.manifests);
    if needs_state_file {
        node.check_state_file()?;
    }
    node.log_start();
    node.update_sessions().await;

    let mut reload = Reload::new(problems);
    let mut readings = startup.source.follow();
    loop {
        tokio::select! {
            Some(reading) = readings.recv() => {
                let start = Instant::now();
                let accepted = reload.accept(reading, |manifests| check_node(node.name(), manifests));
                if let Some(manifests) = accepted {
                    node.load(manifests);
                    node.update_sessions().await;
                    node.observe_latency(start.elapsed());
                }
            }
            event = node.next_event() => {
                node.apply_event(event);
                node.update_sessions().await;
            }
            request = next_request(&mut requests) => node.answer(request, reload.is_stale()).await,
            () = signals.any() => break,
        }
    }

    tracing::info!("ending the sessions");
    node.shutdown().await;
    Ok(())
}

fn default_state_file(node: &str) -> PathBuf {
    let directory = std::env::var_os("STATE_DIRECTORY").filter(|directory| !directory.is_empty());
    let directory = directory.map_or_else(|| PathBuf::from(STATE_DIRECTORY), PathBuf::from);
    directory.join(format!("{node}.json"))
}

/// The directory for state in the Filesystem Hierarchy Standard.
const STATE_DIRECTORY: &str = "/var/lib/ferrolb";
