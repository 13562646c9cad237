//! The arguments of `ferrolb controller` and `ferrolb speaker`: ours, and those of MetalLB's two programs that have a
//! meaning here, under their names, so that a manifest of MetalLB's starts ours.

use std::net::{AddrParseError, IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use ferrolb_kubernetes::election::ElectionConfig;
use ferrolb_kubernetes::{self as kubernetes, ClusterOptions, ControllerOptions, SpeakerOptions};
use ferrolb_node::grace;

use super::{Failure, duration};

/// Arguments that both programs share.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ClusterArgs {
    /// Connect to the API server with this kubeconfig file. Default: that of KUBECONFIG, else the account of the pod.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace of the configuration. Default: that of the pod, else metallb-system.
    #[arg(long, value_name = "NAME", env = "METALLB_NAMESPACE")]
    pub namespace: Option<String>,
    /// Name of the ConfigMap, for a configuration in the format of MetalLB 0.7 to 0.12.
    #[arg(long, value_name = "NAME", default_value = "config")]
    pub config: String,
    /// Serve only Services of this spec.loadBalancerClass. Default: those without one.
    #[arg(long, value_name = "CLASS")]
    pub lb_class: Option<String>,
    /// TCP port for /metrics, /livez and /readyz; 0 for none.
    #[arg(long, value_name = "PORT", default_value_t = 7472, env = "FERROLB_HTTP_PORT")]
    pub port: u16,
    /// Address to open this port at. Default: all addresses of the pod for a controller; METALLB_HOST, else 127.0.0.1, for
    /// a speaker, which is in the network of its host.
    #[arg(long, value_name = "ADDRESS", env = "FERROLB_HTTP_ADDRESS")]
    pub bind_address: Option<IpAddr>,
    /// Name of the pod. Default: POD_NAME, else the host's name.
    #[arg(long = "pod-name", value_name = "NAME", env = "METALLB_POD_NAME")]
    pub pod: Option<String>,
    #[command(flatten)]
    metallb: MetalLbArgs,
}

/// Arguments of MetalLB's that have no meaning here. They are accepted, and named in the log.
#[derive(Clone, Debug, Args)]
struct MetalLbArgs {
    /// The port of health probes, which are at --port here.
    #[arg(long, hide = true)]
    health_probe_port: Option<u16>,
    #[arg(long, hide = true)]
    pprof_bind_address: Option<String>,
    #[arg(long, hide = true)]
    metrics_cert_dir: Option<String>,
    #[arg(long, hide = true)]
    tls_min_version: Option<String>,
    #[arg(long, hide = true)]
    tls_cipher_suites: Option<String>,
    #[arg(long, hide = true)]
    tls_curve_preferences: Option<String>,
}

impl MetalLbArgs {
    /// Returns the names of those that were given.
    fn given(&self) -> Vec<&'static str> {
        let given = [
            ("--health-probe-port", self.health_probe_port.is_some()),
            ("--pprof-bind-address", self.pprof_bind_address.is_some()),
            ("--metrics-cert-dir", self.metrics_cert_dir.is_some()),
            ("--tls-min-version", self.tls_min_version.is_some()),
            ("--tls-cipher-suites", self.tls_cipher_suites.is_some()),
            ("--tls-curve-preferences", self.tls_curve_preferences.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }
}

/// Arguments of `ferrolb controller`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct ControllerArgs {
    /// The cluster, and the Services that are served.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Time for which the others wait for a silent leader, such as 15s.
    #[arg(long, value_name = "TIME", default_value = "15s", env = "FERROLB_LEASE_DURATION", value_parser = duration)]
    pub lease_duration: Duration,
    /// Time for which a leader goes on without having renewed the Lease; less than its duration.
    #[arg(long, value_name = "TIME", default_value = "10s", env = "FERROLB_RENEW_DEADLINE", value_parser = duration)]
    pub renew_deadline: Duration,
    /// Time between two attempts to renew the Lease, or to take over.
    #[arg(long, value_name = "TIME", default_value = "2s", env = "FERROLB_RETRY_PERIOD", value_parser = duration)]
    pub retry_period: Duration,
    /// Time for which Services keep their addresses after the last pool is gone, such as 5m; 0 for none.
    #[arg(long, value_name = "TIME", default_value = grace::DEFAULT_GRACE_PERIOD, env = "FERROLB_POOL_GRACE_PERIOD", value_parser = duration)]
    pub pool_grace_period: Duration,
    /// MetalLB's. There are no validating webhooks here.
    #[arg(long, hide = true)]
    webhook_mode: Option<String>,
    #[arg(long, hide = true)]
    webhook_secret: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    webhook_http2: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    disable_cert_rotation: bool,
    #[arg(long, hide = true)]
    cert_dir: Option<String>,
    #[arg(long, hide = true)]
    cert_service_name: Option<String>,
    #[arg(long, hide = true, env = "METALLB_ML_SECRET_NAME")]
    ml_secret_name: Option<String>,
    #[arg(long, hide = true, env = "METALLB_DEPLOYMENT")]
    deployment: Option<String>,
}

