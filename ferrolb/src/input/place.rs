//! The arguments that say which process to ask.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ferrolb_node::http;

use crate::Failure;
use crate::client::{Client, Place, Sockets};

/// The process to ask.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct PlaceArgs {
    /// Unix socket of the process to ask. Default: the only one in /run/ferrolb, $XDG_RUNTIME_DIR/ferrolb and
    /// $TMPDIR/ferrolb-UID.
    #[arg(long, value_name = "PATH", env = SOCKET_VARIABLE)]
    pub socket: Option<PathBuf>,
    /// Address of a process that serves HTTP, instead of a socket. Default without a socket: http://127.0.0.1:7472.
    #[arg(long, value_name = "URL", env = URL_VARIABLE)]
    pub url: Option<String>,
}

/// The process that the arguments name.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its client.
    pub(crate) client: Client,
    /// The reason why its socket is not used, if there is one.
    pub(crate) note: Option<String>,
}

#[cfg(feature = "kubernetes")]
impl Found {
    /// Returns the speaker in this pod.
    pub(crate) fn pod(pod: ferrolb_kubernetes::SpeakerPod) -> Self {
        Self { client: Client::new(Place::Pod(Box::new(pod))), note: None }
    }
}

impl PlaceArgs {
    /// Returns true if the arguments or the environment name a process.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn is_named(&self) -> bool {
        self.url.is_some() || self.socket.as_ref().is_some_and(|path| path.as_os_str() != "off")
    }

    /// Finds the process.
    ///
    /// # Errors
    ///
    /// The URL is invalid, or several processes run here and none is named.
    pub(crate) async fn find(&self) -> Result<Found, Failure> {
        if let Some(place) = self.named()? {
            return Ok(Found { client: Client::new(place), note: None });
        }

        let Sockets { mut live, forbidden } = Sockets::of(http::sockets()).await;
        let note = forbidden.first().map(|path| {
            format!("this user may not use {}: run the command as its owner", path.display())
        });
        match live.len() {
            0 => Ok(Found { client: Client::new(place_of(&default_url())?), note }),
            1 => Ok(Found { client: Client::new(Place::Socket(live.remove(0))), note: None }),
            _ => {
                let live: Vec<_> = live.iter().map(|path| path.display().to_string()).collect();
                Err(Failure::Unusable(format!(
                    "several processes run here: choose one with --socket {}",
                    live.join(" or --socket ")
                )))
            }
        }
    }

    /// Returns the place that the arguments name. A command line has precedence over the environment.
    fn named(&self) -> Result<Option<Place>, Failure> {
        // Processes know `off` as a value of the variable, which commands share with them.
        let socket = self.socket.as_ref().filter(|path| path.as_os_str() != "off");
        let is_of = |variable, value: &std::ffi::OsStr| {
            std::env::var_os(variable).is_some_and(|of_variable| of_variable == value)
        };

        match (socket, &self.url) {
            (None, None) => Ok(None),
            (None, Some(url)) => place_of(url).map(Some),
            (Some(path), None) => Ok(Some(Place::Socket(path.clone()))),
            (Some(path), Some(url)) => {
                let of_variables =
                    (is_of(SOCKET_VARIABLE, path.as_os_str()), is_of(URL_VARIABLE, url.as_ref()));
                match of_variables {
                    (true, false) => place_of(url).map(Some),
                    (_, true) => Ok(Some(Place::Socket(path.clone()))),
                    (false, false) => Err(Failure::Unusable(format!(
                        "--socket {} and --url {url} name two places: give one of them",
                        path.display()
                    ))),
                }
            }
        }
    }
}

/// Returns the URL of the process if nothing names another: that of the pod's speaker, or else the default one of `run`.
fn default_url() -> String {
    let [address, port] = [ADDRESS_VARIABLE, PORT_VARIABLE].map(|name| std::env::var(name).ok());
    url_at(address.as_deref(), port.as_deref())
}

/// Returns the URL at this address and port. A process that listens at all addresses also listens on loopback.
fn url_at(address: Option<&str>, port: Option<&str>) -> String {
    let address = address.and_then(|address| address.parse::<IpAddr>().ok());
    let address = address.filter(|address| !address.is_unspecified());
    let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    let address = address.unwrap_or_else(|| Ipv4Addr::LOCALHOST.into());
    format!("http://{}", SocketAddr::new(address, port.unwrap_or(DEFAULT_PORT)))
}

fn place_of(url: &str) -> Result<Place, Failure> {
    Place::of_url(url).ok_or_else(|| {
        Failure::Unusable(format!("--url {url}: expected http://ADDRESS:PORT, without a path"))
    })
}

const SOCKET_VARIABLE: &str = "FERROLB_SOCKET";
const URL_VARIABLE: &str = "FERROLB_URL";
const DEFAULT_PORT: u16 = 7472;
/// The variables with which the manifests say where a speaker serves. A command in its pod has them, too.
const ADDRESS_VARIABLE: &str = "FERROLB_HTTP_ADDRESS";
const PORT_VARIABLE: &str = "FERROLB_HTTP_PORT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_a_pod_asks_its_speaker() {
        assert_eq!(url_at(None, None), "http://127.0.0.1:7472");
        assert_eq!(url_at(Some("172.22.35.25"), None), "http://172.22.35.25:7472");
        assert_eq!(url_at(Some("fd00::25"), Some("7473")), "http://[fd00::25]:7473");
        for (address, port) in [("0.0.0.0", "0"), ("::", ""), ("", "http"), ("kube1", "70000")] {
            assert_eq!(
                url_at(Some(address), Some(port)),
                "http://127.0.0.1:7472",
                "{address} {port}"
            );
        }
    }
}
