//! `ferrolb diff`: the effects of a change on routes, Service addresses and sessions.
//!
//! Owns the command and the comparison of two states. The engine plans both. A drain is compared in the same way.

mod args;
mod difference;
mod drain;
mod state;

use std::path::Path;
use std::sync::Arc;

use lb_adapter::allocator::HeldAddresses;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::manifest;
use lb_adapter::model::Config;

pub use args::DiffArgs;
pub use difference::Difference;
pub use state::WireState;

use crate::Failure;
use crate::input::{
    ClusterArgs, InputContent, check_stdin_used_once, cluster_of, fetch_cluster_from, read_cluster,
    read_or_fetch, read_with_config,
};
use crate::output::{
    OutputFormat, Problems, fold_all, stdout_width, write_json_line, write_stdout,
};

/// Prints the effects of a change.
///
/// # Errors
///
/// The files cannot be read or have errors; there is no such node to drain, or a Service would lose its last one.
pub fn run(args: &DiffArgs, problems: Problems) -> Result<(), Failure> {
    if let Some(node) = &args.drain {
        return run_drain(args, node, problems);
    }

    let Some(new) = args.new.as_deref() else {
        return Err(Failure::Unusable("NEW is missing".to_owned()));
    };
    let paths = [args.old.as_deref(), Some(new), args.from.as_deref()];
    check_stdin_used_once(paths.into_iter().flatten())?;

    let (before, after) = match (&args.from, &args.old) {
        (Some(from), old) => states_with_objects(args, new, from, old.as_deref(), problems)?,
        (None, Some(old)) => states_of_files(args, new, old, problems)?,
        (None, None) => states_with_fetched(args, new, problems)?,
    };
    let differences = before.diff(&after);
    print(args.output, &differences, to_text(&differences))
}

/// Prints the effects of the drain of a node.
fn run_drain(args: &DiffArgs, node: &str, problems: Problems) -> Result<(), Failure> {
    let from = args.from.as_deref();
    let mut cluster = read_or_fetch(from, &args.process, &args.cluster, problems)?;
    let differences = drain::differences(&mut cluster, node)?;
    print(args.output, &differences, drain::to_text(&differences))?;

    let is_lossless = drain::losing(&differences).next().is_none();
    if is_lossless { Ok(()) } else { Err(Failure::NoNodeLeft) }
}

fn print(output: OutputFormat, differences: &[Difference], text: String) -> Result<(), Failure> {
    write_stdout(|out| match output {
        OutputFormat::Text => out.write_all(fold_all(&text, stdout_width(), |_| INDENT).as_bytes()),
        OutputFormat::Json => write_json_line(out, &differences),
    })
}

/// Returns the states of the objects in `from` under the configurations OLD and NEW.
fn states_with_objects(
    args: &DiffArgs,
    new: &Path,
    from: &Path,
    old: Option<&Path>,
    problems: Problems,
) -> Result<(WireState, WireState), Failure> {
    let new_config = read_config(new, &args.cluster, problems)?;
    let cluster = match old {
        Some(old) => {
            let old_config = read_config(old, &args.cluster, problems)?;
            read_with_config(from, &old_config, &args.cluster, problems)?
        }
        None => read_cluster(from, &args.cluster, HeldAddresses::new(), problems)?,
    };

    let mut engine = cluster.engine;
    let before = WireState::of(&engine);
    engine.apply(Change::Config(new_config));
    Ok((before, WireState::of(&engine)))
}

fn read_config(
    path: &Path,
    cluster: &ClusterArgs,
    problems: Problems,
) -> Result<Arc<Config>, Failure> {
    let options = cluster.configuration.manifests();
    let manifests = InputContent::read(path)?.manifests(&options, problems)?;
    Ok(Arc::new(manifests.config))
}

/// Returns the states of OLD and NEW.
fn states_of_files(
    args: &DiffArgs,
    new: &Path,
    old: &Path,
    problems: Problems,
) -> Result<(WireState, WireState), Failure> {
    let old = read_cluster(old, &args.cluster, HeldAddresses::new(), problems)?.engine;
    let new = read_cluster(new, &args.cluster, old.held(), problems)?.engine;
    Ok((WireState::of(&old), WireState::of(&new)))
}

/// Returns the states of a process or a cluster now and with NEW. Neither reveals passwords.
fn states_with_fetched(
    args: &DiffArgs,
    new: &Path,
    problems: Problems,
) -> Result<(WireState, WireState), Failure> {
    // An error of NEW is reported only if the cluster can be fetched.
    let content = InputContent::read(new);
    let namespaces = content.as_ref().map(InputContent::namespaces).unwrap_or_default();
    let (cluster, cluster_args) =
        fetch_cluster_from(&args.process, &args.cluster, &namespaces, problems)?;
    let content = content?;

    let mut engine = cluster.engine;
    let before = WireState::of(&engine);
    let after = match read_new(content, args, &cluster_args, &engine, problems)? {
        NewState::Configuration(config) => {
            engine.apply(Change::Config(config));
            WireState::of(&engine)
        }
        NewState::Cluster(new) => WireState::of(&new),
    };
    Ok((before.without_passwords(), after.without_passwords()))
}

/// The part of a fetched state that NEW replaces.
enum NewState {
    /// The configuration. The objects stay.
    Configuration(Arc<Config>),
    /// The configuration and all objects.
    Cluster(Box<Engine>),
}

fn read_new(
    content: InputContent,
    args: &DiffArgs,
    cluster: &ClusterArgs,
    before: &Engine,
    problems: Problems,
) -> Result<NewState, Failure> {
    if matches!(content, InputContent::Recording(_)) {
        let new = cluster_of(content, cluster, before.held(), problems)?.engine;
        if args.process.is_cluster()
            && let Some(config) = new.config().cloned()
        {
            return Ok(NewState::Configuration(config));
        }
        return Ok(NewState::Cluster(Box::new(new)));
    }

    // A change from or to no password is a difference, a change of the password is not.
    let options = manifest::Options { passwords: false, ..cluster.configuration.manifests() };
    let manifests = content.manifests(&options, problems)?;
    if args.process.is_cluster() || manifests.only_configure() {
        return Ok(NewState::Configuration(Arc::new(manifests.config)));
    }

    let mut new = Engine::new(cluster.options(), None).remembering(before.held());
    new.load(manifests);
    Ok(NewState::Cluster(Box::new(new)))
}

fn to_text(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "no changes\n".to_owned();
    }

    let mut text = String::new();
    for difference in differences {
        text.push_str(&format!("{difference}\n"));
    }
    if !differences.iter().any(Difference::ends_session) {
        text.push_str("session resets: none\n");
    }
    text
}

/// The indentation of folded lines.
const INDENT: usize = 4;

#[cfg(test)]
mod tests;
