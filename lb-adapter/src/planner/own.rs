//! What a Service says of its own routes, as far as its pool lets it.
//!
//! Owns the annotations `ferrolb.io/...` of Services: their names, what is read from them, and what
//! a Service that is not healthy looks like to routers. An annotation that cannot be read or is not
//! allowed has no effect, and a [`Complaint`] says so: no Service goes off the air for it.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::config::duration;
use crate::model::{
    Community, ExternalTrafficPolicy, Health, LargeCommunity, LinkBandwidth, MinReady, Pool, Probe,
    Service, WhenUnhealthy,
};

use super::reason::Reason;
use super::scene::{Probed, Subject};

/// What one Service adds to the attributes of its routes from one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Own {
    /// COMMUNITIES to add (RFC 1997).
    pub communities: BTreeSet<Community>,
    /// LARGE_COMMUNITY to add (RFC 8092).
    pub large_communities: BTreeSet<LargeCommunity>,
    /// LOCAL_PREF in place of that of the advertisement, for internal peers.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// How often the own AS stands before the path besides the once that every speaker puts it
    /// there; for external peers.
    pub prepend: u8,
    /// Whether the Service is not healthy here, and other nodes should be preferred.
    pub depreferenced: bool,
    /// The link bandwidth in octets per second, and how far it must move to be told, in percent.
    pub bandwidth: Option<(u64, u8)>,
}

impl Own {
    /// Whether nothing is added.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What a Service says for its routes from a node; and whether it is healthy enough to have any.
    pub(super) fn of(
        subject: &Subject<'_>,
        pool: &Pool,
        node: &str,
        probing: bool,
    ) -> (Self, Result<(), Reason>) {
        let wishes = Wishes::of(subject.service, pool);
        let mut own = wishes.own;
        let policy = subject.service.external_traffic_policy;
        let count = subject.endpoints.counting(policy, node);
        if policy == ExternalTrafficPolicy::Local
            && let Some(LinkBandwidth { per_endpoint, hysteresis, .. }) =
                wishes.health.link_bandwidth
        {
            let ready = u64::try_from(count.ready).unwrap_or(u64::MAX);
            own.bandwidth = Some((per_endpoint.saturating_mul(ready), hysteresis));
        }
        let ready = match wishes.health.min_ready {
            Some(least) if !least.is_met(count.ready, count.all) => {
                let (ready, all) = (count.ready, count.all);
                Err(Reason::TooFewReady { ready, all, least })
            }
            _ => Ok(()),
        };
        let answers = match (&wishes.health.probe, subject.probed) {
            (None, _) | (Some(_), Some(Probed::Up)) => Ok(()),
            (Some(_), None) if !probing => Ok(()),
            (Some(probe), None) => Err(Reason::NotProbed { probe: probe.to_string() }),
            (Some(_), Some(Probed::Held)) => {
                Err(Reason::HeldDown { hold_down: wishes.health.hold_down })
            }
            (Some(probe), Some(Probed::Down(why))) => {
                Err(Reason::ProbeFailed { probe: probe.to_string(), why: why.clone() })
            }
        };
        let healthy = ready.and(answers);
        match wishes.health.when_unhealthy {
            WhenUnhealthy::Depreference if healthy.is_err() => {
                own.depreferenced = true;
                (own, Ok(()))
            }
            _ => (own, healthy),
        }
    }
}

/// What a Service's annotations say, once its pool was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wishes {
    /// For its routes, from whichever node.
    pub own: Own,
    /// When it counts as healthy: as its pool says, where it says nothing itself.
    pub health: Health,
    /// What has no effect, in the order of the annotations' names.
    pub complaints: Vec<Complaint>,
}

/// An annotation that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Complaint {
    /// The annotation's whole name.
    pub annotation: String,
    /// Its value.
    pub value: String,
    /// Why it has none.
    pub why: Why,
}

