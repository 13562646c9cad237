//! Objects that configure, each judged by itself.
//!
//! ```text
//! what is written ──► read ──► an object has an error ──► its last valid version, or nothing ──► read again
//! ```
//!
//! Owns which version of each object is in force. An object with an error keeps its last valid version, or is left out
//! if it has none. What an unchanged object refers to is kept as well: deleting a Secret ends no session. Everything
//! else takes effect. A ConfigMap is one text, and is in force as a whole or not at all. The readers decide what an
//! error is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Manifests, Options, read_found};
use crate::config::yaml::Value;
use crate::config::{Diagnostic, Severity, report};
use crate::model::Config;

/// The identity of an object, unique in a cluster.
pub trait ObjectKey: Ord + Clone {
    /// Its kind, as Kubernetes writes it.
    fn kind(&self) -> &str;
    /// Its name, without the namespace.
    fn name(&self) -> &str;
    /// The name that diagnostics use: `BGPPeer metallb-system/tor`.
    fn shown(&self) -> String;
    /// Returns true if it makes a configuration by itself. A Secret does not, nor does an object of another namespace.
    fn configures(&self, options: &Options) -> bool;
    /// The API version of its tree.
    fn api_version<'a>(&'a self, tree: &'a Value) -> &'a str;
}

/// The last valid version of each object.
#[derive(Clone, Debug)]
pub struct InForce<K> {
    objects: BTreeMap<K, Value>,
    /// True once there has been a configuration, even one in which every object was left out.
    is_configured: bool,
}

/// The result of a judgement.
#[derive(Clone, Debug)]
pub struct Judged<K> {
    /// The answer to whether there is a configuration.
    pub found: Configured,
    /// The configuration now in force; none if the one before stays, or if there has been none.
    pub config: Option<Config>,
    /// Oddities in what is in force.
    pub warnings: Vec<Diagnostic>,
    /// The objects with errors. None of them is in force as it is written.
    pub problems: BTreeMap<K, Vec<Diagnostic>>,
}

/// The answer to whether there is a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum Configured {
    /// There is an object that configures.
    Yes,
    /// There is none. If there were resources before, no peer and no pool is left; otherwise nothing is known yet.
    No,
    /// The ConfigMap is gone, and nothing has taken its place. That is a mistake, as in MetalLB 0.7.3, so that the last
    /// one stays in force.
    ConfigMapGone,
}

/// The version of an object that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Written,
    /// The last valid one. It is only tried where there is one.
    Last,
}

type Tried<K> = BTreeMap<K, Version>;

impl<K> Default for InForce<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), is_configured: false }
    }
}

impl<K: ObjectKey> InForce<K> {
    /// Returns true if some version of an object is in force.
    pub fn contains(&self, key: &K) -> bool {
        self.objects.contains_key(key)
    }

    /// Judges what is written, and puts in force what can be.
    pub fn judge(&mut self, options: &Options, written: &BTreeMap<K, Value>) -> Judged<K> {
        if !written.keys().any(|key| key.configures(options)) {
            return self.judge_nothing(options);
        }
        let found = Configured::Yes;
        let judge = Judge { options, written, last: &self.objects };
        let mut tried: Tried<K> =
            written.keys().map(|key| (key.clone(), Version::Written)).collect();
        let mut problems = BTreeMap::new();
        let Some(mut read) = judge.settle(&mut tried, &mut problems) else {
            return Judged { found, config: None, warnings: Vec::new(), problems };
        };
        judge.reconsider(&mut tried, &mut problems, &mut read);

        // A ConfigMap without a valid version leaves everything as it was.
        let is_left_out = |key: &K| !tried.contains_key(key);
        let mut config_maps =
            written.keys().filter(|key| key.kind() == CONFIG_MAP && key.configures(options));
        if config_maps.any(is_left_out) {
            return Judged { found, config: None, warnings: Vec::new(), problems };
        }

        let Manifests { mut config, warnings, .. } = read;
        let invalid_pools = written.keys().filter(|key| is_pool(*key) && is_left_out(key));
        config.invalid_pools = invalid_pools.map(|key| key.name().to_owned()).collect();
        self.objects = judge.versions(&tried);
        self.is_configured = true;
        Judged { found, config: Some(config), warnings, problems }
    }

