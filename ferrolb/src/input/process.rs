//! The recording of a running process, or of the objects of a cluster.
//!
//! A process answers one GET over plain HTTP, with limits on time and size.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use clap::Args;

use super::arguments::ConfigurationArgs;
use crate::Failure;
use crate::output::Problems;

/// The process or the cluster to ask.
#[derive(Clone, Debug, Args)]
#[cfg_attr(
    feature = "kubernetes",
    command(group = clap::ArgGroup::new("api_server").args(["of_cluster", "kubeconfig"]).multiple(true))
)]
#[non_exhaustive]
pub struct ProcessArgs {
    /// Address of a running `ferrolb run --http`, which is asked if neither manifests nor a recording are given.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7472", env = "FERROLB_URL")]
    pub url: String,
    /// Ask the API server of a cluster instead: the one that KUBECONFIG names, else the pod's.
    #[cfg(feature = "kubernetes")]
    #[arg(long = "cluster")]
    pub of_cluster: bool,
    /// Ask the API server that this kubeconfig names.
    #[cfg(feature = "kubernetes")]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
}

/// The recording of a process or a cluster.
#[derive(Debug)]
pub(crate) struct FetchedRecording {
    pub(crate) recording: Vec<u8>,
    /// The namespace of a cluster's configuration.
    pub(crate) namespace: Option<String>,
}

impl ProcessArgs {
    /// Returns the name of the process or the cluster, for messages.
    pub(crate) fn name(&self) -> String {
        if self.is_cluster() { "the cluster".to_owned() } else { self.url.clone() }
    }

    /// Returns true if the arguments name a cluster rather than a process.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn is_cluster(&self) -> bool {
        self.of_cluster || self.kubeconfig.is_some()
    }

    /// Returns true if the arguments name a cluster rather than a process.
    #[cfg(not(feature = "kubernetes"))]
    pub(crate) fn is_cluster(&self) -> bool {
        false
    }

    /// Fetches the recording of the process, or of the objects of the cluster.
    ///
    /// If the arguments name no namespace, the configuration of a cluster is looked for in `namespaces`, then in the
    /// namespace of the kubeconfig's context, then in the usual ones. The ConfigMap in the recording has the name that
    /// MetalLB's own manifests give it.
    ///
    /// # Errors
    ///
    /// The URL is invalid, or the process or API server cannot be reached or responds with an error.
    pub(crate) fn fetch(
        &self,
        configuration: &ConfigurationArgs,
        namespaces: &BTreeSet<String>,
        problems: Problems,
    ) -> Result<FetchedRecording, Failure> {
        #[cfg(feature = "kubernetes")]
        if self.is_cluster() {
            return self.fetch_from_cluster(configuration, namespaces, problems);
        }

        let _ = (configuration, namespaces, problems);
        self.fetch_from_process()
    }

    #[cfg(feature = "kubernetes")]
    fn fetch_from_cluster(
        &self,
        configuration: &ConfigurationArgs,
        namespaces: &BTreeSet<String>,
        problems: Problems,
    ) -> Result<FetchedRecording, Failure> {
        let (objects, searched) = ferrolb_kubernetes::list_cluster(
            self.kubeconfig.as_ref(),
            configuration.namespace.as_deref(),
            configuration.config_map(),
            namespaces,
        )?;
        let namespace = objects.namespace.clone();

        if !searched.is_empty() {
            problems.warning(&format!(
                "there is no configuration in the namespace {}: give its namespace with --namespace",
                searched.join(" or ")
            ));
        } else if configuration.namespace.is_none() {
            problems.note(&format!("using the configuration in the namespace {namespace}"));
        }

        let recording = objects.recording().into_bytes();
        Ok(FetchedRecording { recording, namespace: Some(namespace) })
    }

    fn fetch_from_process(&self) -> Result<FetchedRecording, Failure> {
        let url = &self.url;
        let authority = authority(url).ok_or_else(|| {
            Failure::Unusable(format!("--url {url}: expected http://ADDRESS:PORT, without a path"))
        })?;

        let response = get(&authority).map_err(|error| {
            Failure::Unusable(format!(
                "no response from {url}: {error}; start ferrolb run with --http, or use --from, --url or --cluster"
            ))
        })?;
        let recording = body(&response)
            .map_err(|error| Failure::Unusable(format!("{url}/objects: {error}")))?;
        Ok(FetchedRecording { recording, namespace: None })
    }
}

