//! A cluster to be asked about: manifests, a recording, or what a running process knows.
//!
//! Owns how it is told which of the two a file is, and what commands say of it in common.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use lb_adapter::allocator::HeldAddresses;
use lb_adapter::config::Diagnostic;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::manifest::{self, CONFIG_MAP, Manifests, Source};
use lb_adapter::model::Config;
use lb_adapter::planner;
use lb_adapter::recording::{self, Cluster, Replay};

use crate::cli::Failure;
use crate::output::Problems;
use ask::Asked;
pub use ask::ProcessArgs;
pub use files::Intake;
pub(crate) use lb_adapter::recording::lines;
pub(crate) use start::Start;
pub(crate) use text::read;

mod ask;
mod files;
mod start;
mod text;

/// Where the configuration is, for every command that reads one.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ConfigurationArgs {
    /// Namespace of the configuration. Default: metallb-system. Where a cluster is asked, the
    /// namespace that NEW or the kubeconfig's context means comes first, if a configuration is there.
    #[arg(long, value_name = "NAME", env = "FERROLB_NAMESPACE")]
    pub namespace: Option<String>,
    /// Name of the ConfigMap, for a configuration in the format of MetalLB 0.7 to 0.12. MetalLB's
    /// Helm charts give it the name of the release. Default: config.
    #[arg(long = "config", value_name = "NAME", env = "FERROLB_CONFIG", value_parser = NonEmptyStringValueParser::new())]
    pub config_map: Option<String>,
}

impl ConfigurationArgs {
    /// Returns the options for reading manifests as a cluster would.
    pub fn manifests(&self) -> manifest::Options {
        manifest::Options {
            namespace: self.namespace().to_owned(),
            config_map: Some(self.config_map().to_owned()),
            ..manifest::Options::default()
        }
    }

    /// Returns the namespace.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(NAMESPACE)
    }

    /// Returns the name of the ConfigMap.
    pub fn config_map(&self) -> &str {
        self.config_map.as_deref().unwrap_or(CONFIG_MAP)
    }

    /// Returns the options for reading the recording of a process or a cluster, in which the ConfigMap has its usual name.
    /// The namespace is the one where the configuration was found, or else the one given.
    fn recorded(&self, found: Option<String>) -> Self {
        Self { namespace: found.or_else(|| self.namespace.clone()), config_map: None }
    }
}

/// The namespace of MetalLB's manifests.
const NAMESPACE: &str = "metallb-system";

/// What is decided for a whole process rather than by an object.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ClusterArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub configuration: ConfigurationArgs,
    /// Serve the Services of this loadBalancerClass, and no others. Default: those without one.
    #[arg(long, value_name = "CLASS", env = "FERROLB_LB_CLASS")]
    pub lb_class: Option<String>,
    /// Announce from nodes with the label node.kubernetes.io/exclude-from-external-load-balancers
    /// too.
    #[arg(long, env = "FERROLB_IGNORE_EXCLUDE_LB")]
    pub ignore_exclude_lb: bool,
    /// Whether addresses come from the status of Services, as for a speaker.
    #[arg(skip)]
    pub(crate) follows: bool,
}

impl ClusterArgs {
    /// For the planner. The next hop of routes is that of the sessions.
    pub fn options(&self) -> planner::PlannerOptions {
        planner::PlannerOptions {
            class: self.lb_class.clone(),
            follow_status: self.follows,
            ignore_exclude_label: self.ignore_exclude_lb,
            ..planner::PlannerOptions::default()
        }
    }
}

/// Reads a directory or a file of manifests, or a recording to its end. What Services hold by
/// `held` counts before what their objects say.
///
/// # Errors
///
/// It cannot be read, or the manifests have errors, which are told.
pub fn read_cluster(
    path: &Path,
    args: &ClusterArgs,
    held: HeldAddresses,
    problems: Problems,
) -> Result<Cluster, Failure> {
    cluster_of(Content::read(path)?, args, held, problems)
}

/// [`read_cluster`] of what has been read already.
pub(crate) fn cluster_of(
    content: Content,
    args: &ClusterArgs,
    held: HeldAddresses,
    problems: Problems,
) -> Result<Cluster, Failure> {
    let content = match content {
        Content::Recording(text) => return Ok(replayed(&text, args, held, problems)),
        content => content,
    };
    let manifests = content.manifests(&args.configuration.manifests(), problems)?;
    let mut engine = Engine::new(args.options(), None).remembering(held);
    engine.load(manifests);
    Ok(Cluster { engine, sessions: BTreeMap::new() })
}

/// What a process knows, which it tells as a recording.
///
/// # Errors
///
/// It does not tell.
pub fn ask(
    process: &ProcessArgs,
    args: &ClusterArgs,
    problems: Problems,
) -> Result<Cluster, Failure> {
    Ok(ask_for(process, args, &BTreeSet::new(), problems)?.0)
}

/// [`ask`] for a configuration that may be in one of these namespaces if the arguments name none. Returns the
/// arguments with the namespace where it was found, too.
pub(crate) fn ask_for(
    process: &ProcessArgs,
    args: &ClusterArgs,
    meant: &BTreeSet<String>,
    problems: Problems,
) -> Result<(Cluster, ClusterArgs), Failure> {
    let Asked { recording, namespace } = process.objects(&args.configuration, meant, problems)?;
    let found = namespace.or_else(|| args.configuration.namespace.clone());
    let named = ConfigurationArgs { namespace: found.clone(), ..args.configuration.clone() };
    let named = ClusterArgs { configuration: named, ..args.clone() };

    let configuration = args.configuration.recorded(found);
    let recorded = ClusterArgs { configuration, ..args.clone() };
    Ok((replayed(&recording, &recorded, HeldAddresses::new(), problems), named))
}

