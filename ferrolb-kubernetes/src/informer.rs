//! The view of the cluster that the controller and the speaker share: the watches, and the cache behind them.
//!
//! ```text
//! Watches ──► next ──► take ──► Update, for the engine ... no event waits ──► settle ──► Config
//! ```
//!
//! Owns the order of events, and knows when everything has been listed. Each program decides what to do with an update.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::Client;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::events::EventRecorder;
use super::object_cache::{ConfigStatus, ObjectCache, ObjectCounts, Update};
use super::resource::{Kind, WatchTarget};
use super::secret_watches::SecretWatches;
use super::watch::{WatchEvent, Watches};
use ferrolb_api::{Configuration, ConfigurationState, Watch};
use ferrolb_node::events::{EventLog, configuration_loaded, configuration_refused};
use ferrolb_node::metrics::{ApiSample, ConfigSample};
use ferrolb_node::time_of_day;
use lb_adapter::engine::Engine;
use lb_adapter::model::Config;

/// The watches of a cluster and the cache behind them.
pub(super) struct Informer {
    watches: Watches,
    /// The watches of Secrets. `None` if passwords are not needed.
    secrets: Option<SecretWatches>,
    cache: ObjectCache,
    /// The kinds of objects that are part of the view.
    kinds: BTreeSet<Kind>,
    has_synced: bool,
    /// The time at which the last configuration took effect.
    loaded_at: Option<Timestamp>,
    log: EventLog,
}

/// The result of [`Informer::settle`].
pub(super) struct Settled {
    /// The configuration, if it has changed and is valid.
    pub(super) config: Option<Arc<Config>>,
    /// True if the state of the configuration has changed.
    pub(super) has_new_status: bool,
}

/// The most errors of a configuration that an answer lists.
const MOST_ERRORS: usize = 20;

impl Informer {
    /// Starts to watch these targets, for a configuration in this namespace. Of Secrets, only those are watched that the configuration
    /// refers to. `changed` is notified when the [refused](Self::refused) resources change.
    pub(super) fn new(
        client: Client,
        namespace: &str,
        targets: Vec<WatchTarget>,
        changed: Arc<Notify>,
        log: EventLog,
    ) -> Self {
        let kinds: BTreeSet<_> = targets.iter().map(|target| target.kind).collect();
        let cache = ObjectCache::new(namespace, kinds.iter().copied());
        let mut watches = Watches::new(client, changed, log.clone());
        let mut secrets = None;
        for target in targets {
            if target.kind == Kind::Secret {
                secrets = Some(SecretWatches::new(target));
            } else {
                watches.watch(target);
            }
        }
        Self { watches, secrets, cache, kinds, has_synced: false, loaded_at: None, log }
    }

    /// Starts to watch a target that is not part of the view: [`has_synced`](Self::has_synced) does not wait for it, and the
    /// caller must not pass its events to [`take`](Self::take).
    pub(super) fn watch_separately(&mut self, target: WatchTarget) {
        self.watches.watch(target);
    }

