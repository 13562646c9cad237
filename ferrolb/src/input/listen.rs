//! The arguments that say where a process answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use ferrolb_node::http::{Listen, Protection, SocketListen, TcpListen};

/// Where a process answers over HTTP.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct HttpArgs {
    /// Serve /v1, /livez, /readyz, /metrics and /objects over HTTP at this address; `off` for none. Default: 127.0.0.1:7472,
    /// where `ferrolb explain`, `diff` and `router-config` read /objects.
    #[arg(long, value_name = "ADDRESS:PORT", env = "FERROLB_HTTP")]
    pub http: Option<HttpAddress>,
    /// The Unix socket and the allowed names.
    #[command(flatten)]
    pub socket: SocketArgs,
}

/// Where a process takes commands.
#[derive(Clone, Debug, Args)]
#[non_exhaustive]
pub struct SocketArgs {
    /// Unix socket through which commands read and change the state of the process; `off` for none. Default: in /run/ferrolb,
    /// else in $XDG_RUNTIME_DIR/ferrolb, else in $TMPDIR/ferrolb-UID.
    #[arg(long, value_name = "PATH", env = "FERROLB_SOCKET")]
    pub socket: Option<PathBuf>,
    /// Name by which clients may call the HTTP server, besides IP addresses and localhost.
    #[arg(long, value_name = "NAME", env = "FERROLB_ALLOW_HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an argument, which only the binary uses")]
pub enum HttpAddress {
    /// None.
    Off,
    /// This one.
    At(SocketAddr),
}

impl FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == OFF {
            return Ok(Self::Off);
        }
        let address = text.parse().map_err(|_| {
            "expected an IP address and a port, such as 127.0.0.1:7472, or off".to_owned()
        })?;
        Ok(Self::At(address))
    }
}

impl HttpArgs {
    /// Returns the places to listen on: the given ones, or else `default` of the default address, and the socket of this name.
    pub(crate) fn listen(&self, default: fn(SocketAddr) -> TcpListen, name: &str) -> Listen {
        let tcp = match self.http {
            None => default(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))),
            Some(HttpAddress::Off) => TcpListen::Off,
            Some(HttpAddress::At(address)) => TcpListen::Given { address, flag: "--http" },
        };
        self.socket.listen(tcp, name)
    }
}

impl SocketArgs {
    /// Returns this address with the given socket, or else with the socket of this name.
    pub(crate) fn listen(&self, tcp: TcpListen, name: &str) -> Listen {
        let socket = match &self.socket {
            None => SocketListen::Named(name.to_owned()),
            Some(path) if path.as_os_str() == OFF => SocketListen::Off,
            Some(path) => SocketListen::Given(path.clone()),
        };
        Listen {
            tcp,
            socket,
            allowed_hosts: self.allow_host.clone(),
            // The programs of a cluster add it.
            protection: Protection::default(),
        }
    }
}

const OFF: &str = "off";
/// The port of MetalLB's metrics.
const DEFAULT_PORT: u16 = 7472;