    /// Judges the case in which nothing that is written configures.
    fn judge_nothing(&mut self, options: &Options) -> Judged<K> {
        let (warnings, problems) = (Vec::new(), BTreeMap::new());
        let mut before = self.objects.keys().filter(|key| key.configures(options));
        if before.any(|key| key.kind() == CONFIG_MAP) {
            return Judged { found: Configured::ConfigMapGone, config: None, warnings, problems };
        }

        let config = self.is_configured.then(Config::default);
        *self = Self::default();
        Judged { found: Configured::No, config, warnings, problems }
    }
}

/// One judgement.
struct Judge<'a, K> {
    options: &'a Options,
    written: &'a BTreeMap<K, Value>,
    last: &'a BTreeMap<K, Value>,
}

impl<K: ObjectKey> Judge<'_, K> {
    /// Puts objects aside until the rest has no error. None if an error belongs to no object, so that nothing can take
    /// effect.
    fn settle(
        &self,
        tried: &mut Tried<K>,
        problems: &mut BTreeMap<K, Vec<Diagnostic>>,
    ) -> Option<Manifests> {
        let mut given_up = BTreeSet::new();
        loop {
            let errors = match self.read(tried) {
                Ok(manifests) => return Some(manifests),
                Err(errors) => errors,
            };

            let names: BTreeMap<String, &K> = self.names(tried);
            let mut wrong: BTreeMap<K, Vec<Diagnostic>> = BTreeMap::new();
            for error in errors.into_iter().filter(|it| it.severity == Severity::Error) {
                let Some(key) = names.get(&error.file) else { continue };
                // An error that is not listed any more is found in the next round.
                if wrong.contains_key(*key) || !report::is_notice(&error) {
                    wrong.entry((*key).clone()).or_default().push(error);
                }
            }
            if wrong.is_empty() {
                return None;
            }

            for (key, errors) in wrong {
                self.put_aside(&key, tried, &mut given_up);
                let told: &mut Vec<Diagnostic> = problems.entry(key).or_default();
                told.extend(errors.into_iter().filter(|it| !told.contains(it)).collect::<Vec<_>>());
            }
        }
    }

    /// Goes back to the last valid version of an object. If that is tried already, goes back to the last valid versions
    /// of what it refers to. Leaves the object out if there are none.
    ///
    /// What is left out is given up: it does not come back for the sake of another object, so that this ends.
    fn put_aside(&self, key: &K, tried: &mut Tried<K>, given_up: &mut BTreeSet<K>) {
        let Some(version) = tried.get(key).copied() else { return };
        let last = self.last.get(key);
        if version == Version::Written && last.is_some() && last != self.written.get(key) {
            tried.insert(key.clone(), Version::Last);
            return;
        }

        let restorable = last.map(|last| self.restorable(key, last, tried)).unwrap_or_default();
        let restored: Vec<K> = restorable.into_iter().filter(|it| !given_up.contains(it)).collect();
        if restored.is_empty() {
            tried.remove(key);
            given_up.insert(key.clone());
        }
        tried.extend(restored.into_iter().map(|key| (key, Version::Last)));
    }

    /// Returns what an object refers to that has changed since the object was valid, or is gone.
    fn restorable(&self, key: &K, tree: &Value, tried: &Tried<K>) -> Vec<K> {
        let has_changed = |other: &K, last: &Value| match tried.get(other) {
            Some(Version::Last) => false,
            Some(Version::Written) => self.written.get(other) != Some(last),
            None => true,
        };
        let changed = self.last.iter().filter(|(other, last)| has_changed(other, last));
        let needed = changed.filter(|(other, last)| refers(key, tree, *other, last));
        needed.map(|(other, _)| other.clone()).collect()
    }

    /// Tries objects again that were put aside because of others that were put aside themselves. The most senior comes
    /// first, so that the result does not depend on the order in which objects came.
    fn reconsider(
        &self,
        tried: &mut Tried<K>,
        problems: &mut BTreeMap<K, Vec<Diagnostic>>,
        read: &mut Manifests,
    ) {
        if problems.len() < 2 || problems.len() > MOST_RECONSIDERED {
            return;
        }

        let created = |key: &K| -> Option<String> {
            let metadata = self.written.get(key)?.get("metadata")?;
            Some(metadata.get("creationTimestamp")?.text()?.to_owned())
        };
        let mut aside: Vec<_> = problems.keys().cloned().collect();
        aside.sort_by_cached_key(|key| (created(key).is_none(), created(key), key.clone()));

        for key in aside {
            let mut with = tried.clone();
            with.insert(key.clone(), Version::Written);
            if let Ok(manifests) = self.read(&with) {
                (*tried, *read) = (with, manifests);
                problems.remove(&key);
            }
        }
    }

    fn read(&self, tried: &Tried<K>) -> Result<Manifests, crate::config::Diagnostics> {
        let found = tried.iter().filter_map(|(key, version)| {
            let last = self.last.get(key);
            let tree = match version {
                Version::Written => self.written.get(key)?,
                Version::Last => last?,
            };
            Some(Found {
                name: key.shown(),
                api_version: key.api_version(tree),
                kind: key.kind(),
                tree,
                is_newcomer: last != Some(tree),
            })
        });
        read_found(self.options, "the configuration", found)
    }

    fn names<'b>(&self, tried: &'b Tried<K>) -> BTreeMap<String, &'b K> {
        tried.keys().map(|key| (key.shown(), key)).collect()
    }

    fn versions(&self, tried: &Tried<K>) -> BTreeMap<K, Value> {
        let version = |(key, version): (&K, &Version)| {
            let tree = match version {
                Version::Written => self.written.get(key),
                Version::Last => self.last.get(key),
            };
            Some((key.clone(), tree?.clone()))
        };
        tried.iter().filter_map(version).collect()
    }
}

