//! What a cluster has, asked for once: for the commands that explain and compare.
//!
//! The rights are those of whoever asks. Secrets are not asked for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use axum::http;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kube::api::ListParams;
use kube::client::Body;
use kube::core::{DynamicObject, TypeMeta};
use kube::{Api, Client};
use serde_json::Value;

use super::client::{self, answered};
use super::node_status;
use super::resource::Kind;
use crate::cluster::{SessionState, Unsent};
use crate::failure::Failure;
use crate::manifest::{CONFIG_MAP, Source};
use crate::model::ServiceKey;
use crate::replay::Known;

/// Objects in a page of a list.
const PAGE: u32 = 500;

/// The objects of the cluster that a kubeconfig file names, or KUBECONFIG, or in which this is a pod; its
/// configuration is in this namespace, in the ConfigMap of this name if it is in one.
///
/// # Errors
///
/// The API server is not to be had, or refuses.
pub(crate) fn objects(
    kubeconfig: Option<&PathBuf>,
    namespace: &str,
    config_map: &str,
) -> Result<Known, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::unusable)?.block_on(async {
        let client = client::connect(kubeconfig).await?;
        let mut known = Known { namespace: namespace.to_owned(), ..Known::default() };
        for kind in [Kind::Namespace, Kind::Node, Kind::Service, Kind::EndpointSlice] {
            add(&mut known, kind, &list(&client, kind, None, None).await?);
        }
        for kind in Kind::CONFIGURATION.into_iter().filter(|kind| *kind != Kind::Secret) {
            let name = (kind == Kind::ConfigMap).then_some(config_map);
            add(&mut known, kind, &list(&client, kind, Some(namespace), name).await?);
        }
        known.sessions = sessions(&client, namespace).await;
        Ok(known)
    })
}

/// All objects of a resource, or the one of this name.
async fn list(
    client: &Client,
    kind: Kind,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<Vec<DynamicObject>, Failure> {
    let resource = kind.api_resource();
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let mut params = ListParams::default().limit(PAGE);
    if let Some(name) = name {
        params = params.fields(&format!("metadata.name={name}"));
    }
    let mut objects = Vec::new();
    loop {
        match answered(api.list(&params)).await {
            Ok(page) => {
                objects.extend(page.items);
                params.continue_token = page.metadata.continue_.filter(|it| !it.is_empty());
                if params.continue_token.is_none() {
                    return Ok(objects);
                }
            }
            // An API that is not installed has no objects.
            Err(kube::Error::Api(status)) if kind.is_optional() && status.code == 404 => {
                return Ok(objects);
            }
            Err(error) => {
                let plural = kind.plural();
                return Err(Failure::Unusable(format!("cannot list {plural}: {error}")));
            }
        }
    }
}

fn add(known: &mut Known, kind: Kind, objects: &[DynamicObject]) {
    let resource = kind.api_resource();
    let types = TypeMeta { api_version: resource.api_version, kind: resource.kind };
    for object in objects {
        let mut object = object.clone();
        object.types = Some(types.clone());
        object.metadata.managed_fields = None;
        if kind == Kind::ConfigMap {
            // A recording has it under this name, whatever the cluster calls it.
            object.metadata.name = Some(CONFIG_MAP.to_owned());
        }
        if kind == Kind::Service {
            let ingress = object.data["status"]["loadBalancer"]["ingress"].as_array();
            let addresses = ingress.into_iter().flatten().filter_map(|it| it["ip"].as_str());
            let addresses: Vec<IpAddr> = addresses.filter_map(|it| it.parse().ok()).collect();
            let of = |text: &Option<String>| text.clone().unwrap_or_default();
            let key = ServiceKey::new(of(&object.metadata.namespace), of(&object.metadata.name));
            known.held.insert(key, addresses);
        }
        let octets = serde_json::to_vec(&object).unwrap_or_default();
        known.sources.push(Source { name: resource.plural.clone(), octets });
    }
}

/// How sessions stand, by what speakers say of themselves; where that cannot be read, nothing is known.
async fn sessions(client: &Client, namespace: &str) -> BTreeMap<(String, String), SessionState> {
    let resource = Kind::BgpNodeStatus.api_resource();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let nodes = match answered(api.list(&ListParams::default())).await {
        Ok(nodes) => nodes.items,
        Err(error) => {
            tracing::warn!(%error, "how sessions stand is not known");
            return BTreeMap::new();
        }
    };
    let now = time_of_server(client).await;
    let mut sessions = BTreeMap::new();
    for node in nodes {
        let status = &node.data["status"];
        let name = status["node"].as_str().unwrap_or_default();
        if node_status::is_stale(status, now) {
            let last = status["heartbeatTime"].as_str().unwrap_or_default();
            tracing::warn!(
                node = name,
                last,
                "the speaker does not report: how its sessions stand is not known"
            );
            continue;
        }
        for session in status["sessions"].as_array().into_iter().flatten() {
            let peer = session["address"].as_str().unwrap_or_default().to_owned();
            let up = session["established"] == true;
            let reason = session["lastError"].as_str().filter(|_| !up).map(str::to_owned);
            let mut state = SessionState::new(up, reason);
            state.bfd_problem = session["bfdProblem"].as_str().map(str::to_owned);
            note_unsendable(&mut state, session);
            sessions.insert((name.to_owned(), peer), state);
        }
    }
    sessions
}

/// What a speaker says that a session does not carry.
fn note_unsendable(state: &mut SessionState, session: &Value) {
    let families = session["families"].as_array();
    state.families = families.map(|families| {
        families.iter().filter_map(|family| family.as_str().map(str::to_owned)).collect()
    });
    for route in session["unsendableRoutes"].as_array().into_iter().flatten() {
        let prefix = route["prefix"].as_str().and_then(|prefix| prefix.parse().ok());
        if let (Some(prefix), Some(reason)) = (prefix, route["reason"].as_str()) {
            state.unsendable.insert(prefix, Unsent::told(reason));
        }
    }
    let all = session["unsendable"].as_u64().unwrap_or(0);
    state.unlisted =
        usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(state.unsendable.len());
}

/// The time by the clock of the API server, which is a machine of the cluster as those of the speakers are, and need not
/// agree with this one; by the clock here where it does not say.
async fn time_of_server(client: &Client) -> Timestamp {
    let Ok(request) = http::Request::get("/version").body(Body::empty()) else {
        return Timestamp::now();
    };
    let answer = answered(client.send(request)).await;
    let date = answer.ok().and_then(|it| {
        let date = it.headers().get(http::header::DATE)?.to_str().ok()?;
        rfc2822::parse(date).ok()
    });
    date.map_or_else(Timestamp::now, |date| date.timestamp())
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
