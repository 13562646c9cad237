//! `ferrolb controller` and `ferrolb speaker`.
//!
//! Owns their arguments: ours, and the arguments of MetalLB's two programs that mean something here, under MetalLB's
//! names. So a manifest of MetalLB's starts our programs.

mod controller;
mod speaker;
mod unused;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ferrolb_kubernetes::ClusterOptions;
use ferrolb_node::http::TcpListen;
use ferrolb_node::log::Log;

pub use controller::ControllerArgs;
pub use speaker::{DataplaneGate, OnExit, SpeakerArgs};
use unused::UnusedArgs;

use crate::input::SocketArgs;

/// The arguments that the controller and the speaker share.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct KubernetesArgs {
    /// Kubeconfig of the API server. Default: the file that KUBECONFIG names, else the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace of the configuration. Default: that of the pod, else metallb-system.
    #[arg(long, value_name = "NAME", env = "METALLB_NAMESPACE")]
    pub namespace: Option<String>,
    /// Name of the ConfigMap, for a configuration in the format of MetalLB 0.7 to 0.12.
    #[arg(long, value_name = "NAME", default_value = "config")]
    pub config: String,
    /// Serve only Services with this spec.loadBalancerClass. Default: those without one.
    #[arg(long, value_name = "CLASS")]
    pub lb_class: Option<String>,
    /// TCP port of /v1, /metrics, /livez and /readyz; 0 for none.
    #[arg(long, value_name = "PORT", default_value_t = 7472, env = "FERROLB_HTTP_PORT")]
    pub port: u16,
    /// Address of this port. Default: for the controller, all addresses of the pod; for the speaker, which uses the
    /// network of its host, METALLB_HOST, else 127.0.0.1.
    #[arg(long, value_name = "ADDRESS", env = "FERROLB_HTTP_ADDRESS")]
    pub bind_address: Option<IpAddr>,
    /// Name of the pod. Default: POD_NAME, else the host's name.
    #[arg(long = "pod-name", value_name = "NAME", env = "METALLB_POD_NAME")]
    pub pod: Option<String>,
    /// The Unix socket and the allowed names.
    #[command(flatten)]
    pub socket: SocketArgs,
    #[command(flatten)]
    unused: UnusedArgs,
}

impl KubernetesArgs {
    /// Returns the options, with the HTTP port at `default_address` unless an address is given, and the socket of this name.
    fn options(&self, default_address: IpAddr, socket: &str) -> ClusterOptions {
        let address = SocketAddr::new(self.bind_address.unwrap_or(default_address), self.port);
        let tcp = match self.port {
            0 => TcpListen::Off,
            _ => TcpListen::Given { address, flag: "--port" },
        };
        ClusterOptions {
            kubeconfig: self.kubeconfig.clone(),
            namespace: self.namespace(),
            config_map: self.config.clone(),
            class: self.lb_class.clone(),
            pod: self.pod_name(),
            listen: self.socket.listen(tcp, socket),
            log: Log::fixed(""),
        }
    }

    /// Returns the namespace of the configuration.
    fn namespace(&self) -> String {
        let given = self.namespace.clone().filter(|name| !name.is_empty());
        let namespace =
            given.or_else(|| variable("POD_NAMESPACE")).or_else(service_account_namespace);
        namespace.unwrap_or_else(|| "metallb-system".to_owned())
    }

    /// Returns the name of this pod, or of the host.
    fn pod_name(&self) -> Option<String> {
        let given = self.pod.clone().filter(|name| !name.is_empty());
        given.or_else(|| variable("POD_NAME")).or_else(|| variable("HOSTNAME"))
    }
}

/// Returns the value of an environment variable that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the namespace that Kubernetes writes into each pod.
fn service_account_namespace() -> Option<String> {
    let text = std::fs::read_to_string(NAMESPACE_FILE).ok()?;
    Some(text.trim().to_owned())
}

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
