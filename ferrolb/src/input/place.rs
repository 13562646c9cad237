//! The arguments that say which process to ask.

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

impl PlaceArgs {
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
            0 => Ok(Found { client: Client::new(place_of(DEFAULT_URL)?), note }),
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

fn place_of(url: &str) -> Result<Place, Failure> {
    Place::of_url(url).ok_or_else(|| {
        Failure::Unusable(format!("--url {url}: expected http://ADDRESS:PORT, without a path"))
    })
}

const SOCKET_VARIABLE: &str = "FERROLB_SOCKET";
const URL_VARIABLE: &str = "FERROLB_URL";
const DEFAULT_URL: &str = "http://127.0.0.1:7472";
