//! The arguments of `ferrolb speaker`.

use std::net::{AddrParseError, IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use ferrolb_kubernetes::{self as kubernetes, DataplaneOptions, SpeakerOptions};
use lb_adapter::model;

use super::KubernetesArgs;
use crate::Failure;
use crate::input::{DrainArgs, parse_duration};

/// Arguments of `ferrolb speaker`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct SpeakerArgs {
    /// The cluster, and the Services to serve.
    #[command(flatten)]
    pub cluster: KubernetesArgs,
    /// Name of the Node to speak for.
    #[arg(long, value_name = "NAME", env = "METALLB_NODE_NAME")]
    pub node_name: String,
    /// Announce even if the Node has the label node.kubernetes.io/exclude-from-external-load-balancers.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub ignore_exclude_lb: bool,
    /// Treatment of the routes when a signal ends this process.
    #[arg(long, value_enum, default_value_t, env = "FERROLB_ON_EXIT")]
    pub on_exit: OnExit,
    /// The times of a drain.
    #[command(flatten)]
    pub drain: DrainArgs,
    /// Drain the node while its Node has this annotation, with any value but false. A cordon never drains. A drain that an operator
    /// requests through the Unix socket is forgotten at a restart; this one is not.
    #[arg(long, value_name = "KEY", env = "FERROLB_DRAIN_ANNOTATION")]
    pub drain_annotation: Option<String>,
    /// Drain the node while its Node has a taint with this key.
    #[arg(long, value_name = "KEY", env = "FERROLB_DRAIN_TAINT")]
    pub drain_taint: Option<String>,
    /// Longest time between two writes of BGPNodeStatus; at least 1s.
    #[arg(long, value_name = "TIME", default_value = "60s", env = "FERROLB_HEARTBEAT", value_parser = parse_heartbeat)]
    pub heartbeat: Duration,
    /// Announce a Service once the dataplane of the node (kube-proxy, Cilium, kube-router) forwards to it. The annotation
    /// ferrolb.io/dataplane-gate of a pool overrides this for its Services.
    #[arg(long, value_enum, default_value_t, env = "FERROLB_DATAPLANE_GATE")]
    pub dataplane_gate: DataplaneGate,
    /// Time that the dataplane takes to follow a change where this cannot be observed; longer than kube-proxy's minSyncPeriod.
    #[arg(long, value_name = "TIME", default_value = "1200ms", env = "FERROLB_DATAPLANE_DELAY", value_parser = parse_duration)]
    pub dataplane_delay: Duration,
    /// Port of kube-proxy's health check on the node.
    #[arg(long, value_name = "PORT", default_value_t = 10256, env = "FERROLB_KUBE_PROXY_HEALTH_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub kube_proxy_health_port: u16,
    /// MetalLB's name for --bind-address.
    #[arg(long, hide = true, env = "METALLB_HOST", default_value = "")]
    host: HostAddress,
    #[command(flatten)]
    unused: UnusedSpeakerArgs,
}

impl SpeakerArgs {
    /// Returns the options, and logs the arguments that have no effect. Unless an address is given, probes and metrics
    /// are at the host's loopback address.
    ///
    /// # Errors
    ///
    /// Tokens would cross the network in clear text.
    pub fn options(&self) -> Result<SpeakerOptions, Failure> {
        self.log_unused();

        let default_address = self.host.0.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(SpeakerOptions {
            cluster: self.cluster.options(default_address, &self.node_name)?,
            node: self.node_name.clone(),
            ignore_exclude_label: self.ignore_exclude_lb,
            on_exit: self.on_exit.into(),
            drain: self.drain.times(),
            drain_annotation: self.drain_annotation.clone(),
            drain_taint: self.drain_taint.clone(),
            heartbeat: self.heartbeat,
            dataplane: DataplaneOptions {
                gate: self.dataplane_gate.into(),
                delay: self.dataplane_delay,
                kube_proxy_port: self.kube_proxy_health_port,
            },
        })
    }