impl ControllerArgs {
    /// Returns the times of the election, if they are in order.
    fn election(&self) -> Result<ElectionConfig, Failure> {
        let config = ElectionConfig {
            lease_duration: self.lease_duration,
            renew_deadline: self.renew_deadline,
            retry_period: self.retry_period,
        };
        let ordered = config.retry_period > Duration::ZERO
            && config.retry_period < config.renew_deadline
            && config.renew_deadline < config.lease_duration
            && config.lease_duration >= Duration::from_secs(1);
        if ordered {
            return Ok(config);
        }
        Err(Failure::Unusable(format!(
            "expected --retry-period < --renew-deadline < --lease-duration, and that at least 1s, found {:?}, {:?} and {:?}",
            config.retry_period, config.renew_deadline, config.lease_duration
        )))
    }

    /// Returns the settings, and logs the arguments that have no effect.
    ///
    /// # Errors
    ///
    /// The times of the election are not in order.
    pub fn options(&self) -> Result<ControllerOptions, Failure> {
        let election = self.election()?;
        self.log_unused();

        Ok(ControllerOptions {
            cluster: self.cluster.options(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            election,
            pool_grace_period: self.pool_grace_period,
        })
    }

    fn log_unused(&self) {
        let own = [
            ("--webhook-mode", self.webhook_mode.is_some()),
            ("--webhook-secret", self.webhook_secret.is_some()),
            ("--webhook-http2", self.webhook_http2),
            ("--disable-cert-rotation", self.disable_cert_rotation),
            ("--cert-dir", self.cert_dir.is_some()),
            ("--cert-service-name", self.cert_service_name.is_some()),
            ("--ml-secret-name", self.ml_secret_name.is_some()),
            ("--deployment", self.deployment.is_some()),
        ];
        let own = own.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        log_unused(self.cluster.metallb.given().into_iter().chain(own));
    }
}

/// Arguments of `ferrolb speaker`.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct SpeakerArgs {
    /// The cluster, and the Services that are served.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Name of the Node whose Services to announce.
    #[arg(long, value_name = "NAME", env = "METALLB_NODE_NAME")]
    pub node_name: String,
    /// Announce despite the label node.kubernetes.io/exclude-from-external-load-balancers.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub ignore_exclude_lb: bool,
    /// Treatment of the routes when a signal ends this process.
    #[arg(long, value_enum, default_value_t, env = "FERROLB_ON_EXIT")]
    pub on_exit: OnExit,
    /// Time for which a drain marks routes with GRACEFUL_SHUTDOWN (RFC 8326), such as 10s.
    #[arg(long, value_name = "TIME", default_value = "10s", env = "FERROLB_DRAIN_MARKED", value_parser = duration)]
    pub drain_marked: Duration,
    /// Time for which a drain then withdraws them, before the sessions end.
    #[arg(long, value_name = "TIME", default_value = "5s", env = "FERROLB_DRAIN_WITHDRAWN", value_parser = duration)]
    pub drain_withdrawn: Duration,
    /// Drain the node while its Node has this annotation with any value except false. A cordon never drains.
    #[arg(long, value_name = "KEY", env = "FERROLB_DRAIN_ANNOTATION")]
    pub drain_annotation: Option<String>,
    /// Drain the node while its Node has a taint with this key.
    #[arg(long, value_name = "KEY", env = "FERROLB_DRAIN_TAINT")]
    pub drain_taint: Option<String>,
    /// Longest time between two writes of BGPNodeStatus; at least 1s.
    #[arg(long, value_name = "TIME", default_value = "60s", env = "FERROLB_HEARTBEAT", value_parser = heartbeat)]
    pub heartbeat: Duration,
    /// MetalLB's name for --bind-address.
    #[arg(long, hide = true, env = "METALLB_HOST", default_value = "")]
    host: HostAddress,
    #[command(flatten)]
    unused: UnusedSpeakerArgs,
}

/// Parses a time in whole seconds, the unit of the object.
fn heartbeat(text: &str) -> Result<Duration, String> {
    let whole = duration(text)?.as_secs();
    if whole == 0 { Err("expected 1s or more".into()) } else { Ok(Duration::from_secs(whole)) }
}

