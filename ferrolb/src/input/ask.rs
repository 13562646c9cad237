//! Asking a running process for the objects that it knows, or the API server for those of a cluster.
//!
//! A process is asked by one GET over plain HTTP, with limits on time and size; what comes is a recording.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::Failure;
use crate::input::ConfigurationArgs;
use crate::output::Problems;

/// Which process to ask.
#[derive(Clone, Debug, Args)]
#[cfg_attr(
    feature = "kubernetes",
    command(group = clap::ArgGroup::new("api_server").args(["of_cluster", "kubeconfig"]).multiple(true))
)]
#[non_exhaustive]
pub struct ProcessArgs {
    /// Where `ferrolb run --http` answers; asked where no manifests and no recording are named.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7472", env = "FERROLB_URL")]
    pub url: String,
    /// Ask the API server of a cluster instead, as KUBECONFIG says or as a pod does.
    #[cfg(feature = "kubernetes")]
    #[arg(long = "cluster")]
    pub of_cluster: bool,
    /// Ask the API server that this file names.
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
}

impl ProcessArgs {
    /// What is asked, for messages.
    pub(crate) fn name(&self) -> String {
        if self.asks_cluster() { "the cluster".to_owned() } else { self.url.clone() }
    }

    /// Whether a cluster is asked, and no process.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn asks_cluster(&self) -> bool {
        self.of_cluster || self.kubeconfig.is_some()
    }

    /// Whether a cluster is asked, and no process.
    #[cfg(not(feature = "kubernetes"))]
    pub(crate) fn asks_cluster(&self) -> bool {
        false
    }

    /// Returns a recording of what the process knows, or of the objects of the cluster. If no namespace is named, the
    /// cluster's configuration is looked for in the namespaces that are meant, then in that of the kubeconfig's context,
    /// then in the usual ones. The recording's ConfigMap has the name that MetalLB's own manifests gave it.
    ///
    /// # Errors
    ///
    /// The URL is none, nobody answers there, or it does not tell.
    pub(crate) fn objects(
        &self,
        configuration: &ConfigurationArgs,
        meant: &BTreeSet<String>,
        problems: Problems,
    ) -> Result<Asked, Failure> {
        #[cfg(feature = "kubernetes")]
        if self.asks_cluster() {
            let kubeconfig = self.kubeconfig.as_ref();
            let (known, looked_in) = ferrolb_kubernetes::list_cluster(
                kubeconfig,
                configuration.namespace.as_deref(),
                configuration.config_map(),
                meant,
            )?;
            let namespace = known.namespace.clone();

            if !looked_in.is_empty() {
                problems.warning(&format!(
                    "there is no configuration in the namespace {}: name its namespace with --namespace",
                    looked_in.join(", nor in ")
                ));
            } else if configuration.namespace.is_none() {
                problems.note(&format!("the configuration is that of the namespace {namespace}"));
            }

            let recording = known.recording().into_bytes();
            return Ok(Asked { recording, namespace: Some(namespace) });
        }

        let _ = (configuration, meant, problems);
        let url = &self.url;
        let authority = authority(url).ok_or_else(|| {
            Failure::Unusable(format!("--url {url}: expected http://ADDRESS:PORT, without a path"))
        })?;
        let answer = get(&authority).map_err(|error| {
            Failure::Unusable(format!(
                "no answer from {url}: {error}; expected ferrolb run --http there, or --from, --url or --cluster"
            ))
        })?;
        let recording = body(&answer);
        let recording =
            recording.map_err(|why| Failure::Unusable(format!("{url}/objects: {why}")))?;
        Ok(Asked { recording, namespace: None })
    }
}

/// The answer of a process or a cluster.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) recording: Vec<u8>,
    /// The namespace of a cluster's configuration.
    pub(crate) namespace: Option<String>,
}

/// Host and port of a URL.
fn authority(url: &str) -> Option<String> {
    let authority = url.strip_prefix("http://")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if authority.is_empty() || !authority.chars().all(plain) {
        return None;
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { authority.to_owned() } else { format!("{authority}:80") })
}

/// The whole answer: HTTP/1.0, whose answers end with the connection.
fn get(authority: &str) -> io::Result<Vec<u8>> {
    let mut stream = connect(authority)?;
    let until = Instant::now() + PATIENCE;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /objects HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut octets = vec![0; 64 * 1024];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut octets) {
            Ok(0) => return Ok(answer),
            Ok(count) => answer.extend_from_slice(octets.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
        if answer.len() > MOST {
            return Err(io::Error::other(format!("more than {MOST} octets")));
        }
    }
}

/// To the first address that answers.
fn connect(authority: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What an answer brings, or why it brings nothing.
fn body(answer: &[u8]) -> Result<Vec<u8>, String> {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").ok_or("no answer of HTTP")?;
    let (head, body) = answer.split_at(end);
    let body = body.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|it| it.split(' ').nth(1)).ok_or("no answer of HTTP")?;
    if status != "200" {
        let why = String::from_utf8_lossy(body.get(..body.len().min(300)).unwrap_or_default());
        return Err(format!("{status} {}", why.trim()));
    }
    let length = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match length {
        Some(length) if length != body.len() => {
            Err(format!("the answer breaks off: {} of {length} octets", body.len()))
        }
        _ => Ok(body.to_vec()),
    }
}

/// For a connection to come about.
const CONNECT: Duration = Duration::from_secs(3);
/// For a whole answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The manifests of a large cluster several times over.
const MOST: usize = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_perhaps_a_port() {
        assert_eq!(authority("http://127.0.0.1:7472").as_deref(), Some("127.0.0.1:7472"));
        assert_eq!(authority("http://[::1]:1/").as_deref(), Some("[::1]:1"));
        assert_eq!(authority("http://[fd00::12]").as_deref(), Some("[fd00::12]:80"));
        assert_eq!(authority("http://kube1").as_deref(), Some("kube1:80"));
        for wrong in ["127.0.0.1:7472", "https://kube1", "http://", "http://a/b", "http://a b"] {
            assert_eq!(authority(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_whole_and_good_or_says_why_not() {
        let good = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(body(good).as_deref(), Ok(&b"abc"[..]));
        assert!(body(&good[..good.len() - 1]).unwrap_err().contains("2 of 3 octets"));
        assert_eq!(body(b"HTTP/1.1 404 Not Found\r\n\r\nno\n"), Err("404 no".to_owned()));
        assert!(body(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
