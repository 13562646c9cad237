//! The settings of the controller and the speaker, which the command line resolves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ferrolb_api::Program;
use ferrolb_node::Error;
use ferrolb_node::api::Identity;
use ferrolb_node::drain::DrainTimes;
use ferrolb_node::http::{HttpServer, Listen, StatusRequest};
use ferrolb_node::log::Log;
use kube::Client;
use tokio::sync::mpsc;

use super::access_review::AccessReview;
use super::dataplane::DataplaneOptions;
use super::election::ElectionConfig;
use super::https::{CertificateFiles, Tls};
use super::resource::{Kind, WatchTarget};

/// The settings that both programs share.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The kubeconfig file of the cluster. Default: the file that KUBECONFIG names, or else the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the configuration.
    pub namespace: String,
    /// The name of the ConfigMap, for a configuration in the format of MetalLB 0.7 to 0.12.
    pub config_map: String,
    /// The `spec.loadBalancerClass` of the Services to serve. Default: only Services without a class.
    pub class: Option<String>,
    /// The name of this pod, or of the host.
    pub pod: Option<String>,
    /// The places where the process answers. [`certificate`](Self::certificate) and [`auth`](Self::auth) set the protection.
    pub listen: Listen,
    /// The certificate of the TCP port, which is then HTTPS.
    pub certificate: Option<CertificateFiles>,
    /// The way in which readers of the TCP port get permission.
    pub auth: HttpAuth,
    /// The log.
    pub log: Log,
}

/// The settings of the controller.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// The cluster.
    pub cluster: ClusterOptions,
    /// The times of the election.
    pub election: ElectionConfig,
    /// The time for which Services keep their addresses after the last pool is gone.
    pub pool_grace_period: Duration,
}

/// The settings of the speaker.
#[derive(Clone, Debug)]
pub struct SpeakerOptions {
    /// The cluster.
    pub cluster: ClusterOptions,
    /// The name of the Node whose Services to announce.
    pub node: String,
    /// True if the label `node.kubernetes.io/exclude-from-external-load-balancers` has no effect.
    pub ignore_exclude_label: bool,
    /// The way in which sessions end when a signal ends the process.
    pub on_exit: OnExit,
    /// The times of a drain.
    pub drain: DrainTimes,
    /// The annotation of the Node that requests a drain.
    pub drain_annotation: Option<String>,
    /// The key of the taint of the Node that requests a drain.
    pub drain_taint: Option<String>,
    /// The longest time between two writes of BGPNodeStatus.
    pub heartbeat: Duration,
    /// The dataplane gate.
    pub dataplane: DataplaneOptions,
}

/// The way in which readers of the TCP port get permission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command line maps every case")]
pub enum HttpAuth {
    /// Everyone who reaches the port may read.
    #[default]
    None,
    /// The API server reviews the token of each request, and the rights of its owner.
    Kubernetes,
}

/// The way in which sessions end when a signal ends the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command line maps every case")]
pub enum OnExit {
    /// Routes carry GRACEFUL_SHUTDOWN, then they are withdrawn, then the sessions end with a Cease.
    #[default]
    Drain,
    /// The sessions end with a Cease at once.
    Withdraw,
    /// Routers with graceful restart (RFC 4724) keep the routes until this process is back.
    Restart,
}

impl ClusterOptions {
    /// Returns the configuration objects to watch.
    pub(super) fn configuration(&self) -> Vec<WatchTarget> {
        let mut watched = Vec::new();
        for kind in Kind::CONFIGURATION {
            let within = WatchTarget::within(kind, &self.namespace);
            watched.push(match kind {
                Kind::ConfigMap => within.named(&self.config_map),
                Kind::Secret => within.with_fields("type=kubernetes.io/basic-auth"),
                _ => within,
            });
        }
        watched
    }

    /// Returns the identity of a process that starts now.
    pub(super) fn process(&self, program: Program, node: Option<&str>) -> Identity {
        Identity::new(program, node.map(str::to_owned), self.log.clone())
    }

    /// Listens where the process should answer.
    pub(super) async fn listen(
        &self,
        process: &Identity,
        client: &Client,
    ) -> Result<(HttpServer, mpsc::Receiver<StatusRequest>), Error> {
        let mut listen = self.listen.clone();
        if let Some(files) = &self.certificate {
            listen.protection.encryption = Some(Arc::new(Tls::load(files.clone())?));
        }
        if self.auth == HttpAuth::Kubernetes {
            listen.protection.authorization = Some(Arc::new(AccessReview::new(client.clone())));
        }
        HttpServer::start(listen, process).await
    }
}

impl ControllerOptions {
    /// Returns the identity of this process in the Lease. A restarted pod keeps its identity.
    pub(super) fn identity(&self) -> String {
        self.cluster.pod.clone().unwrap_or_else(|| format!("pid-{}", std::process::id()))
    }
}

#[cfg(test)]
impl ControllerOptions {
    /// The defaults of the command line, with the configuration in this namespace.
    pub(super) fn of_test(namespace: &str) -> Self {
        Self {
            cluster: ClusterOptions {
                kubeconfig: None,
                namespace: namespace.to_owned(),
                config_map: "config".to_owned(),
                class: None,
                pod: None,
                listen: Listen::nowhere(),
                certificate: None,
                auth: HttpAuth::None,
                log: Log::fixed("info"),
            },
            election: ElectionConfig {
                lease_duration: Duration::from_secs(15),
                renew_deadline: Duration::from_secs(10),
                retry_period: Duration::from_secs(2),
            },
            pool_grace_period: Duration::from_secs(300),
        }
    }
}
