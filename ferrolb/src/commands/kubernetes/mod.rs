//! `ferrolb controller` and `ferrolb speaker`.
//!
//! Owns their arguments: ours, and the arguments of MetalLB's two programs that mean something here, under MetalLB's
//! names. So a manifest of MetalLB's starts our programs.

mod controller;
mod speaker;
mod unused;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ferrolb_kubernetes::{self as kubernetes, CertificateFiles, ClusterOptions};
use ferrolb_node::http::TcpListen;
use ferrolb_node::log::Log;

pub use controller::ControllerArgs;
pub use speaker::{DataplaneGate, OnExit, SpeakerArgs};
use unused::UnusedArgs;

use crate::Failure;
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
    /// TCP port of /v1, /metrics, /livez, /readyz and the page; 0 for none.
    #[arg(long, value_name = "PORT", default_value_t = 7472, env = "FERROLB_HTTP_PORT")]
    pub port: u16,
    /// Address of this port. Default: for the controller, all addresses of the pod; for the speaker, which uses the
    /// network of its host, METALLB_HOST, else 127.0.0.1.
    #[arg(long, value_name = "ADDRESS", env = "FERROLB_HTTP_ADDRESS")]
    pub bind_address: Option<IpAddr>,
    /// File with the certificate of this port, in PEM. The port is then HTTPS, with TLS 1.3. A changed file is read again.
    #[arg(
        long,
        value_name = "FILE",
        env = "FERROLB_TLS_CERT_FILE",
        requires = "tls_private_key_file"
    )]
    pub tls_cert_file: Option<PathBuf>,
    /// File with the private key of the certificate, in PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "FERROLB_TLS_PRIVATE_KEY_FILE",
        requires = "tls_cert_file"
    )]
    pub tls_private_key_file: Option<PathBuf>,
    /// Who may read this port, apart from /livez and /readyz, which are always open.
    #[arg(long, value_enum, default_value_t, env = "FERROLB_HTTP_AUTH")]
    pub http_auth: HttpAuth,
    /// Name of the pod. Default: POD_NAME, else the host's name.
    #[arg(long = "pod-name", value_name = "NAME", env = "METALLB_POD_NAME")]
    pub pod: Option<String>,
    /// The Unix socket and the allowed names.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// MetalLB's name for the folder of the certificate and its key. Empty: there is none.
    #[arg(long, hide = true, value_name = "FOLDER")]
    metrics_cert_dir: Option<String>,
    #[command(flatten)]
    unused: UnusedArgs,
}

/// Who may read the HTTP port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "an argument, which only the binary uses")]
pub enum HttpAuth {
    /// Everyone who reaches it.
    #[default]
    None,
    /// Those whose token the API server knows, and whom it allows to get the path. Needs HTTPS.
    Kubernetes,
}

impl From<HttpAuth> for kubernetes::HttpAuth {
    fn from(auth: HttpAuth) -> Self {
        match auth {
            HttpAuth::None => Self::None,
            HttpAuth::Kubernetes => Self::Kubernetes,
        }
    }
}

impl KubernetesArgs {
    /// Returns the options, with the HTTP port at `default_address` unless an address is given, and the socket of this name.
    ///
    /// # Errors
    ///
    /// Tokens would cross the network in clear text.
    fn options(&self, default_address: IpAddr, socket: &str) -> Result<ClusterOptions, Failure> {
        let address = SocketAddr::new(self.bind_address.unwrap_or(default_address), self.port);
        let tcp = match self.port {
            0 => TcpListen::Off,
            _ => TcpListen::Given { address, flag: "--port" },
        };
        let certificate = self.certificate();
        if self.http_auth == HttpAuth::Kubernetes && certificate.is_none() {
            return Err(Failure::Unusable(
                "--http-auth=kubernetes needs --tls-cert-file and --tls-private-key-file: without HTTPS, tokens would cross \
                 the network in clear text"
                    .to_owned(),
            ));
        }
        Ok(ClusterOptions {
            kubeconfig: self.kubeconfig.clone(),
            namespace: self.namespace(),
            config_map: self.config.clone(),
            class: self.lb_class.clone(),
            pod: self.pod_name(),
            listen: self.socket.listen(tcp, socket),
            certificate,
            auth: self.http_auth.into(),
            log: Log::fixed(""),
        })
    }

    /// Returns the files of the certificate: the given ones, or else those in the folder that MetalLB's argument names.
    fn certificate(&self) -> Option<CertificateFiles> {
        if let (Some(certificate), Some(key)) = (&self.tls_cert_file, &self.tls_private_key_file) {
            return Some(CertificateFiles { certificate: certificate.clone(), key: key.clone() });
        }
        let folder = self.metrics_cert_dir.as_ref().filter(|folder| !folder.is_empty())?;
        let folder = Path::new(folder);
        Some(CertificateFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") })
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
