//! The objects and their history, with one growing resourceVersion for all objects.
//!
//! Owns objects, the history that watches are served from, and the snapshots that long lists are continued
//! from. Knows nothing of HTTP, of access or of the meaning of an object.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use tokio::sync::Notify;

/// The key of an object: resource, namespace (empty for none), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    /// `services`, `bgppeers.metallb.io`.
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A change of an object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) key: ObjectKey,
    pub(crate) before: Option<Arc<Value>>,
    /// The new state, or `None` if the object was deleted.
    pub(crate) after: Option<Arc<Value>>,
}

/// The length of the history, which is long enough for every test. [`Store::compact`] empties the history on purpose.
const HISTORY: usize = 100_000;
/// The number of lists that can be read page by page at the same time. The real server keeps each for minutes.
const SNAPSHOTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<StoreState>,
    /// Wakes the watches of a resource in the order in which they wait. A `tokio::sync::watch` has a random order.
    changed: Mutex<BTreeMap<String, Arc<Notify>>>,
}

#[derive(Debug, Default)]
struct StoreState {
    version: u64,
    /// Changes up to this one are forgotten.
    compacted: u64,
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    history: VecDeque<Change>,
    snapshots: VecDeque<(String, ListSnapshot)>,
}

/// The rest of a list, at the version of its first page.
#[derive(Clone, Debug)]
pub(crate) struct ListSnapshot {
    pub(crate) version: u64,
    pub(crate) rest: Vec<Arc<Value>>,
}

impl Store {
    pub(crate) fn new() -> Self {
        let state = StoreState { version: 1, ..StoreState::default() };
        Self { inner: Mutex::new(state), changed: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, StoreState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Notifies its waiters of every change of a resource.
    pub(crate) fn changed(&self, resource: &str) -> Arc<Notify> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(changed.entry(resource.to_owned()).or_default())
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.lock().objects.get(key).cloned()
    }

    /// All objects of a resource, in one namespace or in all, with the version of the store.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> (u64, Vec<Arc<Value>>) {
        let inner = self.lock();
        let first = ObjectKey {
            resource: resource.to_owned(),
            namespace: namespace.unwrap_or_default().to_owned(),
            name: String::new(),
        };
        let objects = inner.objects.range(first..).take_while(|(key, _)| {
            key.resource == resource && namespace.is_none_or(|namespace| key.namespace == namespace)
        });
        (inner.version, objects.map(|(_, object)| Arc::clone(object)).collect())
    }

    /// Changes one object. `decide` gets the present object and the new version, and must not call the
    /// store: `Ok(None)` deletes the object, and an object that is equal to the present one changes
    /// nothing. Returns the new state, or the last one of a deleted object.
    pub(crate) fn change<E>(
        &self,
        key: &ObjectKey,
        decide: impl FnOnce(Option<&Value>, u64) -> Result<Option<Value>, E>,
    ) -> Result<Arc<Value>, E> {
        let mut inner = self.lock();
        let before = inner.objects.get(key).cloned();
        let after = decide(before.as_deref(), inner.version + 1)?;
        if let (Some(before), Some(after)) = (&before, &after)
            && same_but_for_version(before, after)
        {
            return Ok(Arc::clone(before));
        }

        inner.version += 1;
        let version = inner.version;
        let after = after.map(|object| stamp(object, version));
        // A watch gets a deleted object in its last state, at the version of its deletion.
        let last = match (&after, &before) {
            (Some(after), _) => Arc::clone(after),
            (None, Some(before)) => stamp((**before).clone(), version),
            (None, None) => Arc::new(Value::Null),
        };

        match &after {
            Some(after) => inner.objects.insert(key.clone(), Arc::clone(after)),
            None => inner.objects.remove(key),
        };

        let before = if after.is_none() { Some(Arc::clone(&last)) } else { before };
        inner.history.push_back(Change { version, key: key.clone(), before, after });
        if inner.history.len() > HISTORY
            && let Some(forgotten) = inner.history.pop_front()
        {
            inner.compacted = forgotten.version;
        }

        drop(inner);
        self.changed(&key.resource).notify_waiters();
        Ok(last)
    }

    /// The changes of a resource after a version. Returns `None` if they are forgotten, or the version is in the future.
    pub(crate) fn changes_since(&self, version: u64, resource: &str) -> Option<(u64, Vec<Change>)> {
        let inner = self.lock();
        if version < inner.compacted || version > inner.version {
            return None;
        }
        let start = inner.history.partition_point(|change| change.version <= version);
        let changes = inner.history.range(start..).filter(|change| change.key.resource == resource);
        Some((inner.version, changes.cloned().collect()))
    }

    /// Forgets the history: a watch or a list that continues from an earlier version gets a 410.
    pub(crate) fn compact(&self) {
        let mut inner = self.lock();
        inner.compacted = inner.version;
        inner.history.clear();
        inner.snapshots.clear();
    }

    /// Keeps the rest of a list under a token.
    pub(crate) fn keep(&self, token: String, snapshot: ListSnapshot) {
        let mut inner = self.lock();
        inner.snapshots.push_back((token, snapshot));
        if inner.snapshots.len() > SNAPSHOTS {
            inner.snapshots.pop_front();
        }
    }

    pub(crate) fn kept(&self, token: &str) -> Option<ListSnapshot> {
        let inner = self.lock();
        inner.snapshots.iter().find(|(kept, _)| kept == token).map(|(_, snapshot)| snapshot.clone())
    }
}

/// Sets the resourceVersion of an object.
fn stamp(mut object: Value, version: u64) -> Arc<Value> {
    object["metadata"]["resourceVersion"] = json!(version.to_string());
    Arc::new(object)
}

fn same_but_for_version(before: &Value, after: &Value) -> bool {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return before == after;
    };
    before.len() == after.len()
        && before.iter().all(|(key, value)| match (value, after.get(key)) {
            (Value::Object(value), Some(Value::Object(other))) if key == "metadata" => {
                without_version(value).eq(without_version(other))
            }
            (value, other) => other == Some(value),
        })
}

/// The fields of an object's metadata that count as its content.
fn without_version(metadata: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    metadata.iter().filter(|(key, _)| *key != "resourceVersion")
}
