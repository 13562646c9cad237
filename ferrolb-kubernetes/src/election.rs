//! The election of a leader among the replicas of a controller: a state machine without I/O and without a clock.
//!
//! The rules are those of client-go, and so is the guarantee: as long as clocks run at about the same speed, there is never a
//! second leader. A leader that could not renew the Lease until the renew deadline steps down before another candidate may
//! take the Lease: every candidate waits until it has seen the Lease unchanged for its whole duration, by its own clock. The
//! times in the Lease are only for display.
//!
//! This module decides; [`super::lease`] sends the requests and passes the responses back.

use std::time::{Duration, Instant};

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionConfig {
    /// The time after which other candidates may replace a silent leader. Default 15 s.
    pub lease_duration: Duration,
    /// The time for which a leader keeps leading without renewing the Lease; less than its duration. Default 10 s.
    pub renew_deadline: Duration,
    /// The time between two attempts of a leader to renew the Lease, or of another candidate to take it. Default 2 s.
    pub retry_period: Duration,
}

impl Default for ElectionConfig {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// A Lease as the API server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObservedLease {
    /// `metadata.resourceVersion`.
    pub version: String,
    /// `spec.holderIdentity`; empty if the Lease is free.
    pub holder: String,
    /// `spec.leaseDurationSeconds`.
    pub duration: Duration,
    /// `spec.leaseTransitions`.
    pub transitions: i32,
}

/// A request to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a Lease is read, created or replaced")]
pub enum Request {
    /// Read the Lease.
    Get,
    /// There is none: create it, held by us.
    Create,
    /// Replace it at this resourceVersion.
    Update {
        /// The version that the Lease must still have.
        version: String,
        /// The new holder: this candidate, or none.
        holder: String,
        /// The number of times that it changed hands.
        transitions: i32,
        /// True if it changes hands now.
        acquires: bool,
    },
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each leads to another next step")]
pub enum Response {
    /// The Lease, as read or as written.
    Lease(ObservedLease),
    /// There is no Lease.
    NotFound,
    /// Another candidate was faster: the version is out of date.
    Conflict,
    /// The API server did not respond, or neither accepted nor refused the request.
    Unreachable,
}

/// The election as one candidate sees it.
#[derive(Debug)]
pub struct Election {
    config: ElectionConfig,
    identity: String,
    /// The Lease as last seen, and the time at which it was first seen so.
    observed: Option<(ObservedLease, Instant)>,
    /// The time at which this candidate last renewed the Lease, taken before the request was sent.
    renewed: Option<Instant>,
    /// True if there is no Lease, as far as is known.
    is_absent: bool,
    /// True if the Lease may have changed since it was last seen.
    is_stale: bool,
    /// The request under way, and the time at which it was made.
    under_way: Option<(Request, Instant)>,
    /// The time before which no request is made.
    next: Option<Instant>,
    has_resigned: bool,
}

impl Election {
    /// A candidate with this identity, which no other candidate has.
    pub fn new(identity: impl Into<String>, config: ElectionConfig) -> Self {
        Self {
            config,
            identity: identity.into(),
            observed: None,
            renewed: None,
            is_absent: false,
            is_stale: true,
            under_way: None,
            next: None,
            has_resigned: false,
        }
    }

    /// Returns true if this candidate leads. Check this before each write that only a leader may make, and at
    /// [`Election::poll_timeout`].
    pub fn is_leader(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|at| now < at + self.config.renew_deadline)
    }

    /// Returns the leader, by the Lease as last seen.
    pub fn leader(&self) -> Option<&str> {
        let (observed, _) = self.observed.as_ref()?;
        (!observed.holder.is_empty()).then_some(observed.holder.as_str())
    }

    /// Gives up the Lease, so that the next leader need not wait for it to expire.
    pub fn resign(&mut self) {
        self.has_resigned = true;
        self.next = None;
        // The response to a request under way is lost.
        self.is_stale |= self.under_way.take().is_some();
    }