/// [`read_cluster`] where a path is named, else [`ask`].
///
/// # Errors
///
/// As these.
pub fn read_or_ask(
    path: Option<&Path>,
    process: &ProcessArgs,
    args: &ClusterArgs,
    problems: Problems,
) -> Result<Cluster, Failure> {
    match path {
        Some(path) => read_cluster(path, args, HeldAddresses::new(), problems),
        None => {
            // A Service of a cluster holds the addresses in its status, as for the speakers, and not those that a
            // controller would give it.
            let args = ClusterArgs { follows: process.asks_cluster(), ..args.clone() };
            ask(process, &args, problems)
        }
    }
}

/// The objects of manifests or of a recording, under another configuration.
///
/// # Errors
///
/// As [`read_cluster`].
pub fn of_config(
    path: &Path,
    config: &Arc<Config>,
    args: &ClusterArgs,
    problems: Problems,
) -> Result<Cluster, Failure> {
    let content = match Content::read(path)? {
        Content::Recording(text) => {
            let mut cluster = replayed(&text, args, HeldAddresses::new(), problems);
            cluster.engine.apply(Change::Config(Arc::clone(config)));
            return Ok(cluster);
        }
        content => content,
    };
    let options = manifest::Options { config_required: false, ..args.configuration.manifests() };
    let mut manifests = content.manifests(&options, problems)?;
    manifests.config = Config::clone(config);
    let mut engine = Engine::new(args.options(), None);
    engine.load(manifests);
    Ok(Cluster { engine, sessions: BTreeMap::new() })
}

fn replayed(text: &[u8], args: &ClusterArgs, held: HeldAddresses, problems: Problems) -> Cluster {
    let mut replay = nothing(args, true).remembering(held);
    for problem in replay.apply_all(text) {
        problems.error(&problem);
    }
    replay.into_cluster()
}

/// A cluster of which nothing is known yet. If a sync is to come, no addresses are given out before it.
pub(crate) fn nothing(cluster: &ClusterArgs, sync_comes: bool) -> Replay {
    let configuration = &cluster.configuration;
    Replay::new(configuration.namespace(), cluster.options(), sync_comes)
        .with_config_map(configuration.config_map())
}

/// The content of a path, read once: stdin and pipes cannot be read again.
#[derive(Debug)]
pub(crate) enum Content {
    /// A recording.
    Recording(Vec<u8>),
    /// Manifests, not judged yet.
    Manifests {
        /// The name for all of them together in diagnostics.
        name: String,
        sources: Vec<Source>,
        /// The files that could not be read.
        unreadable: Vec<Diagnostic>,
    },
}

impl Content {
    /// Reads a directory, a file, or stdin for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let (name, mut unreadable) = (manifest::shown(path), Vec::new());
        if path.is_dir() {
            let sources = manifest::load(path, &mut unreadable);
            return Ok(Self::Manifests { name, sources, unreadable });
        }

        let octets = read(path)?;
        if is_recording(&octets) {
            return Ok(Self::Recording(octets));
        }
        let source = manifest::limited(&name, octets, &mut unreadable);
        Ok(Self::Manifests { name, sources: source.into_iter().collect(), unreadable })
    }

    /// Returns the namespaces of the objects that configure.
    pub(crate) fn namespaces(&self) -> BTreeSet<String> {
        let Self::Manifests { sources, .. } = self else { return BTreeSet::new() };
        let texts = sources.iter().filter_map(|it| std::str::from_utf8(&it.octets).ok());
        texts.flat_map(recording::namespaces_of).collect()
    }

    /// Returns the manifests, or fails if they have errors.
    pub(crate) fn manifests(
        self,
        options: &manifest::Options,
        problems: Problems,
    ) -> Result<Manifests, Failure> {
        let read = match self {
            Self::Recording(_) => {
                let why = "expected manifests, found a recording";
                return Err(Failure::Unusable(why.to_owned()));
            }
            Self::Manifests { name, sources, unreadable } => {
                manifest::parse_loaded(options, &name, sources, unreadable)
            }
        };

        match read {
            Ok(manifests) => {
                problems.warnings(&manifests.warnings);
                Ok(manifests)
            }
            Err(errors) => {
                problems.refused(errors.as_slice(), "nothing can be said of them");
                Err(Failure::Configuration)
            }
        }
    }
}

/// Whether a text is a recording: its first line that is not blank is a step.
fn is_recording(text: &[u8]) -> bool {
    let first = lines(text).find(|line| !line.trim_ascii().is_empty());
    first.is_some_and(recording::is_step)
}

/// Fails if stdin is wanted for more than one argument.
pub(crate) fn stdin_once<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    match paths.into_iter().filter(|path| manifest::is_stdin(path)).count() {
        0 | 1 => Ok(()),
        _ => {
            let why = "stdin can be read once: expected `-` for one argument only";
            Err(Failure::Unusable(why.to_owned()))
        }
    }
}
