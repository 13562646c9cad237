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
mod facts;
mod log;
mod node_process;

use std::path::PathBuf;

use ferrolb_api::Program;
use ferrolb_node::api::{Identity, answer};
use ferrolb_node::events::configuration_loaded;
use ferrolb_node::http::{HttpServer, TcpListen, next_request};
use ferrolb_node::log::Log;
use ferrolb_node::signals::Signals;
use tokio::time::Instant;

pub use args::RunArgs;
use node_process::{NodeProcess, check_node};

use crate::Failure;
use crate::input::Startup;
use crate::output::Problems;

/// Speaks for one node until a signal comes.
///
/// # Errors
///
/// The reason why it could not start. Once it runs, no error in the files or on the network ends it.
pub async fn run(args: RunArgs, log: Log, problems: Problems) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(Failure::unusable)?;

    // A state file that the user named must be usable. Without the default one, addresses may change with a restart.
    let needs_state_file = args.state_file.is_some();
    let state_file = args.state_file.clone();
    let state_file = state_file.unwrap_or_else(|| default_state_file(&args.node));
    let options = args.cluster.configuration.manifests();
    let startup = Startup::read(&args.dir, &options, Some(state_file), problems)?;
    check_node(&args.node, &startup.manifests).map_err(Failure::Unusable)?;

    let identity = Identity::new(Program::Run, Some(args.node.clone()), log);
    let listen = args.http.listen(TcpListen::OrNone, &args.node);
    let (_http, mut requests) = HttpServer::start(listen, &identity).await?;
    identity.events().record(configuration_loaded());
    let mut node = NodeProcess::new(&args, identity, startup.state_file, problems);
    node.load(startup.manifests);
    if needs_state_file {
        node.check_state_file()?;
    }
    node.log_start();
    node.update_sessions().await;

    let mut readings = startup.source.follow();
    loop {
        tokio::select! {
            Some(reading) = readings.recv() => {
                let start = Instant::now();
                if let Some(manifests) = node.accept(reading) {
                    node.load(manifests);
                    if node.update_sessions().await {
                        node.observe_latency(start);
                    }
                }
            }
            event = node.next_event() => {
                node.apply_event(event);
                node.update_sessions().await;
            }
            request = next_request(&mut requests) => answer(&mut node, request).await,
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