/// Returns true if an object refers to another one: by its name, or to a community by an alias in it.
pub fn refers<K: ObjectKey>(key: &K, tree: &Value, other: &K, other_tree: &Value) -> bool {
    let spec = tree.get("spec");
    let text = |keys: &[&str]| {
        let value = keys.iter().try_fold(spec?, |value, key| value.get(key));
        value.and_then(Value::text)
    };
    match (key.kind(), other.kind()) {
        (CONFIG_MAP, SECRET) => true,
        ("BGPPeer", SECRET) => text(&["passwordSecret", "name"]) == Some(other.name()),
        ("BGPPeer", "BFDProfile") => text(&["bfdProfile"]) == Some(other.name()),
        ("BGPAdvertisement", "Community") => {
            let texts = |list: Option<&Value>, key: Option<&str>| -> BTreeSet<String> {
                let items = list.map_or(&[][..], Value::items).iter();
                let values = items.filter_map(|it| key.map_or(Some(it), |key| it.get(key)));
                values.filter_map(Value::text).map(str::to_owned).collect()
            };
            let wanted = texts(spec.and_then(|it| it.get("communities")), None);
            let list = other_tree.get("spec").and_then(|it| it.get("communities"));
            !wanted.is_disjoint(&texts(list, Some("name")))
        }
        _ => false,
    }
}

fn is_pool(key: &impl ObjectKey) -> bool {
    matches!(key.kind(), "IPAddressPool" | "AddressPool")
}

const CONFIG_MAP: &str = "ConfigMap";
const SECRET: &str = "Secret";
/// The most objects that are tried again; each costs a reading of the whole configuration.
const MOST_RECONSIDERED: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct PoolName(String);

    impl ObjectKey for PoolName {
        fn kind(&self) -> &str {
            "IPAddressPool"
        }

        fn name(&self) -> &str {
            &self.0
        }

        fn shown(&self) -> String {
            format!("IPAddressPool metallb-system/{}", self.0)
        }

        fn configures(&self, _options: &Options) -> bool {
            true
        }

        fn api_version<'a>(&'a self, _tree: &'a Value) -> &'a str {
            "metallb.io/v1beta1"
        }
    }

    #[test]
    fn each_of_more_invalid_objects_than_errors_are_listed_has_its_own_error() {
        let pool = |number: usize| {
            let name = format!("p{number}");
            let text = format!("metadata: {{name: {name}}}\nspec: {{addresses: [x]}}\n");
            let (mut documents, _) = yaml::documents(&text);
            (PoolName(name), documents.remove(0))
        };
        let written: BTreeMap<_, _> = (0..1_010).map(pool).collect();
        let options = Options { config_required: false, ..Options::default() };

        let problems = InForce::default().judge(&options, &written).problems;

        assert_eq!(problems.len(), written.len());
        for (key, errors) in &problems {
            let is_own = |error: &Diagnostic| error.path.starts_with("spec.addresses");
            assert!(!errors.is_empty() && errors.iter().all(is_own), "{key:?}: {errors:?}");
        }
    }
}
