//! The loop of the stand-in: it follows the API server, and syncs in kube-proxy's rhythm.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::time::{Duration, Instant};

use super::commits::CommitLog;
use super::health::{HealthPorts, eprint};
use super::model::Objects;
use super::nft;
use super::rules::Ruleset;
use super::runner::{Rhythm, Runner};

/// How long an unused chain stays.
const STALE: Duration = Duration::from_secs(1);

/// Where and how one kube-proxy runs.
#[derive(Clone, Debug)]
pub(super) struct StandInConfig {
    pub(super) node: String,
    pub(super) address: Ipv4Addr,
    pub(super) kubeconfig: PathBuf,
    pub(super) pod_cidr: String,
    pub(super) min_sync_period: Duration,
    pub(super) commits: Arc<CommitLog>,
    pub(super) stalled: Arc<AtomicBool>,
    pub(super) rhythm: Arc<Rhythm>,
}

/// The state of a running stand-in.
struct StandIn {
    config: StandInConfig,
    objects: Objects,
    health: HealthPorts,
    /// The rules in the kernel, once this process has written them all.
    applied: Option<Ruleset>,
    /// Chains that are no longer used, and since when.
    stale: Vec<(String, Instant)>,
    runner: Runner,
}

/// Follows the API server and keeps the rules and the health ports of the node, without end.
pub(super) async fn run(config: StandInConfig) {
    let client = connect(&config.kubeconfig).await;
    let services = Api::<Service>::all(client.clone());
    let slices = Api::<EndpointSlice>::all(client);
    let services = watcher(services, watcher::Config::default()).default_backoff();
    let slices = watcher(slices, watcher::Config::default()).default_backoff();
    let (mut services, mut slices) = (std::pin::pin!(services), std::pin::pin!(slices));

    let health = HealthPorts::open(config.address).await;
    let runner = Runner::new(config.min_sync_period, Arc::clone(&config.rhythm));
    let mut proxy = StandIn {
        config,
        objects: Objects::default(),
        health,
        applied: None,
        stale: Vec::new(),
        runner,
    };
    let (mut listed_services, mut listed_slices) = (Listing::default(), Listing::default());

    loop {
        let synced = listed_services.done && listed_slices.done;
        let changed = tokio::select! {
            event = services.next() => proxy.service_event(event, &mut listed_services),
            event = slices.next() => proxy.slice_event(event, &mut listed_slices),
            () = proxy.next_sync(), if synced => {
                proxy.sync().await;
                false
            }
        };
        if changed {
            proxy.runner.want();
            proxy.health.queued();
        }
    }
}

async fn connect(kubeconfig: &std::path::Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Client::try_from(config.expect("a usable kubeconfig")).expect("a client")
}

/// The objects of a list that is not complete yet.
struct Listing<T> {
    objects: Vec<T>,
    done: bool,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { objects: Vec::new(), done: false }
    }
}

impl StandIn {
    /// Takes an event. Returns true if kube-proxy would sync because of it.
    fn service_event(
        &mut self,
        event: Option<Result<Event<Service>, watcher::Error>>,
        listing: &mut Listing<Service>,
    ) -> bool {
        match event {
            Some(Ok(Event::Apply(service))) => self.objects.set_service(service),
            Some(Ok(Event::Delete(service))) => self.objects.remove_service(&service),
            Some(Ok(Event::Init)) => {
                listing.objects.clear();
                false
            }
            Some(Ok(Event::InitApply(service))) => {
                listing.objects.push(service);
                false
            }
            Some(Ok(Event::InitDone)) => {
                self.objects.set_services(std::mem::take(&mut listing.objects));
                listing.done = true;
                true
            }
            // The watcher tries again by itself.
            Some(Err(_)) | None => false,
        }
    }

    /// The same for EndpointSlices.
    fn slice_event(
        &mut self,
        event: Option<Result<Event<EndpointSlice>, watcher::Error>>,
        listing: &mut Listing<EndpointSlice>,
    ) -> bool {
        match event {
            Some(Ok(Event::Apply(slice))) => self.objects.set_slice(slice),
            Some(Ok(Event::Delete(slice))) => self.objects.remove_slice(&slice),
            Some(Ok(Event::Init)) => {
                listing.objects.clear();
                false
            }
            Some(Ok(Event::InitApply(slice))) => {
                listing.objects.push(slice);
                false
            }
            Some(Ok(Event::InitDone)) => {
                self.objects.set_slices(std::mem::take(&mut listing.objects));
                listing.done = true;
                true
            }
            Some(Err(_)) | None => false,
        }
    }

    /// Waits until a sync is due.
    async fn next_sync(&self) {
        self.runner.due().await;
        while self.config.stalled.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Writes the rules for the present objects, then sets the health ports.
    async fn sync(&mut self) {
        self.runner.begin();
        self.delete_stale_chains().await;

        let ports = self.objects.ports(&self.config.node);
        let rules = Ruleset::of(&ports, &self.config.pod_cidr);
        let transaction = match &self.applied {
            Some(applied) => rules.change(applied),
            None => rules.create(self.config.address),
        };

        if let Err(error) = nft::apply(&transaction).await {
            eprint(&format!("{}: {error}\n{transaction}", self.config.node));
            self.runner.end(false);
            return;
        }
        let serving = ports.iter().filter(|port| port.serves_external());
        self.config.commits.note(&serving.flat_map(|port| &port.vips).copied().collect());

        self.note_stale_chains(&rules);
        self.applied = Some(rules);
        self.health.synced(self.objects.health_checks(&self.config.node)).await;
        self.runner.end(true);
    }

    fn note_stale_chains(&mut self, rules: &Ruleset) {
        self.stale.retain(|(stale, _)| !rules.has_chain(stale));
        let Some(applied) = &self.applied else { return };
        let unused = applied.chains().filter(|chain| !rules.has_chain(chain));
        self.stale.extend(unused.map(|chain| (chain.clone(), Instant::now())));
    }

    async fn delete_stale_chains(&mut self) {
        let old = |since: &Instant| since.elapsed() > STALE;
        let names = self.stale.iter().filter(|(_, since)| old(since)).map(|(name, _)| name);
        let transaction = Ruleset::delete_chains(names);
        if transaction.is_empty() {
            return;
        }

        match nft::apply(&transaction).await {
            Ok(()) => self.stale.retain(|(_, since)| !old(since)),
            Err(error) => eprint(&error),
        }
    }
}
