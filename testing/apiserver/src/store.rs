//! The objects, and what happened to them: one resourceVersion for everything, which only grows.
//!
//! Owns objects, the history that watches are served from, and the snapshots that long lists are continued
//! from. Knows nothing of HTTP, of access or of what an object means.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

/// Where an object is: resource, namespace (empty for none), name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// `services`, `bgppeers.metallb.io`.
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What happened to an object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) key: Key,
    pub(crate) before: Option<Arc<Value>>,
    /// `None` where it was deleted.
    pub(crate) after: Option<Arc<Value>>,
}

/// A history that no test outgrows by accident; [`Store::compact`] shortens it on purpose.
const HISTORY: usize = 100_000;
/// Lists that are being read page by page; the real server keeps them for minutes.
const SNAPSHOTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    version: u64,
    /// Changes up to this one are forgotten.
    compacted: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Change>,
    snapshots: VecDeque<(String, Snapshot)>,
}

/// What is left of a list, at the version of its first page.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) rest: Vec<Arc<Value>>,
}

impl Store {
    pub(crate) fn new() -> Self {
        let (version, _) = watch::channel(1);
        Self { inner: Mutex::new(Inner { version: 1, ..Inner::default() }), version }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    /// Changes whenever something happened.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.lock().objects.get(key).cloned()
    }

    /// Every object of a resource, in one namespace or in all, with the version at which it is so.
    pub(crate) fn list(&self, resource: &str, namespace: Option<&str>) -> (u64, Vec<Arc<Value>>) {
        let inner = self.lock();
        let of = inner.objects.iter().filter(|(key, _)| {
            key.resource == resource && namespace.is_none_or(|namespace| key.namespace == namespace)
        });
        (inner.version, of.map(|(_, object)| Arc::clone(object)).collect())
    }

    /// Changes one object as `decide` says, which sees what is there and the version that comes of it, and may
    /// not ask the store for anything: `Ok(None)` deletes, what is equal to
    /// what is there changes nothing. The new state is returned, or the last one of what was deleted.
    pub(crate) fn change<E>(
        &self,
        key: &Key,
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
        let stamp = |mut object: Value| {
            object["metadata"]["resourceVersion"] = json!(version.to_string());
            Arc::new(object)
        };
        let after = after.map(stamp);
        let last = match (&after, &before) {
            (Some(after), _) => Arc::clone(after),
            // A deleted object is told in the state that it had, at the version of its deletion.
            (None, Some(before)) => stamp((**before).clone()),
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
        self.version.send_replace(version);
        Ok(last)
    }

    /// What happened to a resource after a version; `None` where that is forgotten, or has not been yet.
    pub(crate) fn changes_since(&self, version: u64, resource: &str) -> Option<(u64, Vec<Change>)> {
        let inner = self.lock();
        if version < inner.compacted || version > inner.version {
            return None;
        }
        let start = inner.history.partition_point(|change| change.version <= version);
        let of = inner.history.range(start..).filter(|change| change.key.resource == resource);
        Some((inner.version, of.cloned().collect()))
    }

    /// Forgets the history: a watch or a list that continues from before is answered 410.
    pub(crate) fn compact(&self) {
        let mut inner = self.lock();
        inner.compacted = inner.version;
        inner.history.clear();
        inner.snapshots.clear();
    }

    /// Keeps the rest of a list under a token.
    pub(crate) fn keep(&self, token: String, snapshot: Snapshot) {
        let mut inner = self.lock();
        inner.snapshots.push_back((token, snapshot));
        if inner.snapshots.len() > SNAPSHOTS {
            inner.snapshots.pop_front();
        }
    }

    pub(crate) fn kept(&self, token: &str) -> Option<Snapshot> {
        let inner = self.lock();
        inner.snapshots.iter().find(|(kept, _)| kept == token).map(|(_, snapshot)| snapshot.clone())
    }
}

fn same_but_for_version(before: &Value, after: &Value) -> bool {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return before == after;
    };
    before.len() == after.len()
        && before.iter().all(|(key, value)| match after.get(key) {
            Some(other) if key == "metadata" => {
                let (mut value, mut other) = (value.clone(), other.clone());
                value["resourceVersion"] = Value::Null;
                other["resourceVersion"] = Value::Null;
                value == other
            }
            other => other == Some(value),
        })
}