/// Returns host and port of a URL; `None` if it has anything else.
fn authority(url: &str) -> Option<String> {
    let authority = url.strip_prefix("http://")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.is_empty() || !authority.chars().all(is_authority_char) {
        return None;
    }

    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { authority.to_owned() } else { format!("{authority}:80") })
}

fn is_authority_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']')
}

/// Returns the response to a GET of `/objects`. In HTTP/1.0 it ends with the connection.
fn get(authority: &str) -> io::Result<Vec<u8>> {
    let mut stream = connect(authority)?;
    let deadline = Instant::now() + RESPONSE_TIMEOUT;
    stream.set_write_timeout(Some(RESPONSE_TIMEOUT))?;
    write!(stream, "GET /objects HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;

    let mut response = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(remaining))?;

        match stream.read(&mut buffer) {
            Ok(0) => return Ok(response),
            Ok(count) => response.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
        if response.len() > MAX_RESPONSE {
            return Err(io::Error::other(format!("more than {MAX_RESPONSE} octets")));
        }
    }
}

/// Connects to the first address that accepts.
fn connect(authority: &str) -> io::Result<TcpStream> {
    let mut last_error = io::Error::other("the name has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Returns the body of a response with status 200, or an error message.
fn body(response: &[u8]) -> Result<Vec<u8>, String> {
    const NOT_HTTP: &str = "not an HTTP response";

    let end = response.windows(4).position(|octets| octets == b"\r\n\r\n").ok_or(NOT_HTTP)?;
    let (head, body) = response.split_at(end);
    let body = body.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();

    let status_line = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")).ok_or(NOT_HTTP)?;
    let status = status_line.split(' ').nth(1).ok_or(NOT_HTTP)?;
    if status != "200" {
        let message = body.get(..body.len().min(MAX_ERROR)).unwrap_or_default();
        return Err(format!("{status} {}", String::from_utf8_lossy(message).trim()));
    }

    // Without a length, nothing shows that the connection was cut.
    let length = lines.filter_map(|line| line.split_once(':')).find_map(content_length);
    if let Some(length) = length.filter(|length| *length != body.len()) {
        return Err(format!("truncated response: {} of {length} octets", body.len()));
    }
    Ok(body.to_vec())
}

/// Returns the value of a header field if it is the length of the body.
fn content_length((name, value): (&str, &str)) -> Option<usize> {
    if !name.eq_ignore_ascii_case("content-length") {
        return None;
    }
    value.trim().parse().ok()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15);
/// Several times the manifests of a large cluster.
const MAX_RESPONSE: usize = 256 * 1024 * 1024;
/// The part of an error response that is shown.
const MAX_ERROR: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_may_have_a_port() {
        assert_eq!(authority("http://127.0.0.1:7472").as_deref(), Some("127.0.0.1:7472"));
        assert_eq!(authority("http://[::1]:1/").as_deref(), Some("[::1]:1"));
        assert_eq!(authority("http://[fd00::12]").as_deref(), Some("[fd00::12]:80"));
        assert_eq!(authority("http://kube1").as_deref(), Some("kube1:80"));
        for wrong in ["127.0.0.1:7472", "https://kube1", "http://", "http://a/b", "http://a b"] {
            assert_eq!(authority(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_response_that_is_incomplete_or_not_200_is_an_error() {
        let good = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(body(good).as_deref(), Ok(&b"abc"[..]));
        assert!(body(&good[..good.len() - 1]).unwrap_err().contains("2 of 3 octets"));
        assert_eq!(body(b"HTTP/1.1 404 Not Found\r\n\r\nno\n"), Err("404 no".to_owned()));
        assert!(body(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
