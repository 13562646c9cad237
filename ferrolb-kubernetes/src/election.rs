//! Who leads among the replicas of a controller: one Lease, and a state machine without I/O and without a clock.
//!
//! The rules are those of client-go, so that the usual promise holds: as long as clocks run at about the same
//! speed, there is never a second leader. A leader that could not renew the Lease for the renew deadline leads no
//! longer, and that is before anybody else may take it: another candidate waits until it has seen the Lease
//! unchanged for the whole of its duration, by its own clock. Times that are written into the Lease are for people.
//!
//! This module decides; [`super::lease`] asks the API server and tells what it answered.

use std::time::{Duration, Instant};

/// How long a leader leads without a word, and how often it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionConfig {
    /// How long the others wait for a leader that says nothing. Default 15 s.
    pub lease_duration: Duration,
    /// How long a leader goes on without having renewed the Lease; less than its duration. Default 10 s.
    pub renew_deadline: Duration,
    /// The time between two tries, of a leader to renew and of the others to take over. Default 2 s.
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
pub struct Observed {
    /// `metadata.resourceVersion`.
    pub version: String,
    /// `spec.holderIdentity`; empty if nobody holds it.
    pub holder: String,
    /// `spec.leaseDurationSeconds`.
    pub duration: Duration,
    /// `spec.leaseTransitions`.
    pub transitions: i32,
}

/// What to ask of the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a Lease is read, made or replaced")]
pub enum Request {
    /// Read the Lease.
    Get,
    /// There is none: create it, held by us.
    Create,
    /// Replace it at this resourceVersion.
    Update {
        /// The version that must still be there.
        version: String,
        /// Who holds it from then on: us, or nobody.
        holder: String,
        /// The number of times that it changed hands.
        transitions: i32,
        /// Whether it changes hands now.
        acquires: bool,
    },
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each leads to another next step")]
pub enum Answer {
    /// The Lease, as read or as written.
    Lease(Observed),
    /// There is no Lease.
    NotFound,
    /// Somebody else was faster: what we know of it is out of date.
    Conflict,
    /// The API server did not answer, or not with yes or no.
    Unreachable,
}

/// One candidate.
#[derive(Debug)]
pub struct Election {
    config: ElectionConfig,
    identity: String,
    /// What was last seen, and since when it has been so.
    observed: Option<(Observed, Instant)>,
    /// When the Lease was last renewed by us, counted from before the request was sent.
    renewed: Option<Instant>,
    /// There is no Lease, as far as we know.
    absent: bool,
    /// What we know is out of date.
    stale: bool,
    /// The request under way, and since when.
    asked: Option<(Request, Instant)>,
    next: Option<Instant>,
    resigned: bool,
}

impl Election {
    /// A candidate of this name, which no other has.
    pub fn new(identity: impl Into<String>, config: ElectionConfig) -> Self {
        Self {
            config,
            identity: identity.into(),
            observed: None,
            renewed: None,
            absent: false,
            stale: true,
            asked: None,
            next: None,
            resigned: false,
        }
    }

    /// Whether it leads. Ask before each write that only a leader may make, and when [`Election::poll_timeout`]
    /// has come.
    pub fn is_leader(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|at| now < at + self.config.renew_deadline)
    }

    /// Who leads, by what was last seen.
    pub fn leader(&self) -> Option<&str> {
        let (observed, _) = self.observed.as_ref()?;
        (!observed.holder.is_empty()).then_some(observed.holder.as_str())
    }

    /// Gives the Lease up, so that the next one need not wait for it to expire.
    pub fn resign(&mut self) {
        self.resigned = true;
        self.next = None;
        // Nobody waits for the answer any more.
        self.stale |= self.asked.take().is_some();
    }

    /// Whether there is nothing more to do after [`Election::resign`].
    pub fn is_over(&self) -> bool {
        self.resigned && self.renewed.is_none()
    }

    /// What to ask next, if it is time to; then wait for the answer.
    pub fn poll_request(&mut self, now: Instant) -> Option<Request> {
        if self.renewed.is_some() && !self.is_leader(now) {
            // Deposed by its own clock. What was seen last counts again from now.
            self.renewed = None;
            self.stale = true;
        }
        if self.asked.is_some() || self.next.is_some_and(|at| now < at) {
            return None;
        }
        let request = self.request(now)?;
        self.asked = Some((request.clone(), now));
        Some(request)
    }

    fn request(&self, now: Instant) -> Option<Request> {
        if self.resigned {
            let (observed, _) = self.observed.as_ref().filter(|_| self.renewed.is_some())?;
            if self.stale {
                return Some(Request::Get);
            }
            return Some(Request::Update {
                version: observed.version.clone(),
                holder: String::new(),
                transitions: observed.transitions,
                acquires: false,
            });
        }
        if self.absent {
            return Some(Request::Create);
        }
        let Some((observed, _)) = self.observed.as_ref().filter(|_| !self.stale) else {
            return Some(Request::Get);
        };
        let ours = observed.holder == self.identity;
        if self.may_take(now) {
            return Some(Request::Update {
                version: observed.version.clone(),
                holder: self.identity.clone(),
                transitions: observed.transitions + i32::from(!ours),
                acquires: !ours,
            });
        }
        Some(Request::Get)
    }

    /// Whether the Lease, as it was last seen, is ours, nobody's, or expired.
    fn may_take(&self, now: Instant) -> bool {
        self.observed.as_ref().is_some_and(|(observed, since)| {
            observed.holder == self.identity
                || observed.holder.is_empty()
                || now >= *since + observed.duration
        })
    }

    /// Takes in what came of the request.
    pub fn handle_answer(&mut self, now: Instant, answer: Answer) {
        let Some((request, since)) = self.asked.take() else { return };
        self.next = Some(now + self.config.retry_period);
        match answer {
            Answer::Lease(lease) => {
                let wrote = !matches!(request, Request::Get);
                let holds = lease.holder == self.identity;
                self.absent = false;
                self.stale = false;
                if self.observed.as_ref().is_none_or(|(before, _)| *before != lease) {
                    self.observed = Some((lease, now));
                }
                if wrote && holds {
                    self.renewed = Some(since);
                } else if wrote || !holds {
                    self.renewed = None;
                }
                // Free, or ours by what is written there, as after a restart: taken at once.
                if !wrote && self.renewed.is_none() && self.may_take(now) {
                    self.next = None;
                }
            }
            Answer::NotFound => {
                self.absent = true;
                self.renewed = None;
                self.next = None;
            }
            Answer::Conflict => {
                self.stale = true;
                self.absent = false;
                // Somebody wrote: who it was is asked at once, and a leader goes on until it knows.
                self.next = None;
            }
            Answer::Unreachable => {
                // Nobody answers whether it was written: it is read before it is written again.
                self.stale = !matches!(request, Request::Get);
            }
        }
    }

    /// When to call [`Election::poll_request`] next; `None` while an answer is awaited, but for the moment at which
    /// leading ends.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deposed = self.renewed.map(|at| at + self.config.renew_deadline);
        let next = self.next.filter(|_| self.asked.is_none());
        [deposed, next].into_iter().flatten().min()
    }
}

#[cfg(test)]
#[path = "election_tests.rs"]
mod tests;