/// Why an annotation has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Why {
    /// It is not what it should be: this.
    Expected(&'static str),
    /// The pool of this name does not allow it.
    NotAllowed(String),
    /// There is no such annotation.
    Unknown,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { annotation, value, why } = self;
        match why {
            Why::Expected(expected) => {
                write!(f, "annotation {annotation}: expected {expected}, found {value:?}")
            }
            Why::NotAllowed(pool) => {
                write!(f, "annotation {annotation}: pool {pool:?} does not allow {value:?}")
            }
            Why::Unknown => write!(f, "annotation {annotation}: there is no such annotation"),
        }
    }
}

impl Wishes {
    /// Reads the annotations of a Service that has its address of this pool.
    pub fn of(service: &Service, pool: &Pool) -> Self {
        let mut wishes =
            Self { own: Own::default(), health: pool.health.clone(), complaints: Vec::new() };
        for (annotation, value) in service.annotations.iter() {
            let Some(name) = annotation.strip_prefix(PREFIX) else { continue };
            let value = value.trim();
            if let Err(why) = wishes.take(name, value, pool) {
                let (annotation, value) = (annotation.to_owned(), value.to_owned());
                wishes.complaints.push(Complaint { annotation, value, why });
            }
        }
        wishes.take_probe(service, pool);
        wishes
    }

    fn take(&mut self, name: &str, value: &str, pool: &Pool) -> Result<(), Why> {
        let allowed = |allowed: bool| match allowed {
            true => Ok(()),
            false => Err(Why::NotAllowed(pool.name.clone())),
        };
        let permissions = &pool.permissions;
        match name {
            "communities" => self.take_communities(value, pool)?,
            "local-pref" => {
                let value = number(value)?;
                allowed(permissions.allows_local_pref(value))?;
                self.own.local_pref = Some(value);
            }
            "med" => {
                let value = number(value)?;
                allowed(permissions.allows_med(value))?;
                self.own.med = Some(value);
            }
            "prepend" => {
                let value = value.parse().map_err(|_| Why::Expected("a number from 0 to 255"))?;
                allowed(value <= permissions.prepend)?;
                self.own.prepend = value;
            }
            "min-ready" => {
                let expected = "a number such as 2 or a share such as 50%";
                let value: MinReady = value.parse().map_err(|_| Why::Expected(expected))?;
                allowed(permissions.health)?;
                self.health.min_ready = Some(value);
            }
            "hold-down" => {
                let value = seconds(value)?;
                allowed(permissions.health)?;
                self.health.hold_down = value;
            }
            "when-unhealthy" => {
                let value = match value {
                    "withdraw" => WhenUnhealthy::Withdraw,
                    "depreference" => WhenUnhealthy::Depreference,
                    _ => return Err(Why::Expected("withdraw or depreference")),
                };
                allowed(permissions.health)?;
                self.health.when_unhealthy = value;
            }
            // Together, once the others are known.
            "probe" | "probe-interval" | "probe-timeout" | "probe-rise" | "probe-fall" => {}
            _ => return Err(Why::Unknown),
        }
        Ok(())
    }

