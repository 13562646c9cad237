//! The binary `ferrolb`: arguments, logging and a runtime for what the library does.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use dlmalloc::GlobalDlmalloc;
use ferrolb::cli::{Cli, Command, Failure, LogArgs, LogFilter};
use ferrolb::commands::{check, decode, diff, explain, lab, migrate, replay, router_config, run};
use ferrolb::output::{LogFormat, Problems};
#[cfg(feature = "kubernetes")]
use ferrolb_kubernetes as kubernetes;
use ferrolb_node::descriptors;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Of thousands of small pieces it makes a little less memory than glibc's allocator, and is the same with any libc.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let problems = Problems::new(cli.log.log_format);
    let ended = log_to_stderr(&cli).and_then(|()| perform(cli.command, problems));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(problems);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn perform(command: Command, problems: Problems) -> Result<(), Failure> {
    match &command {
        Command::Decode(args) => return decode::args::run(args),
        Command::Replay(args) => return replay::run(args),
        Command::Explain(args) => return explain::run(args, problems),
        Command::Diff(args) => return diff::args::run(args, problems),
        Command::Check(args) => return check::run(args),
        Command::Migrate(args) => return migrate::run(args, problems),
        Command::RouterConfig(args) => return router_config::run(args, problems),
        _ => {}
    }

    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::unusable)?;
    let ended = match command {
        Command::Lab(args) => runtime.block_on(lab::lab(args, problems)),
        Command::Run(args) => runtime.block_on(run::run(args, problems)),
        #[cfg(feature = "kubernetes")]
        Command::Controller(args) => {
            let options = args.options()?;
            runtime.block_on(kubernetes::controller(options)).map_err(Failure::from)
        }
        #[cfg(feature = "kubernetes")]
        Command::Speaker(args) => {
            runtime.block_on(kubernetes::speaker(args.options())).map_err(Failure::from)
        }
        other => Err(Failure::Unusable(format!("{other:?} is not known here"))),
    };
    // A file system that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

fn log_to_stderr(cli: &Cli) -> Result<(), Failure> {
    let LogArgs { log_level, log_format, .. } = &cli.log;
    // What is set for programs in general must not keep this one from its work.
    let rust_log = std::env::var("RUST_LOG").unwrap_or_default().parse::<LogFilter>();
    let filter = match (log_level, &rust_log) {
        (Some(filter), _) if !filter.is_empty() => filter.clone(),
        (_, Ok(filter)) if !filter.is_empty() => filter.clone(),
        _ => default_level(&cli.command).parse().map_err(Failure::unusable)?,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter.into_targets());
    match log_format {
        LogFormat::Text => {
            registry.with(layer.with_ansi(has_colours()).with_target(false)).init();
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
    if let Err(error) = rust_log {
        tracing::warn!("RUST_LOG is not used: {error}");
    }
    Ok(())
}

fn default_level(command: &Command) -> &'static str {
    #[cfg(feature = "kubernetes")]
    if matches!(command, Command::Controller(_) | Command::Speaker(_)) {
        return "info";
    }
    match command {
        // What happens is on stdout already.
        Command::Lab(_) => "error",
        Command::Run(_) => "info",
        _ => "warn",
    }
}

fn has_colours() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !set("NO_COLOR")
}
