//! The conditions under which a Service is healthy on a node, and the consequences if it is not.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::number;

/// The conditions under which a node announces a Service normally.
///
/// By default there are none of these, and only the general rule applies: one endpoint must be ready or still serving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The number or share of endpoints that must be ready. With `externalTrafficPolicy: Local` only the node's own
    /// endpoints count.
    pub min_ready: Option<MinReady>,
    /// The probe that the node itself makes, in addition to the readiness that Kubernetes reports.
    pub probe: Option<Probe>,
    /// The time for which a Service must be healthy before it is announced normally again.
    pub hold_down: Duration,
    /// The treatment of the routes while the Service is unhealthy.
    pub when_unhealthy: WhenUnhealthy,
    /// The link bandwidth that routes carry, if they carry one.
    pub link_bandwidth: Option<LinkBandwidth>,
}

/// The minimum number of ready endpoints: `2`, or `50%` of all, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a number is absolute or relative")]
pub enum MinReady {
    /// A number of endpoints.
    Count(u32),
    /// A percentage of all endpoints, up to 100.
    Percent(u8),
}

impl MinReady {
    /// Returns true if `ready` out of `all` endpoints suffice. At least one must be ready in any case.
    pub fn is_met(self, ready: usize, all: usize) -> bool {
        let minimum = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => all.saturating_mul(percent.into()).div_ceil(100),
        };
        ready >= minimum.max(1)
    }
}

impl fmt::Display for MinReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for MinReady {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        let parsed = match text.strip_suffix('%') {
            Some(percent) => number::<u8>(percent).filter(|it| *it <= 100).map(Self::Percent),
            None => number(text).map(Self::Count),
        };
        parsed.ok_or(HealthError("a number such as 2 or a share such as 50%"))
    }
}

/// A probe that a node makes of the endpoints of a Service that run on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Probe {
    /// The kind of the probe, which decides what counts as success.
    pub kind: ProbeKind,
    /// The port of the endpoints.
    pub port: u16,
    /// The time from one attempt to the next.
    pub interval: Duration,
    /// The time within which an attempt must succeed.
    pub timeout: Duration,
    /// The number of consecutive successes that make a Service healthy.
    pub rise: NonZeroU32,
    /// The number of consecutive failures that make it unhealthy.
    pub fall: NonZeroU32,
}

impl Probe {
    /// Makes a probe with an interval of 5 s, a timeout of 1 s, a rise of 2 and a fall of 3.
    pub fn new(kind: ProbeKind, port: u16) -> Self {
        Self {
            kind,
            port,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            rise: NonZeroU32::MIN.saturating_add(1),
            fall: NonZeroU32::MIN.saturating_add(2),
        }
    }
}

/// The kind of a [`Probe`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum ProbeKind {
    /// The endpoint must accept a TCP connection.
    Tcp,
    /// The endpoint must respond to a GET of this path with a status from 200 to 399.
    Http {
        /// The path, with its leading slash.
        path: String,
    },
}

/// Displays kind, port and path: `tcp:8080`, `http:8080/healthz`.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ProbeKind::Tcp => write!(f, "tcp:{}", self.port),
            ProbeKind::Http { path } => write!(f, "http:{}{path}", self.port),
        }
    }
}

/// Parses kind, port and path. The rest is as in [`Probe::new`].
impl FromStr for Probe {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        parse_probe(text).ok_or(HealthError("a probe such as tcp:8080 or http:8080/healthz"))
    }
}

fn parse_probe(text: &str) -> Option<Probe> {
    let (kind, port) = match text.split_once(':')? {
        ("tcp", port) => (ProbeKind::Tcp, port),
        ("http", rest) => {
            let (port, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if !path.bytes().all(|octet| octet.is_ascii_graphic()) {
                return None;
            }
            let path = if path.is_empty() { "/" } else { path };
            (ProbeKind::Http { path: path.to_owned() }, port)
        }
        _ => return None,
    };

    let port = number(port).filter(|port| *port != 0)?;
    Some(Probe::new(kind, port))
}

/// The treatment of the routes of a Service that is not healthy on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a route is withdrawn or kept")]
pub enum WhenUnhealthy {
    /// The routes are withdrawn.
    #[default]
    Withdraw,
    /// The routes stay with a lower preference than those of other nodes, so that traffic still has a path if no node
    /// is healthy.
    Depreference,
}

/// The encoding of the number of endpoints in a route (the link bandwidth extended community).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct LinkBandwidth {
    /// The octets per second for each ready endpoint of the node.
    pub per_endpoint: u64,
    /// The change of the sum, in percent, from which on an update is sent.
    pub hysteresis: u8,
}

impl LinkBandwidth {
    /// Makes a link bandwidth with so many octets per second for each endpoint, and a hysteresis of 10 %.
    pub fn new(per_endpoint: u64) -> Self {
        Self { per_endpoint, hysteresis: 10 }
    }
}

/// The error for a text that its field does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct HealthError(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_never_met_without_ready_endpoints() {
        let met = |text: &str, ready, all| text.parse::<MinReady>().unwrap().is_met(ready, all);
        assert!(met("2", 2, 9) && !met("2", 1, 1));
        assert!(met("50%", 2, 3) && !met("50%", 1, 3));
        assert!(met("100%", 3, 3) && !met("100%", 2, 3));
        assert!(!met("0", 0, 0) && !met("0%", 0, 3) && met("0%", 1, 3));
        for text in ["", "%", "101%", "-1", "+1", "1.5", "4294967296"] {
            assert!(text.parse::<MinReady>().is_err(), "{text}");
        }
    }

    #[test]
    fn displayed_probes_parse_back() {
        for text in ["tcp:1", "http:8080/", "http:65535/healthz?deep=1"] {
            assert_eq!(text.parse::<Probe>().unwrap().to_string(), text);
        }
        assert_eq!("http:80".parse::<Probe>().unwrap().to_string(), "http:80/");
        for text in ["", "tcp", "tcp:0", "tcp:65536", "udp:1", "http:80/a b", "http:/", "tcp:+1"] {
            assert!(text.parse::<Probe>().is_err(), "{text}");
        }
    }
}
