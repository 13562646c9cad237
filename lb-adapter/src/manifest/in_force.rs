//! Objects that configure, each judged by itself.
//!
//! ```text
//! what is written ──► read ──► an object has an error ──► its last valid version, or nothing ──► read again
//! ```
//!
//! Owns which version of each object is in force. An object with an error is left out, or stays as it was while it was
//! valid, and so does what an object needs that has not changed: a Secret that is deleted ends no session. Everything
//! else takes effect. A ConfigMap is one text, and is in force as a whole or not at all. What an error is, is the
//! readers'.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Manifests, Options, read_found};
use crate::config::yaml::Value;
use crate::config::{Diagnostic, Severity};
use crate::model::Config;

/// Which object: what is unique in a cluster.
pub(crate) trait ObjectKey: Ord + Clone {
    /// Its kind, as Kubernetes writes it.
    fn kind(&self) -> &str;
    /// Its name, without the namespace.
    fn name(&self) -> &str;
    /// What diagnostics call it: `BGPPeer metallb-system/tor`.
    fn shown(&self) -> String;
    /// Whether it makes a configuration, rather than be a part of one or none of this one's business.
    fn configures(&self, options: &Options) -> bool;
    /// The version of the API that its tree is of.
    fn api_version<'a>(&'a self, tree: &'a Value) -> &'a str;
}

/// The last valid version of each object.
#[derive(Clone, Debug)]
pub(crate) struct InForce<K> {
    objects: BTreeMap<K, Value>,
    /// Whether there has been a configuration, be it one in which everything is left out.
    is_configured: bool,
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Judged<K> {
    pub(crate) found: Configured,
    /// The configuration of what is in force; none if that is the one before, or there has been none.
    pub(crate) config: Option<Config>,
    /// What is odd about what is in force.
    #[cfg_attr(
        not(feature = "kubernetes"),
        expect(dead_code, reason = "the controller and the speaker log them")
    )]
    pub(crate) warnings: Vec<Diagnostic>,
    /// The objects with errors, none of which is in force as it is written.
    pub(crate) problems: BTreeMap<K, Vec<Diagnostic>>,
}

/// Whether there is a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Configured {
    /// There is an object that configures.
    Yes,
    /// There is none. Where resources were there before, no peer and no pool is left; where nothing was, nothing is known.
    No,
    /// There was a ConfigMap, and nothing has taken its place. As with MetalLB 0.7.3 that is a mistake, and it stays in force.
    ConfigMapGone,
}

/// Which version of an object is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Written,
    /// The last valid one, of which there is one where this is tried.
    Last,
}

type Tried<K> = BTreeMap<K, Version>;

impl<K> Default for InForce<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), is_configured: false }
    }
}

impl<K: ObjectKey> InForce<K> {
    /// Whether an object is in force, in whichever version.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.objects.contains_key(key)
    }

    /// Judges what is written, and puts in force what can be.
    pub(crate) fn judge(&mut self, options: &Options, written: &BTreeMap<K, Value>) -> Judged<K> {
        if !written.keys().any(|key| key.configures(options)) {
            return self.judge_nothing(options);
        }
        let of = Judge { options, written, last: &self.objects };
        let mut tried: Tried<K> =
            written.keys().map(|key| (key.clone(), Version::Written)).collect();
        let mut problems = BTreeMap::new();
        let mut read = of.settle(&mut tried, &mut problems);
        self.reconsider(&of, &mut tried, &mut problems, &mut read);

        let found = Configured::Yes;
        let is_whole = |key: &K| key.kind() != CONFIG_MAP || tried.contains_key(key);
        if tried.is_empty() && problems.is_empty()
            || !written.keys().filter(|key| key.configures(options)).all(is_whole)
        {
            return Judged { found, config: None, warnings: Vec::new(), problems };
        }
        let Manifests { mut config, warnings, .. } = read;
        let left_out = written.keys().filter(|key| is_pool(*key) && !tried.contains_key(key));
        config.left_out_pools = left_out.map(|key| key.name().to_owned()).collect();
        self.objects = of.versions(&tried);
        self.is_configured = true;
        Judged { found, config: Some(config), warnings, problems }
    }

    /// Nothing that is written configures.
    fn judge_nothing(&mut self, options: &Options) -> Judged<K> {
        let mut before = self.objects.keys().filter(|key| key.configures(options));
        let (found, config) = match before.any(|key| key.kind() == CONFIG_MAP) {
            true => (Configured::ConfigMapGone, None),
            false => (Configured::No, self.is_configured.then(Config::default)),
        };
        if found == Configured::No {
            *self = Self::default();
        }
        Judged { found, config, warnings: Vec::new(), problems: BTreeMap::new() }
    }

    /// Tries again what was put aside because of something that was put aside itself. The order is that of seniority, so
    /// that it does not depend on the order in which objects came.
    fn reconsider(
        &self,
        of: &Judge<'_, K>,
        tried: &mut Tried<K>,
        problems: &mut BTreeMap<K, Vec<Diagnostic>>,
        read: &mut Manifests,
    ) {
        if problems.len() < 2 || problems.len() > MOST_RECONSIDERED {
            return;
        }
        let created = |key: &K| -> Option<String> {
            let metadata = of.written.get(key)?.get("metadata")?;
            Some(metadata.get("creationTimestamp")?.text()?.to_owned())
        };
        let mut aside: Vec<_> = problems.keys().cloned().collect();
        aside.sort_by_cached_key(|key| (created(key).is_none(), created(key), key.clone()));
        for key in aside {
            let mut with = tried.clone();
            with.insert(key.clone(), Version::Written);
            if let Ok(manifests) = of.read(&with) {
                (*tried, *read) = (with, manifests);
                problems.remove(&key);
            }
        }
    }
}

