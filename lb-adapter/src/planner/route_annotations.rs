//! The annotations `ferrolb.io/...` of a Service, which set attributes of its own routes as far as its pool allows.
//!
//! Owns the names of the annotations and the syntax of their values. An annotation that is malformed or not
//! allowed has no effect, and is reported as an [`InvalidAnnotation`]; it never keeps a Service from being announced.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::config::duration;
use crate::model::{
    Community, Health, LargeCommunity, MinReady, Pool, Probe, Service, WhenUnhealthy,
};

use super::service_attributes::ServiceAttributes;

/// The annotations of a Service that its pool allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteAnnotations {
    /// The attributes of its routes from every node.
    pub attributes: ServiceAttributes,
    /// The health settings: the pool's, unless an annotation overrides them.
    pub health: Health,
    /// The annotations that have no effect, sorted by name.
    pub invalid: Vec<InvalidAnnotation>,
}

/// An annotation that has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct InvalidAnnotation {
    /// The annotation's full name.
    pub annotation: String,
    /// Its value.
    pub value: String,
    /// The reason why it has no effect.
    pub error: AnnotationError,
}

/// The reason why an annotation has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AnnotationError {
    /// The value is malformed; this was expected.
    Expected(&'static str),
    /// The pool of this name does not allow the value.
    NotAllowed(String),
    /// There is no such annotation.
    Unknown,
}

impl fmt::Display for InvalidAnnotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { annotation, value, error } = self;
        match error {
            AnnotationError::Expected(expected) => {
                write!(f, "annotation {annotation}: expected {expected}, found {value:?}")
            }
            AnnotationError::NotAllowed(pool) => {
                write!(f, "annotation {annotation}: pool {pool:?} does not allow {value:?}")
            }
            AnnotationError::Unknown => {
                write!(f, "annotation {annotation}: there is no such annotation")
            }
        }
    }
}

impl RouteAnnotations {
    /// Reads the annotations of a Service whose address is from this pool.
    pub fn of(service: &Service, pool: &Pool) -> Self {
        let mut read = Self {
            attributes: ServiceAttributes::default(),
            health: pool.health.clone(),
            invalid: Vec::new(),
        };

        for (annotation, value) in service.annotations.iter() {
            let Some(name) = annotation.strip_prefix(PREFIX) else { continue };
            let value = value.trim();
            if let Err(error) = read.apply(name, value, pool) {
                read.reject(name, value, error);
            }
        }

        read.apply_probe(service, pool);
        read.invalid.sort();
        read
    }

    fn apply(&mut self, name: &str, value: &str, pool: &Pool) -> Result<(), AnnotationError> {
        let permissions = &pool.permissions;
        match name {
            "communities" => self.apply_communities(value, pool)?,
            "local-pref" => {
                let value = number(value)?;
                require(permissions.allows_local_pref(value), pool)?;
                self.attributes.local_pref = Some(value);
            }
            "med" => {
                let value = number(value)?;
                require(permissions.allows_med(value), pool)?;
                self.attributes.med = Some(value);
            }
            "prepend" => {
                let expected = "a number from 0 to 255";
                let value = value.parse().map_err(|_| AnnotationError::Expected(expected))?;
                require(value <= permissions.prepend, pool)?;
                self.attributes.prepend = value;
            }
            "min-ready" => {
                let expected = "a number such as 2 or a share such as 50%";
                let value: MinReady =
                    value.parse().map_err(|_| AnnotationError::Expected(expected))?;
                require(permissions.health, pool)?;
                self.health.min_ready = Some(value);
            }
            "hold-down" => {
                let value = seconds(value)?;
                require(permissions.health, pool)?;
                self.health.hold_down = value;
            }
            "when-unhealthy" => {
                let value = match value {
                    "withdraw" => WhenUnhealthy::Withdraw,
                    "depreference" => WhenUnhealthy::Depreference,
                    _ => return Err(AnnotationError::Expected("withdraw or depreference")),
                };
                require(permissions.health, pool)?;
                self.health.when_unhealthy = value;
            }
            // `apply_probe` reads these together, after all others.
            "probe" | "probe-interval" | "probe-timeout" | "probe-rise" | "probe-fall" => {}
            _ => return Err(AnnotationError::Unknown),
        }
        Ok(())
    }

