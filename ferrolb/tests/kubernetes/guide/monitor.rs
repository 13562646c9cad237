//! A monitor for events that must never happen during a migration: a Service changes its address, or a prefix has no route.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::workloads::Site;
use crate::cluster::addresses_of;
use crate::speaker::Router;

/// The polling tasks, which stop when this is dropped.
pub(crate) struct Monitor(Vec<tokio::task::JoinHandle<()>>);

impl Monitor {
    pub(crate) fn begin(site: &Arc<Site>, router: &Arc<Router>) -> Self {
        let routes = tokio::spawn(watch_routes(Arc::clone(site), Arc::clone(router)));
        let addresses = tokio::spawn(watch_addresses(Arc::clone(site)));
        Self(vec![routes, addresses])
    }

    /// Ends the monitor. Fails if a task has ended earlier, because it has missed everything since.
    pub(crate) fn end(self) {
        assert!(!self.0.iter().any(tokio::task::JoinHandle::is_finished), "the monitor failed");
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Notes each prefix that lost its last route, and the times for which nodes had no route.
async fn watch_routes(site: Arc<Site>, router: Arc<Router>) {
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    // The nodes without any route, each with the time of its last one.
    let mut silent: BTreeMap<&'static str, Option<Instant>> = BTreeMap::new();
    loop {
        let table = router.table();
        for prefix in table.keys() {
            seen.insert(prefix.clone(), true);
        }

        for (prefix, there) in &mut seen {
            if std::mem::replace(there, table.get(prefix).is_some_and(|it| !it.is_empty()))
                && !*there
            {
                site.note(|notes| notes.wrong.push(format!("{prefix} has no route")));
            }
        }

        for (node, _) in &site.nodes {
            let speaks = table.values().any(|nodes| nodes.contains(node));
            match (silent.get(node).copied(), speaks) {
                (Some(Some(since)), true) => {
                    site.note(|notes| notes.gaps.push((*node, since.elapsed())));
                    silent.insert(node, None);
                }
                (_, true) => {
                    silent.insert(node, None);
                }
                (Some(None), false) => {
                    silent.insert(node, Some(Instant::now()));
                }
                _ => {}
            }
        }

        tokio::time::sleep(Duration::from_millis(4)).await;
    }
}

/// Notes each Service that lost or changed its address.
async fn watch_addresses(site: Arc<Site>) {
    let api: Api<Service> = Api::all(site.client.clone());
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        for service in api.list(&ListParams::default()).await.unwrap().items {
            let (name, addresses) = (service.name_any(), addresses_of(&service));
            match seen.get(&name) {
                Some(before) if *before != addresses => {
                    let wrong = format!("{name} had {before:?} and has {addresses:?}");
                    site.note(|notes| notes.wrong.push(wrong));
                }
                _ if addresses.is_empty() => continue,
                _ => {}
            }
            seen.insert(name, addresses);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