    fn log_unused(&self) {
        let unused = &self.unused;
        self.cluster.unused.log(&[
            ("--bgp-debounce-timeout", unused.bgp_debounce_timeout.is_some()),
            ("--ml-bindaddr", unused.ml_bindaddr.is_some()),
            ("--ml-bindport", unused.ml_bindport.is_some()),
            ("--ml-labels", unused.ml_labels.is_some()),
            ("--ml-secret-key-path", unused.ml_secret_key_path.is_some()),
            ("--ml-wan-config", unused.ml_wan_config.is_some()),
            ("--frrk8s-namespace", unused.frrk8s_namespace.is_some()),
            ("--frrk8s-secret-passthrough", unused.frrk8s_secret_passthrough),
        ]);
    }
}

/// Parses a duration in whole seconds, the unit of the object's field.
fn parse_heartbeat(text: &str) -> Result<Duration, String> {
    let seconds = parse_duration(text)?.as_secs();
    if seconds == 0 {
        return Err("expected 1s or more".to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

/// Arguments of MetalLB's speaker that have no effect here.
#[derive(Clone, Debug, Args)]
struct UnusedSpeakerArgs {
    #[arg(long, hide = true, env = "METALLB_BGP_DEBOUNCE_TIMEOUT")]
    bgp_debounce_timeout: Option<String>,
    #[arg(long, hide = true, env = "METALLB_ML_BIND_ADDR")]
    ml_bindaddr: Option<String>,
    #[arg(long, hide = true, env = "METALLB_ML_BIND_PORT")]
    ml_bindport: Option<String>,
    #[arg(long, hide = true, env = "METALLB_ML_LABELS")]
    ml_labels: Option<String>,
    #[arg(long, hide = true, env = "METALLB_ML_SECRET_KEY_PATH")]
    ml_secret_key_path: Option<String>,
    #[arg(long, hide = true, env = "METALLB_ML_WAN_CONFIG", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ml_wan_config: Option<String>,
    #[arg(long, hide = true, env = "FRRK8S_NAMESPACE")]
    frrk8s_namespace: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    frrk8s_secret_passthrough: bool,
}

/// The treatment of the routes when a signal ends the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "an argument, which only the binary uses")]
pub enum OnExit {
    /// Mark the routes with GRACEFUL_SHUTDOWN, withdraw them, then end the sessions with a Cease.
    #[default]
    Drain,
    /// End the sessions with a Cease at once.
    Withdraw,
    /// Let routers with graceful restart (RFC 4724) keep the routes until this process is back, for up to 120 s. End the
    /// other sessions with a Cease at once.
    Restart,
}

impl From<OnExit> for kubernetes::OnExit {
    fn from(on_exit: OnExit) -> Self {
        match on_exit {
            OnExit::Drain => Self::Drain,
            OnExit::Withdraw => Self::Withdraw,
            OnExit::Restart => Self::Restart,
        }
    }
}

/// The dataplane gate of pools that set none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "an argument, which only the binary uses")]
pub enum DataplaneGate {
    /// Wait until the health port of the Service answers (policy Local) or a connection to it is accepted (policy Cluster),
    /// but not longer than a few seconds.
    #[default]
    Auto,
    /// Do not wait: the endpoints of the API are enough.
    Off,
    /// Wait without a limit.
    Require,
}

impl From<DataplaneGate> for model::DataplaneGate {
    fn from(gate: DataplaneGate) -> Self {
        match gate {
            DataplaneGate::Auto => Self::Auto,
            DataplaneGate::Off => Self::Off,
            DataplaneGate::Require => Self::Require,
        }
    }
}

/// The address in `METALLB_HOST`. A manifest that takes it from a missing field sets an empty string, which is none.
#[derive(Clone, Copy, Debug)]
struct HostAddress(Option<IpAddr>);

impl FromStr for HostAddress {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address)))
    }
}
