//! The Lease at the API server: sends the requests of [`super::election`], and passes the responses to it.

use std::future::Future;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Client};

use tokio::sync::watch;

use super::election::{Election, ElectionConfig, ObservedLease, Request, Response};
use super::reachability;
use ferrolb_node::{causes, time_of_day};

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
    /// The last logged reason why the Lease could not be used.
    logged_error: Option<String>,
    /// The identity of the leader, as far as it is known.
    leader: watch::Sender<Option<String>>,
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
            leader: watch::Sender::new(None),
        }
    }

    /// Returns a receiver of the leader's identity, as far as this candidate knows it.
    pub fn leader(&self) -> watch::Receiver<Option<String>> {
        self.leader.subscribe()
    }

    /// Waits until this candidate leads.
    pub async fn elected(&mut self) {
        let mut logged_leader = None;
        while !self.election.is_leader(now()) {
            self.step().await;

            let leader = self.election.leader().filter(|leader| *leader != self.identity);
            if leader != logged_leader.as_deref() {
                logged_leader = leader.map(str::to_owned);
                self.leader.send_replace(logged_leader.clone());
                if let Some(leader) = &logged_leader {
                    tracing::info!(lease = self.name, leader, "another replica leads; waiting");
                }
            }
        }
        tracing::info!(lease = self.name, identity = self.identity, "leading");
    }

    /// Runs `work` for as long as this candidate leads, and drops it at the moment when leading ends. Returns `None` if leading
    /// ended first, and the output of the work otherwise.
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

    /// Gives up the Lease, unless the API server takes too long to respond.
    pub async fn resign(&mut self) {
        self.election.resign();
        let give_up = async {
            while !self.election.is_over() {
                self.step().await;
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(2), give_up).await);
    }

    /// Sends the next request if it is due, or else waits for its time. If this future is dropped, the response counts as lost.
    async fn step(&mut self) {
        let Some(request) = self.election.poll_request(now()) else {
            match self.election.poll_timeout() {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                // The future that waited for the response was dropped.
                None => self.election.handle_response(now(), Response::Unreachable),
            }
            return;
        };

        // A missing response must not keep a leader from noticing that it no longer leads.
        let response = tokio::time::timeout(self.config.retry_period, self.send(&request)).await;
        let response = response.unwrap_or_else(|_| {
            reachability::failed(&format!("no response within {:?}", self.config.retry_period));
            Response::Unreachable
        });
        self.election.handle_response(now(), response);
    }

    async fn send(&mut self, request: &Request) -> Response {
        let params =
            PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let response = match request {
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

        match response {
            Ok(lease) => {
                let observed = observed(&lease);
                self.last = Some(lease);
                self.logged_error = None;
                Response::Lease(observed)
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Response::NotFound,
            Err(kube::Error::Api(status)) if status.code == 409 => Response::Conflict,
            Err(error) => {
                self.log_failure(&error);
                Response::Unreachable
            }
        }
    }

    /// Logs why the Lease cannot be read or written, once for each reason.
    fn log_failure(&mut self, error: &kube::Error) {
        let why = causes(error);
        if reachability::deserves_warning(error) && self.logged_error.as_ref() != Some(&why) {
            tracing::warn!(lease = self.name, "cannot use the Lease, trying again: {why}");
            self.logged_error = Some(why);
        }
    }

    /// Returns the Lease to write.
    fn lease(&self, before: Lease, holder: &str, transitions: i32, acquires: bool) -> Lease {
        let time = MicroTime(time_of_day());
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