    /// Returns true if there is nothing more to do after [`Election::resign`].
    pub fn is_over(&self) -> bool {
        self.has_resigned && self.renewed.is_none()
    }

    /// Returns the next request if it is due. The caller then passes its result to [`handle_response`](Self::handle_response).
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        if self.renewed.is_some() && !self.is_leader(now) {
            // Deposed by its own clock: the Lease has to be read again.
            self.renewed = None;
            self.is_stale = true;
        }
        if self.under_way.is_some() || self.next.is_some_and(|at| now < at) {
            return None;
        }

        let request = self.request(now)?;
        self.under_way = Some((request.clone(), now));
        Some(request)
    }

    fn request(&self, now: Instant) -> Option<Request> {
        if self.has_resigned {
            return self.request_to_release();
        }
        if self.is_absent {
            return Some(Request::Create);
        }

        let Some((observed, _)) = self.observed.as_ref().filter(|_| !self.is_stale) else {
            return Some(Request::Get);
        };
        if !self.may_take(now) {
            return Some(Request::Get);
        }
        let is_ours = observed.holder == self.identity;
        Some(Request::Update {
            version: observed.version.clone(),
            holder: self.identity.clone(),
            transitions: observed.transitions + i32::from(!is_ours),
            acquires: !is_ours,
        })
    }

    /// Returns the request of a leader that has resigned.
    fn request_to_release(&self) -> Option<Request> {
        let (observed, _) = self.observed.as_ref().filter(|_| self.renewed.is_some())?;
        if self.is_stale {
            return Some(Request::Get);
        }
        Some(Request::Update {
            version: observed.version.clone(),
            holder: String::new(),
            transitions: observed.transitions,
            acquires: false,
        })
    }

    /// Returns true if the Lease, as it was last seen, is ours, free, or expired.
    fn may_take(&self, now: Instant) -> bool {
        self.observed.as_ref().is_some_and(|(observed, since)| {
            observed.holder == self.identity
                || observed.holder.is_empty()
                || now >= *since + observed.duration
        })
    }

    /// Takes in the result of the request under way.
    pub fn handle_response(&mut self, now: Instant, response: Response) {
        let Some((request, since)) = self.under_way.take() else { return };
        self.next = Some(now + self.config.retry_period);

        match response {
            Response::Lease(lease) => self.handle_lease(now, lease, &request, since),
            Response::NotFound => {
                self.is_absent = true;
                self.renewed = None;
                self.next = None;
            }
            Response::Conflict => {
                self.is_stale = true;
                self.is_absent = false;
                // Another candidate wrote: read the Lease at once. A leader keeps leading until it knows the new holder.
                self.next = None;
            }
            Response::Unreachable => {
                // A write may or may not have succeeded: the Lease is read before it is written again.
                self.is_stale = !matches!(request, Request::Get);
            }
        }
    }

    fn handle_lease(
        &mut self,
        now: Instant,
        lease: ObservedLease,
        request: &Request,
        since: Instant,
    ) {
        let is_written = !matches!(request, Request::Get);
        let is_ours = lease.holder == self.identity;

        self.is_absent = false;
        self.is_stale = false;
        if self.observed.as_ref().is_none_or(|(before, _)| *before != lease) {
            self.observed = Some((lease, now));
        }

        if is_written && is_ours {
            self.renewed = Some(since);
        } else if is_written || !is_ours {
            self.renewed = None;
        }

        // A Lease that is free, or ours by its holder, as after a restart, is taken at once.
        if !is_written && self.renewed.is_none() && self.may_take(now) {
            self.next = None;
        }
    }

    /// Returns the time at which to call [`Election::poll_request`] next. While a request is
    /// under way, that is the time at which leading ends.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deposed = self.renewed.map(|at| at + self.config.renew_deadline);
        let next = self.next.filter(|_| self.under_way.is_none());
        [deposed, next].into_iter().flatten().min()
    }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
