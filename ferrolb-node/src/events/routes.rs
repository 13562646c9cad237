//! The changes of announced routes in the form of the event log.
//!
//! A change of a few routes becomes an event for each; a change of many becomes one event for each peer, since the log keeps a
//! limited number of events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgp_session::{IpNet, PathAttributes, RouteSet};
use ferrolb_api::EventKind;

use super::NewEvent;
use crate::sessions::{DesiredSession, SessionKey};

/// The most routes of a peer that become events of their own.
const MOST_ROUTES: usize = 100;

/// The changes of the routes for one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteChanges {
    /// New prefixes.
    pub announced: BTreeSet<IpNet>,
    /// Prefixes whose attributes changed.
    pub changed: BTreeSet<IpNet>,
    /// Prefixes that are gone.
    pub withdrawn: BTreeSet<IpNet>,
}

impl RouteChanges {
    /// Returns the differences between the routes before and now.
    pub fn between(before: &RouteSet, now: &RouteSet) -> Self {
        let mut changes = Self::default();
        for (prefix, attributes) in now {
            changes.note(prefix, before.get(&prefix), Some(attributes));
        }
        for (prefix, attributes) in before {
            if now.get(&prefix).is_none() {
                changes.note(prefix, Some(attributes), None);
            }
        }
        changes
    }

    /// Notes the attributes of a route before and now; `None`: there is no such route.
    pub fn note(
        &mut self,
        prefix: IpNet,
        before: Option<&Arc<PathAttributes>>,
        now: Option<&Arc<PathAttributes>>,
    ) {
        match (before, now) {
            (None, Some(_)) => drop(self.announced.insert(prefix)),
            (Some(before), Some(now)) if before != now => drop(self.changed.insert(prefix)),
            (Some(_), None) => drop(self.withdrawn.insert(prefix)),
            _ => {}
        }
    }

    /// Returns true if no route changed.
    pub fn is_empty(&self) -> bool {
        self.announced.is_empty() && self.changed.is_empty() && self.withdrawn.is_empty()
    }

    fn len(&self) -> usize {
        self.announced.len() + self.changed.len() + self.withdrawn.len()
    }

    /// Returns the events for a session's routes.
    pub fn events(&self, session: &SessionKey) -> Vec<NewEvent> {
        let of_session = |event: NewEvent| event.node(&session.node).peer(&session.peer);
        if self.len() > MOST_ROUTES {
            return self.summaries().into_iter().map(of_session).collect();
        }

        let one = |kind, prefix: &IpNet, text: &str| {
            of_session(NewEvent::info(kind, text)).prefix(prefix)
        };
        let mut events = Vec::with_capacity(self.len());
        let announced = self.announced.iter();
        events.extend(announced.map(|prefix| one(EventKind::Announced, prefix, "announcing")));
        let changed = self.changed.iter();
        let again = "announcing with other attributes";
        events.extend(changed.map(|prefix| one(EventKind::Announced, prefix, again)));
        let withdrawn = self.withdrawn.iter();
        events.extend(withdrawn.map(|prefix| one(EventKind::Withdrawn, prefix, "withdrawing")));
        events
    }

    /// Returns an event for all new and changed routes, and one for all that are gone.
    fn summaries(&self) -> Vec<NewEvent> {
        let mut events = Vec::new();
        let announced = self.announced.len() + self.changed.len();
        if announced > 0 {
            let text =
                format!("announcing {announced} routes, {} of them new", self.announced.len());
            events.push(NewEvent::info(EventKind::Announced, text));
        }
        if !self.withdrawn.is_empty() {
            let text = format!("withdrawing {} routes", self.withdrawn.len());
            events.push(NewEvent::info(EventKind::Withdrawn, text));
        }
        events
    }
}

/// Returns the changes of the routes of each session. The routes of a session that is gone are withdrawn.
pub fn changed_routes(
    before: &BTreeMap<SessionKey, DesiredSession>,
    now: &BTreeMap<SessionKey, DesiredSession>,
) -> BTreeMap<SessionKey, RouteChanges> {
    let none = RouteSet::new();
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).collect();

    let mut changed = BTreeMap::new();
    for key in keys {
        let [before, now] = [before, now]
            .map(|sessions| sessions.get(key).map_or(&none, |session| &session.routes));
        let changes = RouteChanges::between(before, now);
        if !changes.is_empty() {
            changed.insert(key.clone(), changes);
        }
    }
    changed
}