    /// Waits for the next event. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<WatchEvent> {
        self.watches.next().await
    }

    /// Returns the next event if one is waiting.
    pub(super) fn try_next(&mut self) -> Option<WatchEvent> {
        self.watches.try_next()
    }

    /// Returns the time at which the last event was received from the API server.
    pub(super) fn received_at(&self) -> Instant {
        self.watches.received_at()
    }

    /// Returns the deletions that the watch has missed, if the event is a list that lacks known objects. Process them before
    /// the event itself.
    pub(super) fn missed_deletions(&self, event: &WatchEvent, engine: &Engine) -> Vec<WatchEvent> {
        let WatchEvent::Listed(kind, Some(listed)) = event else { return Vec::new() };
        let missing = self.cache.missing(*kind, listed, engine);
        missing.into_iter().map(|name| WatchEvent::Deleted(*kind, name)).collect()
    }

    /// Processes an event. Returns the update for the engine, if there is one.
    pub(super) fn take(&mut self, event: WatchEvent) -> Option<Update> {
        if let Some(secrets) = &mut self.secrets {
            match &event {
                WatchEvent::LookedFor(Kind::Secret, name) => {
                    secrets.note(name);
                    return None;
                }
                // Not all Secrets, but one of them.
                WatchEvent::Listed(Kind::Secret, _) => return None,
                WatchEvent::Applied(Kind::Secret, object)
                    if !secrets.is_watched(&object.name()) =>
                {
                    return None;
                }
                _ => {}
            }
        }
        self.cache.take(event)
    }

    /// Watches the Secrets that the configuration refers to, and no others.
    fn follow_secrets(&mut self) {
        let Some(secrets) = &mut self.secrets else { return };
        for deletion in secrets.follow(&self.cache.secret_names(), &mut self.watches) {
            self.cache.take(deletion);
        }
    }

    /// Returns false until all Secrets that the configuration refers to have been looked for.
    fn settle_secrets(&mut self) -> bool {
        if self.secrets.is_none() || !self.cache.has_references() {
            return true;
        }
        if self.cache.has_changed() {
            self.follow_secrets();
        }

        if self.secrets.as_ref().is_some_and(|secrets| !secrets.are_complete()) {
            return false;
        }
        if !self.cache.has_listed(Kind::Secret) {
            self.cache.take(WatchEvent::Listed(Kind::Secret, None));
        }
        true
    }

    /// Reads the configuration, and reports its new problems. Call this when no event is waiting.
    pub(super) fn settle(&mut self, events: &mut EventRecorder) -> Settled {
        // A peer whose password is not known yet has no error.
        if !self.settle_secrets() {
            return Settled { config: None, has_new_status: false };
        }
        let before = self.cache.config_status().clone();
        let has_changed = self.cache.has_changed();
        let config = self.cache.settle();
        // What was in force until now may have been the last to refer to a Secret.
        if has_changed && self.cache.has_references() {
            self.follow_secrets();
        }
        self.cache.take_new_problems().report(events);

        let now = self.cache.config_status();
        if now.errors != before.errors && now.is_stale() {
            let errors: Vec<_> = now.errors.iter().map(ToString::to_string).collect();
            self.log.record(configuration_refused(&errors, CONSEQUENCE));
        }
        Settled { config, has_new_status: *now != before }
    }

    /// Checks if everything has been listed. Returns true the first time that it has.
    pub(super) fn note_synced(&mut self) -> bool {
        if self.has_synced || !self.cache.is_complete() {
            return false;
        }
        self.has_synced = true;
        true
    }

    /// Notes that a configuration takes effect.
    pub(super) fn note_loaded(&mut self) {
        self.loaded_at = Some(time_of_day());
        tracing::info!("the configuration has been loaded");
        self.log.record(configuration_loaded());
    }

    /// Returns true if everything has been listed once.
    pub(super) fn has_synced(&self) -> bool {
        self.has_synced
    }

    /// Returns the state of the configuration.
    pub(super) fn config_status(&self) -> &ConfigStatus {
        self.cache.config_status()
    }

    /// Returns the resources that the API server refuses to list or to watch, each with its reason.
    pub(super) fn refused(&self) -> BTreeMap<&'static str, String> {
        self.watches.refused()
    }

    /// Returns the state of the configuration in this namespace.
    pub(super) fn configuration(&self, namespace: &str) -> Configuration {
        let status = self.cache.config_status();
        let state = match (status.loaded, status.is_stale()) {
            (false, _) => ConfigurationState::Missing,
            (true, true) => ConfigurationState::Stale,
            (true, false) => ConfigurationState::Valid,
        };
        // The text of an error has no line of the object, which may contain a password.
        let errors = status.errors.iter().take(MOST_ERRORS).map(ToString::to_string);
        Configuration {
            state,
            source: format!("namespace {namespace}"),
            loaded_at: self.loaded_at,
            errors: errors.collect(),
        }
    }

    /// Returns the state of each watch.
    pub(super) fn watches(&self) -> Vec<Watch> {
        let (refused, restarts) = (self.watches.refused(), self.watches.restarts());
        let watches = self.kinds.iter().map(|kind| Watch {
            resource: kind.plural().to_owned(),
            synced: self.cache.has_listed(*kind),
            restarts: restarts.get(kind.plural()).copied().unwrap_or_default(),
            error: refused.get(kind.plural()).cloned(),
        });
        watches.collect()
    }

    /// Returns the metrics of the configuration.
    pub(super) fn config_sample(&self) -> ConfigSample {
        let status = self.cache.config_status();
        let loaded_at = self.loaded_at.map(|time| time.as_duration().as_secs_f64());
        ConfigSample::new(status.loaded, status.is_stale(), loaded_at)
    }

    /// Returns the metrics of the API server, with the number of writes that failed.
    pub(super) fn api_sample(&self, failed_writes: u64) -> ApiSample {
        let ObjectCounts { updates, refused } = self.cache.counts();
        ApiSample::new(updates, refused + failed_writes, self.watches.restarts())
    }
}

/// The consequence of an error in an object.
const CONSEQUENCE: &str = "the last valid version of each object stays in force";