    fn take_communities(&mut self, value: &str, pool: &Pool) -> Result<(), Why> {
        let expected =
            || Why::Expected("communities such as 64512:100 or large:64512:1:2, with commas");
        let (mut communities, mut large_communities) = (BTreeSet::new(), BTreeSet::new());
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            if let Some(large) = text.strip_prefix("large:") {
                large_communities.insert(large_community(large).ok_or_else(expected)?);
            } else {
                communities.insert(community(text).ok_or_else(expected)?);
            }
        }
        let permissions = &pool.permissions;
        let allowed = communities.iter().all(|it| permissions.allows_community(*it))
            && large_communities.iter().all(|it| permissions.allows_large_community(*it));
        if !allowed {
            return Err(Why::NotAllowed(pool.name.clone()));
        }
        (self.own.communities, self.own.large_communities) = (communities, large_communities);
        Ok(())
    }

    /// The probe, and the details of it or of the pool's.
    fn take_probe(&mut self, service: &Service, pool: &Pool) {
        let named = |name: &str| {
            let mut annotations = service.annotations.iter();
            let (annotation, value) =
                annotations.find(|(key, _)| key.strip_prefix(PREFIX) == Some(name))?;
            Some((annotation.to_owned(), value.trim().to_owned()))
        };
        let mut probe = self.health.probe.clone();
        if let Some((annotation, value)) = named("probe") {
            let read = value.parse::<Probe>();
            let read =
                read.map_err(|_| Why::Expected("a probe such as tcp:8080 or http:8080/healthz"));
            match read.and_then(|read| self.may_probe(pool).map(|()| read)) {
                Ok(read) => probe = Some(read),
                Err(why) => self.complaints.push(Complaint { annotation, value, why }),
            }
        }
        for (name, set) in DETAILS {
            let Some((annotation, value)) = named(name) else { continue };
            let mut changed = probe.clone();
            let read = match &mut changed {
                Some(probe) => set(probe, &value),
                None => Err(Why::Expected("a probe beside it, in the annotation ferrolb.io/probe")),
            };
            match read.and_then(|()| self.may_probe(pool)) {
                Ok(()) => probe = changed,
                Err(why) => self.complaints.push(Complaint { annotation, value, why }),
            }
        }
        self.health.probe = probe;
        self.complaints.sort();
    }

    fn may_probe(&self, pool: &Pool) -> Result<(), Why> {
        match pool.permissions.health {
            true => Ok(()),
            false => Err(Why::NotAllowed(pool.name.clone())),
        }
    }
}

/// Sets one detail of a probe from the text of its annotation.
type Detail = fn(&mut Probe, &str) -> Result<(), Why>;

const DETAILS: [(&str, Detail); 4] = [
    ("probe-interval", |probe, text| {
        probe.interval = probe_time(text)?;
        Ok(())
    }),
    ("probe-timeout", |probe, text| {
        probe.timeout = probe_time(text)?;
        Ok(())
    }),
    ("probe-rise", |probe, text| {
        probe.rise = times(text)?;
        Ok(())
    }),
    ("probe-fall", |probe, text| {
        probe.fall = times(text)?;
        Ok(())
    }),
];

fn number(text: &str) -> Result<u32, Why> {
    text.parse().map_err(|_| Why::Expected("a number from 0 to 4294967295"))
}

fn times(text: &str) -> Result<NonZeroU32, Why> {
    let times = text.parse().ok().filter(|times: &NonZeroU32| times.get() <= 100);
    times.ok_or(Why::Expected("a number from 1 to 100"))
}

fn seconds(text: &str) -> Result<Duration, Why> {
    duration::parse(text).map_err(|_| Why::Expected("a time such as 500ms, 30s or 1m"))
}

fn probe_time(text: &str) -> Result<Duration, Why> {
    let sane = Duration::from_millis(100)..=Duration::from_secs(3600);
    let time = seconds(text).ok().filter(|time| sane.contains(time));
    time.ok_or(Why::Expected("a time from 100ms to 1h"))
}

fn community(text: &str) -> Option<Community> {
    let (asn, value) = text.split_once(':')?;
    Some(Community::new(asn.parse().ok()?, value.parse().ok()?))
}

fn large_community(text: &str) -> Option<LargeCommunity> {
    let mut parts = text.split(':').map(u32::from_str);
    let mut next = || parts.next()?.ok();
    let community = LargeCommunity::new(next()?, next()?, next()?);
    parts.next().is_none().then_some(community)
}

/// Whether an annotation of this name is one of ours, whether it means something or not.
pub(crate) fn is_read(annotation: &str) -> bool {
    annotation.starts_with(PREFIX)
}

/// What the annotations of our own begin with.
const PREFIX: &str = "ferrolb.io/";
