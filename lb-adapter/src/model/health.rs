//! When a Service counts as healthy on a node, and what follows if it does not.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use super::number;

/// What a node asks of a Service before it announces it as usual. Says nothing by default: then
/// the ordinary rule holds, one endpoint that is ready or still serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// How many of the endpoints that count (with `externalTrafficPolicy: Local` the node's own)
    /// must be ready.
    pub min_ready: Option<MinReady>,
    /// What the node itself tries, besides what Kubernetes says of the endpoints.
    pub probe: Option<Probe>,
    /// How long a Service must be healthy again before it is announced again as usual.
    pub hold_down: Duration,
    /// What is done with the routes meanwhile.
    pub when_unhealthy: WhenUnhealthy,
    /// Whether routes tell how many endpoints they lead to.
    pub link_bandwidth: Option<LinkBandwidth>,
}

/// The least number of ready endpoints: `2`, or `50%` of those there are, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a number is absolute or relative")]
pub enum MinReady {
    /// So many.
    Count(u32),
    /// So many in a hundred, up to 100.
    Percent(u8),
}

impl MinReady {
    /// Whether `ready` out of `all` endpoints are enough. None at all never are.
    pub fn is_met(self, ready: usize, all: usize) -> bool {
        let least = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => all.saturating_mul(percent.into()).div_ceil(100),
        };
        ready >= least.max(1)
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
        let read = match text.strip_suffix('%') {
            Some(percent) => number::<u8>(percent).filter(|it| *it <= 100).map(Self::Percent),
            None => number(text).map(Self::Count),
        };
        read.ok_or(HealthError("a number such as 2 or a share such as 50%"))
    }
}

/// What a node tries at the endpoints of a Service that run on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Probe {
    /// What counts as an answer.
    pub kind: ProbeKind,
    /// The port of the endpoints.
    pub port: u16,
    /// The time from one try to the next.
    pub interval: Duration,
    /// The time that an answer may take.
    pub timeout: Duration,
    /// How many answers in a row make a Service healthy.
    pub rise: NonZeroU32,
    /// How many failures in a row make it unhealthy.
    pub fall: NonZeroU32,
}

impl Probe {
    /// A probe each 5 s that waits 1 s, with 2 answers up and 3 failures down.
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

/// What a [`Probe`] takes for an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum ProbeKind {
    /// A TCP connection that is accepted.
    Tcp,
    /// A response 200 to 399 to a GET of this path.
    Http {
        /// The path, with its slash.
        path: String,
    },
}

/// Kind, port and path: `tcp:8080`, `http:8080/healthz`.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ProbeKind::Tcp => write!(f, "tcp:{}", self.port),
            ProbeKind::Http { path } => write!(f, "http:{}{path}", self.port),
        }
    }
}

/// Reads kind, port and path; the rest is as in [`Probe::new`].
impl FromStr for Probe {
    type Err = HealthError;

    fn from_str(text: &str) -> Result<Self, HealthError> {
        let read = || {
            let (kind, port) = match text.split_once(':')? {
                ("tcp", port) => (ProbeKind::Tcp, port),
                ("http", rest) => {
                    let (port, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                    let plain = path.bytes().all(|octet| octet.is_ascii_graphic());
                    let path = if path.is_empty() { "/" } else { path };
                    (ProbeKind::Http { path: plain.then(|| path.to_owned())? }, port)
                }
                _ => return None,
            };
            Some(Self::new(kind, number(port).filter(|port| *port != 0)?))
        };
        read().ok_or(HealthError("a probe such as tcp:8080 or http:8080/healthz"))
    }
}

/// What is done with the routes of a Service that is not healthy on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a route is there or not")]
pub enum WhenUnhealthy {
    /// They are withdrawn.
    #[default]
    Withdraw,
    /// They stay, so that there is a way if no node is healthy, but made worse than others'.
    Depreference,
}

/// How routes tell the number of endpoints behind them (the link bandwidth extended community).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct LinkBandwidth {
    /// Octets per second that each ready endpoint of the node counts.
    pub per_endpoint: u64,
    /// How far the number must have changed, in percent, before routers are told.
    pub hysteresis: u8,
}

impl LinkBandwidth {
    /// So many octets per second for each endpoint, and told when the sum is another by 10 %.
    pub fn new(per_endpoint: u64) -> Self {
        Self { per_endpoint, hysteresis: 10 }
    }
}

/// The text is not what its field expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct HealthError(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_never_met_by_nobody() {
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
    fn probes_read_back() {
        for text in ["tcp:1", "http:8080/", "http:65535/healthz?deep=1"] {
            assert_eq!(text.parse::<Probe>().unwrap().to_string(), text);
        }
        assert_eq!("http:80".parse::<Probe>().unwrap().to_string(), "http:80/");
        for text in ["", "tcp", "tcp:0", "tcp:65536", "udp:1", "http:80/a b", "http:/", "tcp:+1"] {
            assert!(text.parse::<Probe>().is_err(), "{text}");
        }
    }
}
