//! A cluster to be asked about: manifests, a recording, or what a running process knows.
//!
//! Owns how it is told which of the two a file is, and what commands say of it in common.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use crate::allocator::Held;
use crate::ask::ProcessArgs;
use crate::engine::{Change, Engine};
use crate::failure::Failure;
use crate::manifest::{self, Manifests};
use crate::model::Config;
use crate::planner;
use crate::replay::args::{begin, lines, read};
use crate::report::Problems;

/// What is decided for a whole process rather than by an object.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ClusterArgs {
    /// Namespace of the configuration.
    #[arg(long, value_name = "NAME", default_value = "metallb-system", env = "FERROLB_NAMESPACE")]
    pub namespace: String,
    /// Serve the Services of this loadBalancerClass, and no others. Default: those without one.
    #[arg(long, value_name = "CLASS", env = "FERROLB_LB_CLASS")]
    pub lb_class: Option<String>,
    /// Announce from nodes with the label node.kubernetes.io/exclude-from-external-load-balancers
    /// too.
    #[arg(long, env = "FERROLB_IGNORE_EXCLUDE_LB")]
    pub ignore_exclude_lb: bool,
}

impl ClusterArgs {
    /// For the planner. The next hop of routes is that of the sessions.
    pub fn options(&self) -> planner::Options {
        planner::Options {
            class: self.lb_class.clone(),
            ignore_exclude_label: self.ignore_exclude_lb,
            ..planner::Options::default()
        }
    }
}

/// A cluster at one moment.
#[derive(Debug)]
pub struct Cluster {
    /// What is known, and what is made of it.
    pub engine: Engine,
    /// How the session of a node with a peer, `address:port`, stands; only of those of which it is
    /// known.
    pub sessions: BTreeMap<(String, String), SessionState>,
}

/// How a session stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionState {
    /// Whether it is up.
    pub up: bool,
    /// Why it is not, if that is known.
    pub reason: Option<String>,
    /// What keeps the router's BFD session from coming up, if that is known.
    pub bfd_problem: Option<String>,
}

impl SessionState {
    /// Whether it is up, and why it is not.
    pub fn new(up: bool, reason: Option<String>) -> Self {
        Self { up, reason, bfd_problem: None }
    }
}

impl Cluster {
    /// Reads a directory or a file of manifests, or a recording to its end. What Services hold by
    /// `held` counts before what their objects say.
    ///
    /// # Errors
    ///
    /// It cannot be read, or the manifests have errors, which are told.
    pub fn read(
        path: &Path,
        args: &ClusterArgs,
        held: Held,
        problems: Problems,
    ) -> Result<Self, Failure> {
        if !path.is_dir() {
            let text = read(path)?;
            if is_recording(&text) {
                return Ok(Self::replayed(&text, args, held, problems));
            }
        }
        let manifests = manifests(path, args, true, problems)?;
        let mut engine = Engine::new(args.options(), None).remembering(held);
        engine.load(manifests);
        Ok(Self { engine, sessions: BTreeMap::new() })
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
    ) -> Result<Self, Failure> {
        Ok(Self::replayed(&process.objects(&args.namespace)?, args, Held::new(), problems))
    }

    /// [`Cluster::read`] where a path is named, else [`Cluster::ask`].
    ///
    /// # Errors
    ///
    /// As these.
    pub fn read_or_ask(
        path: Option<&Path>,
        process: &ProcessArgs,
        args: &ClusterArgs,
        problems: Problems,
    ) -> Result<Self, Failure> {
        match path {
            Some(path) => Self::read(path, args, Held::new(), problems),
            None => Self::ask(process, args, problems),
        }
    }

    /// The objects of manifests or of a recording, under another configuration.
    ///
    /// # Errors
    ///
    /// As [`Cluster::read`].
    pub fn of_config(
        path: &Path,
        config: &Arc<Config>,
        args: &ClusterArgs,
        problems: Problems,
    ) -> Result<Self, Failure> {
        if !path.is_dir() {
            let text = read(path)?;
            if is_recording(&text) {
                let mut cluster = Self::replayed(&text, args, Held::new(), problems);
                cluster.engine.apply(Change::Config(Arc::clone(config)));
                return Ok(cluster);
            }
        }
        let mut manifests = manifests(path, args, false, problems)?;
        manifests.config = Config::clone(config);
        let mut engine = Engine::new(args.options(), None);
        engine.load(manifests);
        Ok(Self { engine, sessions: BTreeMap::new() })
    }

    fn replayed(text: &[u8], args: &ClusterArgs, held: Held, problems: Problems) -> Self {
        let mut replay = begin(text, args).remembering(held);
        for (number, line) in lines(text).enumerate() {
            for problem in replay.take(line).err().into_iter().flatten() {
                problems.error(&format!("line {}: {problem}", number + 1));
            }
        }
        replay.into_cluster()
    }
}

/// Reads manifests that must be right.
pub(crate) fn manifests(
    path: &Path,
    args: &ClusterArgs,
    config_required: bool,
    problems: Problems,
) -> Result<Manifests, Failure> {
    let namespace = args.namespace.clone();
    let options = manifest::Options { namespace, config_required, ..Default::default() };
    manifests_with(&options, path, problems)
}

/// [`manifests`], read as the options say.
pub(crate) fn manifests_with(
    options: &manifest::Options,
    path: &Path,
    problems: Problems,
) -> Result<Manifests, Failure> {
    let unreadable = |error| Failure::Unusable(format!("cannot read {}: {error}", path.display()));
    manifest::files(path).map_err(unreadable)?;
    match manifest::read_with(options, path) {
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

/// Whether this is a recording, and no manifests.
pub(crate) fn is_recording_at(path: &Path) -> Result<bool, Failure> {
    Ok(!path.is_dir() && is_recording(&read(path)?))
}

/// Whether a text is a recording: its first line that is not blank is a step.
pub(crate) fn is_recording(text: &[u8]) -> bool {
    let first = lines(text).find(|line| !line.trim_ascii().is_empty());
    first.is_some_and(crate::replay::is_step)
}
