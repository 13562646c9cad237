//! The arguments that many commands share: the place of the configuration, and the options of a cluster.

use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use ferrolb_node::drain::DrainTimes;
use lb_adapter::manifest::{self, CONFIG_MAP};
use lb_adapter::planner::PlannerOptions;

use super::parse_duration;

/// The place of the configuration.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ConfigurationArgs {
    /// Namespace of the configuration. Default: metallb-system; with --cluster, first the namespace of NEW or of the
    /// kubeconfig's context, if it has a configuration.
    #[arg(long, value_name = "NAME", env = "FERROLB_NAMESPACE")]
    pub namespace: Option<String>,
    /// Name of the ConfigMap, for a configuration in the format of MetalLB 0.7 to 0.12. MetalLB's Helm charts name it
    /// after the release. Default: config.
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
        self.namespace.as_deref().unwrap_or(METALLB_NAMESPACE)
    }

    /// Returns the name of the ConfigMap.
    pub fn config_map(&self) -> &str {
        self.config_map.as_deref().unwrap_or(CONFIG_MAP)
    }

    /// Returns the options for reading the recording of a process or a cluster, in which the ConfigMap has its usual name.
    /// The namespace is the one where the configuration was found, or else the one given.
    pub(super) fn recorded(&self, found: Option<String>) -> Self {
        Self { namespace: found.or_else(|| self.namespace.clone()), config_map: None }
    }
}

/// The namespace in MetalLB's own manifests.
const METALLB_NAMESPACE: &str = "metallb-system";

/// The options that hold for a whole process rather than for an object.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ClusterArgs {
    /// The place of the configuration.
    #[command(flatten)]
    pub configuration: ConfigurationArgs,
    /// Serve only Services with this loadBalancerClass. Default: those without one.
    #[arg(long, value_name = "CLASS", env = "FERROLB_LB_CLASS")]
    pub lb_class: Option<String>,
    /// Announce also from nodes with the label node.kubernetes.io/exclude-from-external-load-balancers.
    #[arg(long, env = "FERROLB_IGNORE_EXCLUDE_LB")]
    pub ignore_exclude_lb: bool,
    /// True if addresses come from the status of Services, as for a speaker.
    #[arg(skip)]
    pub(crate) follow_status: bool,
}

impl ClusterArgs {
    /// Returns the planner's options. Routes have the next hop of their session.
    pub fn options(&self) -> PlannerOptions {
        PlannerOptions {
            class: self.lb_class.clone(),
            follow_status: self.follow_status,
            ignore_exclude_label: self.ignore_exclude_lb,
            ..PlannerOptions::default()
        }
    }
}

/// The times of a drain.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct DrainArgs {
    /// Time for which a drain marks routes with GRACEFUL_SHUTDOWN (RFC 8326), such as 10s.
    #[arg(long, value_name = "TIME", default_value = "10s", env = "FERROLB_DRAIN_MARKED", value_parser = parse_duration)]
    pub drain_marked: Duration,
    /// Time between the withdrawal of the routes and the end of the sessions.
    #[arg(long, value_name = "TIME", default_value = "5s", env = "FERROLB_DRAIN_WITHDRAWN", value_parser = parse_duration)]
    pub drain_withdrawn: Duration,
}

impl DrainArgs {
    /// Returns the times.
    pub fn times(&self) -> DrainTimes {
        DrainTimes { marked: self.drain_marked, withdrawn: self.drain_withdrawn }
    }
}