/// Arguments of MetalLB's speaker that have no meaning here.
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
#[expect(clippy::exhaustive_enums, reason = "arguments of the binary, which is all that uses it")]
pub enum OnExit {
    /// Mark the routes with GRACEFUL_SHUTDOWN, withdraw them, then end the sessions with a Cease.
    #[default]
    Drain,
    /// End the sessions with a Cease at once.
    Withdraw,
    /// Let routers with graceful restart (RFC 4724) keep the routes until this process is back, for at most 120 s; end
    /// sessions with others with a Cease at once.
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

/// The address of `METALLB_HOST`. Manifests that take it from a missing field give the empty string, which is none.
#[derive(Clone, Copy, Debug)]
struct HostAddress(Option<IpAddr>);

impl HostAddress {
    fn address(self) -> Option<IpAddr> {
        self.0
    }
}

impl FromStr for HostAddress {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        match text {
            "" => Ok(Self(None)),
            text => text.parse().map(|address| Self(Some(address))),
        }
    }
}

impl SpeakerArgs {
    /// Returns the settings, and logs the arguments that have no effect. Probes and metrics are at the host's loopback
    /// unless an address is named.
    pub fn options(&self) -> SpeakerOptions {
        self.log_unused();

        let default = self.host.address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        SpeakerOptions {
            cluster: self.cluster.options(default),
            node: self.node_name.clone(),
            ignore_exclude_label: self.ignore_exclude_lb,
            on_exit: self.on_exit.into(),
            drain_marked: self.drain_marked,
            drain_withdrawn: self.drain_withdrawn,
            drain_annotation: self.drain_annotation.clone(),
            drain_taint: self.drain_taint.clone(),
            heartbeat: self.heartbeat,
        }
    }

    fn log_unused(&self) {
        let unused = &self.unused;
        let own = [
            ("--bgp-debounce-timeout", unused.bgp_debounce_timeout.is_some()),
            ("--ml-bindaddr", unused.ml_bindaddr.is_some()),
            ("--ml-bindport", unused.ml_bindport.is_some()),
            ("--ml-labels", unused.ml_labels.is_some()),
            ("--ml-secret-key-path", unused.ml_secret_key_path.is_some()),
            ("--ml-wan-config", unused.ml_wan_config.is_some()),
            ("--frrk8s-namespace", unused.frrk8s_namespace.is_some()),
            ("--frrk8s-secret-passthrough", unused.frrk8s_secret_passthrough),
        ];
        let own = own.into_iter().filter(|(_, given)| *given).map(|(name, _)| name);
        log_unused(self.cluster.metallb.given().into_iter().chain(own));
    }
}

/// Logs the arguments of MetalLB's that have no effect here.
fn log_unused(names: impl IntoIterator<Item = &'static str>) {
    let names: Vec<_> = names.into_iter().collect();
    if !names.is_empty() {
        tracing::info!(
            arguments = names.join(" "),
            "these arguments of MetalLB's have no effect here"
        );
    }
}

impl ClusterArgs {
    /// Returns the namespace of the configuration.
    fn namespace(&self) -> String {
        let given = self.namespace.clone().filter(|name| !name.is_empty());
        given.or_else(namespace_of_pod).unwrap_or_else(|| "metallb-system".to_owned())
    }

    /// Returns the name of this pod, or of the host.
    fn pod_name(&self) -> Option<String> {
        let given = self.pod.clone().filter(|name| !name.is_empty());
        given.or_else(|| variable("POD_NAME")).or_else(|| variable("HOSTNAME"))
    }

    /// Returns the settings, with the port for probes and metrics at the given address or else at this one.
    fn options(&self, default: IpAddr) -> ClusterOptions {
        let address = SocketAddr::new(self.bind_address.unwrap_or(default), self.port);
        ClusterOptions {
            kubeconfig: self.kubeconfig.clone(),
            namespace: self.namespace(),
            config_map: self.config.clone(),
            class: self.lb_class.clone(),
            pod: self.pod_name(),
            http: (self.port != 0).then_some(address),
        }
    }
}

/// The file in which a pod finds the name of its namespace.
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

fn namespace_of_pod() -> Option<String> {
    if let Some(namespace) = variable("POD_NAMESPACE") {
        return Some(namespace);
    }
    let file = std::fs::read_to_string(POD_NAMESPACE).ok()?;
    Some(file.trim().to_owned())
}

/// Returns the value of an environment variable, unless it is empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
