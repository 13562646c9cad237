//! The command `ferrolb diff`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{Difference, State};
use crate::cli::Failure;
use crate::input::ProcessArgs;
use crate::input::{self, ClusterArgs, Content, stdin_once};
use crate::output::OutputFormat;
use crate::output::{Problems, fold_all, width_of_stdout};
use lb_adapter::allocator::HeldAddresses;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::manifest;
use lb_adapter::model::Config;

/// Arguments of `ferrolb diff`.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
#[non_exhaustive]
pub struct DiffArgs {
    /// What there is: a directory or file of manifests, or a recording; `-` is stdin. Default: with
    /// --from what is there, else what the process at --url knows, or --cluster.
    #[arg(value_name = "OLD")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub old: Option<PathBuf>,
    /// What there would be; `-` is stdin. Services keep the addresses of OLD for as long as they may. Of what a cluster is to have,
    /// and of files that only configure, the configuration is taken, for the objects that are there.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Take Services, endpoints and nodes from here, and of OLD and NEW the configuration alone; `-` is
    /// stdin.
    #[arg(long, value_name = "DIR|RECORDING")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub from: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// `json` prints one document.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: OutputFormat,
    /// What a cluster is like.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Prints what would change.
///
/// # Errors
///
/// The files cannot be read or are wrong.
pub fn run(args: &DiffArgs, problems: Problems) -> Result<(), Failure> {
    let given = [args.old.as_deref(), Some(args.new.as_path()), args.from.as_deref()];
    stdin_once(given.into_iter().flatten())?;
    let (before, after) = states(args, problems)?;
    let differences = before.diff(&after);

    let mut out = io::stdout().lock();
    let written = match args.output {
        OutputFormat::Text => {
            let mut text = Vec::new();
            write_text(&mut text, &differences).and_then(|()| {
                let text = String::from_utf8_lossy(&text);
                out.write_all(fold_all(&text, width_of_stdout(), |_| 4).as_bytes())
            })
        }
        OutputFormat::Json => serde_json::to_writer(&mut out, &differences)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    match written {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Unusable(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

fn states(args: &DiffArgs, problems: Problems) -> Result<(State, State), Failure> {
    let config = |path| {
        let options = args.cluster.configuration.manifests();
        let manifests = Content::read(path)?.manifests(&options, problems)?;
        Ok::<_, Failure>(Arc::new(manifests.config))
    };
    if let Some(from) = &args.from {
        let new = config(&args.new)?;
        let old = match &args.old {
            Some(old) => input::of_config(from, &config(old)?, &args.cluster, problems)?,
            None => input::read_cluster(from, &args.cluster, HeldAddresses::new(), problems)?,
        };
        let mut engine = old.engine;
        let before = State::of(&engine);
        engine.apply(Change::Config(new));
        return Ok((before, State::of(&engine)));
    }
    let Some(old) = &args.old else { return asked(args, problems) };
    let old = input::read_cluster(old, &args.cluster, HeldAddresses::new(), problems)?.engine;
    let new = input::read_cluster(&args.new, &args.cluster, old.held(), problems)?.engine;
    Ok((State::of(&old), State::of(&new)))
}

/// What there is, a process or a cluster tells, without passwords.
fn asked(args: &DiffArgs, problems: Problems) -> Result<(State, State), Failure> {
    let content = Content::read(&args.new);
    // An error of NEW is reported only after one of asking.
    let meant = content.as_ref().map(Content::namespaces).unwrap_or_default();
    let (asked, cluster) = input::ask_for(&args.process, &args.cluster, &meant, problems)?;
    let content = content?;

    let mut engine = asked.engine;
    let before = State::of(&engine).without_passwords();

    let new = if matches!(content, Content::Recording(_)) {
        let new = input::cluster_of(content, &cluster, engine.held(), problems)?.engine;
        match new.config().cloned() {
            Some(config) if args.process.asks_cluster() => New::Configuration(config),
            _ => New::Everything(Box::new(new)),
        }
    } else {
        let options = manifest::Options {
            // Whether a peer has one is compared, and not which.
            passwords: false,
            ..cluster.configuration.manifests()
        };
        let manifests = content.manifests(&options, problems)?;
        if args.process.asks_cluster() || manifests.only_configure() {
            New::Configuration(Arc::new(manifests.config))
        } else {
            let mut new = Engine::new(cluster.options(), None).remembering(engine.held());
            new.load(manifests);
            New::Everything(Box::new(new))
        }
    };

    let after = match new {
        New::Configuration(config) => {
            engine.apply(Change::Config(config));
            State::of(&engine)
        }
        New::Everything(new) => State::of(&new),
    };
    Ok((before, after.without_passwords()))
}

/// What NEW says, of what is asked.
enum New {
    /// How the objects that are there would be served.
    Configuration(Arc<Config>),
    /// Which objects there would be too.
    Everything(Box<Engine>),
}

fn write_text(out: &mut dyn Write, differences: &[Difference]) -> io::Result<()> {
    for difference in differences {
        writeln!(out, "{difference}")?;
    }
    let resets = differences
        .iter()
        .any(|it| matches!(it, Difference::Reset { .. } | Difference::Closed { .. }));
    match (differences.is_empty(), resets) {
        (true, _) => writeln!(out, "nothing changes"),
        (false, true) => Ok(()),
        (false, false) => writeln!(out, "session resets: none"),
    }
}
