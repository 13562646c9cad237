//! The Lease at the API server: makes the requests of [`super::election`] and passes on the responses.

use std::future::Future;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Client};

use super::election::{Answer, Election, ElectionConfig, ObservedLease, Request};
use super::reachability;
use ferrolb_node::causes;

/// A candidate for one Lease.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    config: ElectionConfig,
    election: Election,
    /// The Lease as it was last seen, for the fields that are not ours.
    last: Option<Lease>,
    /// The reason why the Lease could not be used, as last logged.
    logged_error: Option<String>,
}

impl Candidate {
    /// A candidate of this identity, which no other process has, for the Lease `namespace/name`.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: &str,
        config: ElectionConfig,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            config,
            election: Election::new(identity, config),
            last: None,
            logged_error: None,
        }
    }

    /// Waits until it leads.
    pub async fn elected(&mut self) {
        let mut logged_leader = None;
        while !self.election.is_leader(now()) {
            self.step().await;

            let leader = self.election.leader().filter(|leader| *leader != self.identity);
            if leader != logged_leader.as_deref() {
                logged_leader = leader.map(str::to_owned);
                if let Some(leader) = &logged_leader {
                    tracing::info!(lease = self.name, leader, "another replica leads; waiting");
                }
            }
        }
        tracing::info!(lease = self.name, identity = self.identity, "leading");
    }

    /// Does `work` as long as it leads. The work is dropped at the moment in which leading ends, wherever it waits. Returns
    /// `None` if leading has ended, and `Some` if the work has.
    pub async fn lead<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            if !self.election.is_leader(now()) {
                tracing::warn!(
                    lease = self.name,
                    "no longer leading: the Lease could not be renewed"
                );
                return None;
            }
            tokio::select! {
                biased;
                () = self.step() => {}
                done = &mut work => return Some(done),
            }
        }
    }

    /// Gives the Lease up, if the API server can be reached soon.
    pub async fn resign(&mut self) {
        self.election.resign();
        let give_up = async {
            while !self.election.is_over() {
                self.step().await;
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(2), give_up).await);
    }

    /// Makes one request, or waits until it is time for it. If this is dropped in between, the response counts as lost.
    async fn step(&mut self) {
        let Some(request) = self.election.poll_request(now()) else {
            match self.election.poll_timeout() {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                // The response to a request that was dropped.
                None => self.election.handle_answer(now(), Answer::Unreachable),
            }
            return;
        };

        // An API server that does not answer must not keep a leader from noticing that it leads no more.
        let answer = tokio::time::timeout(self.config.retry_period, self.send(&request)).await;
        let answer = answer.unwrap_or_else(|_| {
            reachability::failed(&format!(
                "it does not answer within {:?}",
                self.config.retry_period
            ));
            Answer::Unreachable
        });
        self.election.handle_answer(now(), answer);
    }

    async fn send(&mut self, request: &Request) -> Answer {
        let params =
            PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let answer = match request {
            Request::Get => self.api.get(&self.name).await,
            Request::Create => {
                let lease = self.lease(Lease::default(), &self.identity, 0, true);
                self.api.create(&params, &lease).await
            }
            Request::Update { version, holder, transitions, acquires } => {
                let before = self.last.clone().unwrap_or_default();
                let mut lease = self.lease(before, holder, *transitions, *acquires);
                lease.metadata.resource_version = Some(version.clone());
                self.api.replace(&self.name, &params, &lease).await
            }
        };

        match answer {
            Ok(lease) => {
                let observed = observed(&lease);
                self.last = Some(lease);
                self.logged_error = None;
                Answer::Lease(observed)
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Answer::NotFound,
            Err(kube::Error::Api(status)) if status.code == 409 => Answer::Conflict,
            Err(error) => {
                self.cannot_use(&error);
                Answer::Unreachable
            }
        }
    }

    /// Logs why the Lease cannot be read or written, once for each reason.
    fn cannot_use(&mut self, error: &kube::Error) {
        let why = causes(error);
        if reachability::deserves_warning(error) && self.logged_error.as_ref() != Some(&why) {
            tracing::warn!(lease = self.name, "cannot use the Lease, trying again: {why}");
            self.logged_error = Some(why);
        }
    }

    /// Returns the Lease to write.
    fn lease(&self, before: Lease, holder: &str, transitions: i32, acquires: bool) -> Lease {
        let time = MicroTime(jiff::Timestamp::now());
        let spec = before.spec.unwrap_or_default();
        let seconds = i32::try_from(self.config.lease_duration.as_secs()).unwrap_or(i32::MAX);
        Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..before.metadata },
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_duration_seconds: Some(seconds.max(1)),
                lease_transitions: Some(transitions),
                acquire_time: if acquires { Some(time.clone()) } else { spec.acquire_time.clone() },
                renew_time: Some(time),
                ..spec
            }),
        }
    }
}

fn observed(lease: &Lease) -> ObservedLease {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
    ObservedLease {
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        holder: spec.holder_identity.unwrap_or_default(),
        duration: Duration::from_secs(seconds),
        transitions: spec.lease_transitions.unwrap_or(0),
    }
}

/// Returns the time by tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The field manager.
const MANAGER: &str = "ferrolb-controller";