    fn apply_communities(&mut self, value: &str, pool: &Pool) -> Result<(), AnnotationError> {
        let expected = AnnotationError::Expected(
            "communities such as 64512:100 or large:64512:1:2, separated by commas",
        );
        let mut communities = BTreeSet::new();
        let mut large_communities = BTreeSet::new();
        for text in value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            if let Some(large) = text.strip_prefix("large:") {
                let Some(large) = large_community(large) else { return Err(expected) };
                large_communities.insert(large);
            } else {
                let Some(community) = community(text) else { return Err(expected) };
                communities.insert(community);
            }
        }

        for community in &communities {
            require(pool.permissions.allows_community(*community), pool)?;
        }
        for community in &large_communities {
            require(pool.permissions.allows_large_community(*community), pool)?;
        }
        self.attributes.communities = communities;
        self.attributes.large_communities = large_communities;
        Ok(())
    }

    /// Reads the probe, and the settings of this probe or of the pool's.
    fn apply_probe(&mut self, service: &Service, pool: &Pool) {
        if let Some(value) = value_of(service, "probe") {
            match allowed_probe(value, pool) {
                Ok(probe) => self.health.probe = Some(probe),
                Err(error) => self.reject("probe", value, error),
            }
        }

        for (name, set) in PROBE_SETTINGS {
            let Some(value) = value_of(service, name) else { continue };
            // A copy, so that a setting that is not allowed leaves the probe as it is.
            let Some(mut probe) = self.health.probe.clone() else {
                let expected = "a probe in the annotation ferrolb.io/probe as well";
                self.reject(name, value, AnnotationError::Expected(expected));
                continue;
            };
            match set(&mut probe, value).and_then(|()| require(pool.permissions.health, pool)) {
                Ok(()) => self.health.probe = Some(probe),
                Err(error) => self.reject(name, value, error),
            }
        }
    }

    fn reject(&mut self, name: &str, value: &str, error: AnnotationError) {
        let annotation = format!("{PREFIX}{name}");
        self.invalid.push(InvalidAnnotation { annotation, value: value.to_owned(), error });
    }
}

fn require(allowed: bool, pool: &Pool) -> Result<(), AnnotationError> {
    if allowed { Ok(()) } else { Err(AnnotationError::NotAllowed(pool.name.clone())) }
}

fn allowed_probe(value: &str, pool: &Pool) -> Result<Probe, AnnotationError> {
    let expected = "a probe such as tcp:8080 or http:8080/healthz";
    let probe = value.parse().map_err(|_| AnnotationError::Expected(expected))?;
    require(pool.permissions.health, pool)?;
    Ok(probe)
}

/// Returns the value of one of our annotations.
fn value_of<'a>(service: &'a Service, name: &str) -> Option<&'a str> {
    let mut annotations = service.annotations.iter();
    let (_, value) = annotations.find(|(key, _)| key.strip_prefix(PREFIX) == Some(name))?;
    Some(value.trim())
}

/// Sets one field of a probe from the text of its annotation.
type SetProbeField = fn(&mut Probe, &str) -> Result<(), AnnotationError>;

const PROBE_SETTINGS: [(&str, SetProbeField); 4] = [
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

fn number(text: &str) -> Result<u32, AnnotationError> {
    text.parse().map_err(|_| AnnotationError::Expected("a number from 0 to 4294967295"))
}

fn times(text: &str) -> Result<NonZeroU32, AnnotationError> {
    let times = text.parse().ok().filter(|times: &NonZeroU32| times.get() <= 100);
    times.ok_or(AnnotationError::Expected("a number from 1 to 100"))
}

fn seconds(text: &str) -> Result<Duration, AnnotationError> {
    duration::parse(text).map_err(|_| AnnotationError::Expected("a time such as 500ms, 30s or 1m"))
}

fn probe_time(text: &str) -> Result<Duration, AnnotationError> {
    let sane = Duration::from_millis(100)..=Duration::from_secs(3600);
    let time = seconds(text).ok().filter(|time| sane.contains(time));
    time.ok_or(AnnotationError::Expected("a time from 100ms to 1h"))
}

fn community(text: &str) -> Option<Community> {
    let (asn, value) = text.split_once(':')?;
    Some(Community::new(asn.parse().ok()?, value.parse().ok()?))
}

fn large_community(text: &str) -> Option<LargeCommunity> {
    let numbers: Result<Vec<_>, _> = text.split(':').map(u32::from_str).collect();
    let [global, first, second] = numbers.ok()?[..] else { return None };
    Some(LargeCommunity::new(global, first, second))
}

/// Returns true if the planner reads an annotation of this full name. An unknown name is reported as invalid.
pub(crate) fn reads_annotation(annotation: &str) -> bool {
    annotation.starts_with(PREFIX)
}

/// The prefix of all our annotations.
const PREFIX: &str = "ferrolb.io/";
