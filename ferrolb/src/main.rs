//! The binary `ferrolb`: logging and a runtime for the commands of the library.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use dlmalloc::GlobalDlmalloc;
use ferrolb::Failure;
use ferrolb::cli::{Cli, Command, LogArgs, LogFilter, LogFilterError};
#[cfg(feature = "bundle")]
use ferrolb::commands::support_bundle;
#[cfg(feature = "top")]
use ferrolb::commands::top;
use ferrolb::commands::{
    bfd, check, decode, diff, drain, events, explain, lab, log_level, migrate, peer, peers, pools,
    refresh, replay, router_config, routes, run, services, status,
};
#[cfg(feature = "manual")]
use ferrolb::commands::{completions, man};
use ferrolb::output::{LogFormat, Problems, Style};
#[cfg(feature = "kubernetes")]
use ferrolb_kubernetes as kubernetes;
use ferrolb_node::descriptors;
use ferrolb_node::log::{Log, RecentLines};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

/// An allocator that needs a little less memory than glibc's for thousands of small objects, and is the same with any
/// libc.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

fn main() -> ExitCode {
    let cli = parse();
    let problems = Problems::new(cli.log.log_format);

    let result = init_log(&cli).and_then(|log| run_command(cli.command, log, problems));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            problems.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Reads the command line.
fn parse() -> Cli {
    #[cfg(feature = "kubernetes")]
    return Cli::parse_as_invoked();
    #[cfg(not(feature = "kubernetes"))]
    clap::Parser::parse()
}

fn run_command(command: Command, log: Log, problems: Problems) -> Result<(), Failure> {
    match &command {
        Command::Decode(args) => return decode::run(args),
        Command::Replay(args) => return replay::run(args),
        Command::Explain(args) => return explain::run(args, problems),
        Command::Diff(args) => return diff::run(args, problems),
        Command::Check(args) => return check::run(args),
        Command::Migrate(args) => return migrate::run(args, problems),
        Command::RouterConfig(args) => return router_config::run(args, problems),
        #[cfg(feature = "manual")]
        Command::Completions(args) => return completions::run(args),
        #[cfg(feature = "manual")]
        Command::Man(args) => return man::run(args),
        _ => {}
    }

    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::unusable)?;

    let result = match command {
        Command::Lab(args) => runtime.block_on(lab::run(args, log, problems)),
        Command::Run(args) => runtime.block_on(run::run(args, log, problems)),
        #[cfg(feature = "kubernetes")]
        Command::Controller(args) => {
            let mut options = args.options()?;
            options.cluster.log = log;
            runtime.block_on(kubernetes::controller(options)).map_err(Failure::from)
        }
        #[cfg(feature = "kubernetes")]
        Command::Speaker(args) => {
            let mut options = args.options()?;
            options.cluster.log = log;
            runtime.block_on(kubernetes::speaker(options)).map_err(Failure::from)
        }
        other => runtime.block_on(ask_process(&other, problems)),
    };

    // A file system that hangs must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Runs a command that asks a process or changes it.
async fn ask_process(command: &Command, problems: Problems) -> Result<(), Failure> {
    match command {
        Command::Status(args) => status::run(args).await,
        Command::Peers(args) => peers::run(args).await,
        Command::Routes(args) => routes::run(args).await,
        Command::Services(args) => services::run(args).await,
        Command::Pools(args) => pools::run(args).await,
        Command::Bfd(args) => bfd::run(args).await,
        Command::Events(args) => events::run(args, problems).await,
        #[cfg(feature = "top")]
        Command::Top(args) => top::run(args).await,
        Command::Peer(args) => peer::run(args).await,
        Command::Refresh(args) => refresh::run(args).await,
        Command::LogLevel(args) => log_level::run(args).await,
        Command::Drain(args) => drain::run(args).await,
        Command::Undrain(args) => drain::undrain(args).await,
        #[cfg(feature = "bundle")]
        Command::SupportBundle(args) => support_bundle::run(args, problems).await,
        other => Err(Failure::Unusable(format!("unknown command {other:?}"))),
    }
}

/// Starts the log, and returns it: its filter can be changed, and its last lines can be read.
fn init_log(cli: &Cli) -> Result<Log, Failure> {
    let LogArgs { log_level, log_format, .. } = &cli.log;
    // RUST_LOG is set for programs in general. An error in it must not stop this one.
    let rust_log = std::env::var("RUST_LOG").unwrap_or_default().parse::<LogFilter>();
    let filter = match (log_level, &rust_log) {
        (Some(filter), _) if !filter.is_empty() => filter.clone(),
        (_, Ok(filter)) if !filter.is_empty() => filter.clone(),
        _ => default_level(&cli.command).parse().map_err(Failure::unusable)?,
    };

    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let (targets, handle) = reload::Layer::new(filter.clone().into_targets());
    let registry = tracing_subscriber::registry().with(targets);
    let recent = RecentLines::default();
    let lines = recent.clone();
    let keep = tracing_subscriber::fmt::layer().with_writer(move || lines.writer());
    let is_coloured = Style::of_stderr() == Style::Coloured;
    // The kept lines come first, because the first layer formats the fields of spans for both, and these have no colours.
    match log_format {
        LogFormat::Text => {
            let registry = registry.with(keep.with_ansi(false).with_target(false).boxed());
            registry.with(layer.with_ansi(is_coloured).with_target(false)).init();
        }
        LogFormat::Json => {
            let registry = registry.with(keep.json().flatten_event(true).boxed());
            registry.with(layer.json().flatten_event(true)).init();
        }
    }

    if let Err(error) = rust_log {
        tracing::warn!("ignoring RUST_LOG: {error}");
    }
    Ok(Log::new(filter.to_string(), recent, move |text| {
        let filter: LogFilter = text.parse().map_err(|error: LogFilterError| error.to_string())?;
        if filter.is_empty() {
            return Err("expected a level, such as info, or MODULE=LEVEL, found nothing".to_owned());
        }
        handle.reload(filter.into_targets()).map_err(|error| error.to_string())
    }))
}

fn default_level(command: &Command) -> &'static str {
    #[cfg(feature = "kubernetes")]
    if matches!(command, Command::Controller(_) | Command::Speaker(_)) {
        return "info";
    }

    match command {
        // The lab reports events on stdout.
        Command::Lab(_) => "error",
        Command::Run(_) => "info",
        _ => "warn",
    }
}
