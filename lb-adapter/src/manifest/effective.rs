//! The objects of a configuration that are in force, each checked by itself.
//!
//! ```text
//! objects as written ──► read ──► an object has an error ──► its last valid version, or nothing ──► read again
//! ```
//!
//! Owns the version of each object that is in force. An object with an error keeps its last valid version, or is left out if
//! it has none. The objects that an unchanged object refers to are kept as well: deleting a Secret ends no session. Everything
//! else takes effect. A ConfigMap is one text, and is in force as a whole or not at all. The readers decide what an error is.

use std::collections::{BTreeMap, BTreeSet};

use super::collector::ApiObject;
use super::manifests::Manifests;
use super::options::Options;
use super::parse::read_api_objects;
use crate::config::tree::Value;
use crate::config::yaml;
use crate::config::{Diagnostic, Diagnostics, Severity, report};
use crate::model::Config;

/// The identity of an object, unique in a cluster.
pub trait ObjectKey: Ord + Clone {
    /// Returns its kind, as Kubernetes spells it.
    fn kind(&self) -> &str;
    /// Returns its name, without the namespace.
    fn name(&self) -> &str;
    /// Returns the name that diagnostics use: `BGPPeer metallb-system/tor`.
    fn shown(&self) -> String;
    /// Returns true if it makes a configuration by itself. A Secret does not, nor does an object of another namespace.
    fn configures(&self, options: &Options) -> bool;
    /// Returns the API version of its tree.
    fn api_version<'a>(&'a self, tree: &'a Value) -> &'a str;
}

/// The last valid version of each object.
#[derive(Clone, Debug)]
pub struct EffectiveObjects<K> {
    objects: BTreeMap<K, Value>,
    /// True once there has been a configuration, even one in which every object was left out.
    is_configured: bool,
}

/// The result of an update.
#[derive(Clone, Debug)]
pub struct UpdateResult<K> {
    /// The presence of a configuration.
    pub presence: ConfigPresence,
    /// The configuration now in force; none if the previous one stays, or if there has been none.
    pub config: Option<Config>,
    /// Warnings about the objects in force.
    pub warnings: Vec<Diagnostic>,
    /// The objects with errors. None of them is in force as it is written.
    pub problems: BTreeMap<K, Vec<Diagnostic>>,
}

/// The presence of a configuration among the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum ConfigPresence {
    /// There is an object of the configuration.
    Present,
    /// There is none. If there were resources before, no peer and no pool is left; otherwise nothing is known yet.
    Absent,
    /// The ConfigMap was deleted and nothing has taken its place. As in MetalLB 0.7.3 this counts as a mistake, so that the
    /// last configuration stays in force.
    ConfigMapDeleted,
}

/// The version of an object to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ObjectVersion {
    /// The version as it is written.
    Written,
    /// The last valid version. It is only tried if there is one.
    LastValid,
}

/// The objects to try together.
type Candidates<K> = BTreeMap<K, ObjectVersion>;

impl<K> Default for EffectiveObjects<K> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), is_configured: false }
    }
}

impl<K: ObjectKey> EffectiveObjects<K> {
    /// Returns true if some version of an object is in force.
    pub fn contains(&self, key: &K) -> bool {
        self.objects.contains_key(key)
    }

    /// Returns the objects in force.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Value)> {
        self.objects.iter()
    }

    /// Checks the objects as they are written, and puts every valid one in force.
    pub fn update(&mut self, options: &Options, written: &BTreeMap<K, Value>) -> UpdateResult<K> {
        if !written.keys().any(|key| key.configures(options)) {
            return self.update_without_configuration(options);
        }

        let update = Update { options, written, last_valid: &self.objects };
        let mut candidates: Candidates<K> =
            written.keys().map(|key| (key.clone(), ObjectVersion::Written)).collect();
        let mut problems = BTreeMap::new();
        let presence = ConfigPresence::Present;
        let Some(mut read) = update.settle(&mut candidates, &mut problems) else {
            return UpdateResult { presence, config: None, warnings: Vec::new(), problems };
        };
        update.reconsider(&mut candidates, &mut problems, &mut read);

        // A ConfigMap without a valid version leaves everything as it was.
        let left_out: Vec<&K> =
            written.keys().filter(|key| !candidates.contains_key(*key)).collect();
        if left_out.iter().any(|key| key.kind() == CONFIG_MAP && key.configures(options)) {
            return UpdateResult { presence, config: None, warnings: Vec::new(), problems };
        }

        let Manifests { mut config, warnings, .. } = read;
        let invalid_pools = left_out.into_iter().filter(|key| is_pool(*key));
        config.invalid_pools = invalid_pools.map(|key| key.name().to_owned()).collect();
        self.objects = update.versions(&candidates);
        self.is_configured = true;
        UpdateResult { presence, config: Some(config), warnings, problems }
    }

    /// Updates to objects that contain no configuration.
    fn update_without_configuration(&mut self, options: &Options) -> UpdateResult<K> {
        let (warnings, problems) = (Vec::new(), BTreeMap::new());
        let had_config_map =
            self.objects.keys().any(|key| key.kind() == CONFIG_MAP && key.configures(options));
        if had_config_map {
            let presence = ConfigPresence::ConfigMapDeleted;
            return UpdateResult { presence, config: None, warnings, problems };
        }

        let config = self.is_configured.then(Config::default);
        *self = Self::default();
        UpdateResult { presence: ConfigPresence::Absent, config, warnings, problems }
    }
}