/// One judgement.
struct Judge<'a, K> {
    options: &'a Options,
    written: &'a BTreeMap<K, Value>,
    last: &'a BTreeMap<K, Value>,
}

impl<K: ObjectKey> Judge<'_, K> {
    /// Puts objects aside until the rest has no error.
    fn settle(
        &self,
        tried: &mut Tried<K>,
        problems: &mut BTreeMap<K, Vec<Diagnostic>>,
    ) -> Manifests {
        loop {
            let errors = match self.read(tried) {
                Ok(manifests) => return manifests,
                Err(errors) => errors,
            };
            let names: BTreeMap<String, &K> = self.names(tried);
            let mut wrong: BTreeMap<K, Vec<Diagnostic>> = BTreeMap::new();
            for error in errors.into_iter().filter(|it| it.severity == Severity::Error) {
                if let Some(key) = names.get(&error.file) {
                    wrong.entry((*key).clone()).or_default().push(error);
                }
            }
            if wrong.is_empty() {
                // It cannot be said of any object: nothing takes effect.
                tried.clear();
                return Manifests::default();
            }
            for (key, errors) in wrong {
                self.put_aside(&key, tried);
                let told: &mut Vec<Diagnostic> = problems.entry(key).or_default();
                told.extend(errors.into_iter().filter(|it| !told.contains(it)).collect::<Vec<_>>());
            }
        }
    }

    /// Goes back to the last valid version of an object; if it is that already, to those of what it refers to; and leaves
    /// it out if nothing helps.
    fn put_aside(&self, key: &K, tried: &mut Tried<K>) {
        let Some(version) = tried.get(key).copied() else { return };
        let last = self.last.get(key);
        if version == Version::Written && last.is_some() && last != self.written.get(key) {
            tried.insert(key.clone(), Version::Last);
            return;
        }
        let restored = last.map(|last| self.restorable(key, last, tried)).unwrap_or_default();
        if restored.is_empty() {
            tried.remove(key);
        }
        tried.extend(restored.into_iter().map(|key| (key, Version::Last)));
    }

    /// What an object refers to that was another when it was valid, or was there.
    fn restorable(&self, key: &K, tree: &Value, tried: &Tried<K>) -> Vec<K> {
        let is_another = |other: &K, last: &Value| match tried.get(other) {
            Some(Version::Last) => false,
            Some(Version::Written) => self.written.get(other) != Some(last),
            None => true,
        };
        let others = self.last.iter().filter(|(other, last)| is_another(other, last));
        let needed = others.filter(|(other, last)| refers(key, tree, *other, last));
        needed.map(|(other, _)| other.clone()).collect()
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

/// Whether an object refers to another one, by the name of that or, of a community, of what is in it.
pub(crate) fn refers<K: ObjectKey>(key: &K, tree: &Value, other: &K, other_tree: &Value) -> bool {
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
/// Beyond this many nobody asks which of them might do after all.
const MOST_RECONSIDERED: usize = 50;