/// An update that is under way.
struct Update<'a, K> {
    options: &'a Options,
    written: &'a BTreeMap<K, Value>,
    last_valid: &'a BTreeMap<K, Value>,
}

impl<K: ObjectKey> Update<'_, K> {
    /// Sets objects aside until the rest has no error. Returns `None` if an error belongs to no object, so that nothing can
    /// take effect.
    fn settle(
        &self,
        candidates: &mut Candidates<K>,
        problems: &mut BTreeMap<K, Vec<Diagnostic>>,
    ) -> Option<Manifests> {
        let mut given_up = BTreeSet::new();
        loop {
            let errors = match self.read(candidates) {
                Ok(manifests) => return Some(manifests),
                Err(errors) => errors,
            };

            let errors = errors_by_object(errors, candidates);
            if errors.is_empty() {
                return None;
            }
            for (key, errors) in errors {
                self.put_aside(&key, candidates, &mut given_up);

                let known: &mut Vec<Diagnostic> = problems.entry(key).or_default();
                for error in errors {
                    if !known.contains(&error) {
                        known.push(error);
                    }
                }
            }
        }
    }

    /// Goes back to the last valid version of an object. If that is tried already, goes back to the last valid versions of
    /// the objects that it refers to. Leaves the object out if there are none.
    ///
    /// An object that is left out does not come back for the sake of another object. So the search always ends.
    fn put_aside(&self, key: &K, candidates: &mut Candidates<K>, given_up: &mut BTreeSet<K>) {
        let Some(version) = candidates.get(key).copied() else { return };

        let last_valid = self.last_valid.get(key);
        let has_changed = last_valid.is_some() && last_valid != self.written.get(key);
        if version == ObjectVersion::Written && has_changed {
            candidates.insert(key.clone(), ObjectVersion::LastValid);
            return;
        }

        let mut restored = match last_valid {
            Some(tree) => self.changed_references(key, tree, candidates),
            None => Vec::new(),
        };
        restored.retain(|key| !given_up.contains(key));
        if restored.is_empty() {
            candidates.remove(key);
            given_up.insert(key.clone());
        }
        candidates.extend(restored.into_iter().map(|key| (key, ObjectVersion::LastValid)));
    }

    /// Returns the objects that an object refers to and that have changed or gone since it was valid.
    fn changed_references(&self, key: &K, tree: &Value, candidates: &Candidates<K>) -> Vec<K> {
        let mut references = Vec::new();
        for (other, last_valid) in self.last_valid {
            let has_changed = match candidates.get(other) {
                Some(ObjectVersion::LastValid) => false,
                Some(ObjectVersion::Written) => self.written.get(other) != Some(last_valid),
                None => true,
            };
            if has_changed && refers(key, tree, other, last_valid) {
                references.push(other.clone());
            }
        }
        references
    }

    /// Retries objects that were set aside because of others that were set aside themselves. The most senior one comes
    /// first, so that the result does not depend on the order in which objects came.
    fn reconsider(
        &self,
        candidates: &mut Candidates<K>,
        problems: &mut BTreeMap<K, Vec<Diagnostic>>,
        read: &mut Manifests,
    ) {
        if problems.len() < 2 || problems.len() > MOST_RECONSIDERED {
            return;
        }

        let mut aside: Vec<K> = problems.keys().cloned().collect();
        aside.sort_by_cached_key(|key| {
            let created = self.created(key);
            (created.is_none(), created, key.clone())
        });

        for key in aside {
            let mut with_key = candidates.clone();
            with_key.insert(key.clone(), ObjectVersion::Written);
            if let Ok(manifests) = self.read(&with_key) {
                (*candidates, *read) = (with_key, manifests);
                problems.remove(&key);
            }
        }
    }

    /// Returns the creation timestamp of an object as it is written.
    fn created(&self, key: &K) -> Option<String> {
        let metadata = self.written.get(key)?.get("metadata")?;
        Some(metadata.get("creationTimestamp")?.text()?.to_owned())
    }

    fn read(&self, candidates: &Candidates<K>) -> Result<Manifests, Diagnostics> {
        let mut objects = Vec::new();
        for (key, version) in candidates {
            let Some(tree) = self.tree(key, *version) else { continue };
            objects.push(ApiObject {
                name: key.shown(),
                api_version: key.api_version(tree),
                kind: key.kind(),
                tree,
                is_newcomer: self.last_valid.get(key) != Some(tree),
            });
        }
        read_api_objects(self.options, "the configuration", objects)
    }

    fn tree(&self, key: &K, version: ObjectVersion) -> Option<&Value> {
        match version {
            ObjectVersion::Written => self.written.get(key),
            ObjectVersion::LastValid => self.last_valid.get(key),
        }
    }

    fn versions(&self, candidates: &Candidates<K>) -> BTreeMap<K, Value> {
        let mut versions = BTreeMap::new();
        for (key, version) in candidates {
            if let Some(tree) = self.tree(key, *version) {
                versions.insert(key.clone(), tree.clone());
            }
        }
        versions
    }
}

/// Returns the errors of each object. Errors that belong to no object are left out.
fn errors_by_object<K: ObjectKey>(
    diagnostics: Diagnostics,
    candidates: &Candidates<K>,
) -> BTreeMap<K, Vec<Diagnostic>> {
    let keys: BTreeMap<String, &K> = candidates.keys().map(|key| (key.shown(), key)).collect();

    let mut errors: BTreeMap<K, Vec<Diagnostic>> = BTreeMap::new();
    for diagnostic in diagnostics {
        if diagnostic.severity != Severity::Error {
            continue;
        }
        let Some(key) = keys.get(&diagnostic.file) else { continue };
        // An error beyond the limit of listed errors is found in the next round.
        if errors.contains_key(*key) || !report::is_limit_notice(&diagnostic) {
            errors.entry((*key).clone()).or_default().push(diagnostic);
        }
    }
    errors
}

/// Returns true if an object refers to another one: by its name, or to a community by an alias in it.
pub fn refers<K: ObjectKey>(key: &K, tree: &Value, other: &K, other_tree: &Value) -> bool {
    match (key.kind(), other.kind()) {
        (CONFIG_MAP, SECRET) => true,
        ("BGPPeer", SECRET) => text_at(tree, &["passwordSecret", "name"]) == Some(other.name()),
        ("BGPPeer", "BFDProfile") => text_at(tree, &["bfdProfile"]) == Some(other.name()),
        ("BGPAdvertisement", "Community") => {
            let aliases = community_items(other_tree).iter().filter_map(|item| item.get("name"));
            let aliases: BTreeSet<&str> = aliases.filter_map(Value::text).collect();
            let mut used = community_items(tree).iter().filter_map(Value::text);
            used.any(|name| aliases.contains(name))
        }
        _ => false,
    }
}

/// Returns the names of the Secrets that an object refers to, in the namespace of the configuration. It may be invalid otherwise.
pub fn secret_names(key: &impl ObjectKey, tree: &Value) -> Vec<String> {
    match key.kind() {
        "BGPPeer" => {
            let name = text_at(tree, &["passwordSecret", "name"]);
            name.map(str::to_owned).into_iter().filter(|name| !name.is_empty()).collect()
        }
        CONFIG_MAP => {
            let text = tree.get("data").and_then(|data| data.get("config")).and_then(Value::text);
            let (documents, _) = yaml::documents(text.unwrap_or_default());
            let peers = documents.iter().filter_map(|document| document.get("peers"));
            let names = peers.flat_map(Value::items).filter_map(|peer| peer.get("password-secret"));
            let names = names.filter_map(Value::text).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the text under these keys of the spec.
fn text_at<'a>(tree: &'a Value, keys: &[&str]) -> Option<&'a str> {
    let mut value = tree.get("spec")?;
    for key in keys {
        value = value.get(key)?;
    }
    value.text()
}

/// Returns the items of `spec.communities`.
fn community_items(tree: &Value) -> &[Value] {
    let list = tree.get("spec").and_then(|spec| spec.get("communities"));
    list.map_or(&[], Value::items)
}

fn is_pool(key: &impl ObjectKey) -> bool {
    matches!(key.kind(), "IPAddressPool" | "AddressPool")
}

const CONFIG_MAP: &str = "ConfigMap";
const SECRET: &str = "Secret";
/// The most objects that are tried again: each costs a reading of the whole configuration.
const MOST_RECONSIDERED: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

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
    fn every_invalid_object_has_its_own_error_beyond_the_limit_of_listed_errors() {
        let pool = |number: usize| {
            let name = format!("p{number}");
            let text = format!("metadata: {{name: {name}}}\nspec: {{addresses: [x]}}\n");
            let (mut documents, _) = yaml::documents(&text);
            (PoolName(name), documents.remove(0))
        };
        let written: BTreeMap<_, _> = (0..1_010).map(pool).collect();
        let options = Options { config_required: false, ..Options::default() };

        let problems = EffectiveObjects::default().update(&options, &written).problems;

        assert_eq!(problems.len(), written.len());
        for (key, errors) in &problems {
            let is_own = |error: &Diagnostic| error.path.starts_with("spec.addresses");
            assert!(!errors.is_empty() && errors.iter().all(is_own), "{key:?}: {errors:?}");
        }
    }
}
