//! A snapshot of a cluster's objects, for commands such as `explain` and `diff`.
//!
//! Owns the search for the namespace of the configuration, and reads the states of sessions and dataplanes from BGPNodeStatus. Requests use the rights
//! of the user. Secrets are not listed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use axum::http;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kube::api::ListParams;
use kube::client::Body;
use kube::core::{DynamicObject, ObjectMeta, TypeMeta};
use kube::{Api, Client};
use serde_json::Value;

use super::client::{self, with_timeout};
use super::dataplane;
use super::node_status;
use super::resource::Kind;
use ferrolb_node::{Error, causes, time_of_day};
use lb_adapter::manifest::{CONFIG_MAP, Source};
use lb_adapter::model::ServiceKey;
use lb_adapter::recording::{ProcessSnapshot, SessionState, UnsendableReason};

/// The number of objects in a page of a list.
const PAGE: u32 = 500;

/// The namespaces of MetalLB's and FerroLB's manifests.
const DEFAULT_NAMESPACES: [&str; 2] = ["metallb-system", "ferrolb-system"];

/// Lists the objects of a cluster: that of a kubeconfig file, of `KUBECONFIG`, or of this pod.
///
/// The configuration is read from `namespace`, or else from the first namespace that has one among `preferred`, that of the
/// kubeconfig's context, and the default ones. Also returns the searched namespaces if none of them has a configuration.
///
/// # Errors
///
/// The API server is unreachable, or refuses a request.
pub fn list_cluster(
    kubeconfig: Option<&PathBuf>,
    namespace: Option<&str>,
    config_map: &str,
    preferred: &BTreeSet<String>,
) -> Result<(ProcessSnapshot, Vec<String>), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();

    runtime.map_err(Error::new)?.block_on(async {
        let client = client::connect(kubeconfig).await?;
        let mut snapshot = ProcessSnapshot::default();
        for kind in [Kind::Namespace, Kind::Node, Kind::Service, Kind::EndpointSlice] {
            add(&mut snapshot, kind, &list(&client, kind, None, None).await?);
        }

        let namespaces = match namespace {
            Some(namespace) => vec![namespace.to_owned()],
            None => candidates(preferred, client.default_namespace()),
        };
        let (namespace, objects) = configuration(&client, &namespaces, config_map).await?;
        let found = !objects.is_empty();

        for (kind, objects) in objects {
            add(&mut snapshot, kind, &objects);
        }
        add_reports(&mut snapshot, &client, &namespace).await;
        snapshot.namespace = namespace;
        Ok((snapshot, if found { Vec::new() } else { namespaces }))
    })
}

/// Returns the namespaces to search, the likeliest first. The context's `default` comes last, since a context that names no
/// namespace has it, too.
pub(super) fn candidates(preferred: &BTreeSet<String>, context: &str) -> Vec<String> {
    let mut all: Vec<&str> = preferred.iter().map(String::as_str).collect();
    if context == "default" {
        all.extend(DEFAULT_NAMESPACES);
        all.push(context);
    } else {
        all.push(context);
        all.extend(DEFAULT_NAMESPACES);
    }

    let mut namespaces: Vec<String> = Vec::new();
    for namespace in all {
        if !namespaces.iter().any(|known| known == namespace) {
            namespaces.push(namespace.to_owned());
        }
    }
    namespaces
}

/// Lists the configuration objects of the first of these namespaces that has any. Returns that namespace and its objects, or
/// the first namespace and no objects.
async fn configuration(
    client: &Client,
    namespaces: &[String],
    config_map: &str,
) -> Result<(String, Vec<(Kind, Vec<DynamicObject>)>), Error> {
    let mut refused = None;
    for namespace in namespaces {
        let (mut objects, mut missing) = (Vec::new(), None);
        for kind in Kind::CONFIGURATION.into_iter().filter(|kind| *kind != Kind::Secret) {
            let name = (kind == Kind::ConfigMap).then_some(config_map);
            match list(client, kind, Some(namespace), name).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => objects.push((kind, found)),
                Err(why) => missing = missing.or(Some(why)),
            }
        }

        if objects.is_empty() {
            refused = refused.or(missing);
            continue;
        }
        return match missing {
            None => Ok((namespace.clone(), objects)),
            // An incomplete configuration must not be taken for a complete one.
            Some(why) => Err(why),
        };
    }

    match refused {
        // The configuration may be in a namespace that may not be read.
        Some(why) => Err(why),
        None => Ok((namespaces.first().cloned().unwrap_or_default(), Vec::new())),
    }
}

/// Lists all objects of a resource, or the one of this name.
pub(super) async fn list(
    client: &Client,
    kind: Kind,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<Vec<DynamicObject>, Error> {
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
        match with_timeout(api.list(&params)).await {
            Ok(page) => {
                objects.extend(page.items);
                params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
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
                return Err(Error::new(format!("cannot list {plural}: {}", causes(&error))));
            }
        }
    }
}

fn add(snapshot: &mut ProcessSnapshot, kind: Kind, objects: &[DynamicObject]) {
    let resource = kind.api_resource();
    let types = TypeMeta { api_version: resource.api_version, kind: resource.kind };
    for object in objects {
        let mut object = object.clone();
        object.types = Some(types.clone());
        object.metadata.managed_fields = None;
        if kind == Kind::ConfigMap {
            // Recordings use this name for every ConfigMap.
            object.metadata.name = Some(CONFIG_MAP.to_owned());
        }

        if kind == Kind::Service {
            let (key, addresses) = holding(&object);
            snapshot.held.insert(key, addresses);
        }

        let octets = serde_json::to_vec(&object).unwrap_or_default();
        snapshot.sources.push(Source { name: resource.plural.clone(), octets });
    }
}

/// Returns a Service and the addresses in its status.
fn holding(service: &DynamicObject) -> (ServiceKey, Vec<IpAddr>) {
    let ObjectMeta { namespace, name, .. } = &service.metadata;
    let key = ServiceKey::new(
        namespace.as_deref().unwrap_or_default(),
        name.as_deref().unwrap_or_default(),
    );

    let ingress = service.data["status"]["loadBalancer"]["ingress"].as_array();
    let addresses = ingress.into_iter().flatten().filter_map(|entry| entry["ip"].as_str());
    (key, addresses.filter_map(|address| address.parse().ok()).collect())
}

/// Adds the states of sessions and dataplanes that speakers report. Those that cannot be read are left out.
async fn add_reports(snapshot: &mut ProcessSnapshot, client: &Client, namespace: &str) {
    let resource = Kind::BgpNodeStatus.api_resource();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let nodes = match with_timeout(api.list(&ListParams::default())).await {
        Ok(nodes) => nodes.items,
        Err(error) => {
            tracing::warn!(error = causes(&error), "cannot read the states of sessions");
            return;
        }
    };

    let now = time_of_server(client).await;
    for node in nodes {
        let status = &node.data["status"];
        let name = status["node"].as_str().unwrap_or_default();
        if node_status::is_stale(status, now) {
            let last = status["heartbeatTime"].as_str().unwrap_or_default();
            tracing::warn!(
                node = name,
                last,
                "the speaker does not report: the states of its sessions are unknown"
            );
            continue;
        }

        for session in status["sessions"].as_array().into_iter().flatten() {
            let peer = session["address"].as_str().unwrap_or_default().to_owned();
            snapshot.sessions.insert((name.to_owned(), peer), session_state(session));
        }
        for (service, found) in dataplane::report::statuses(status) {
            snapshot.dataplane.insert((name.to_owned(), service), found);
        }
    }
}

/// Returns the state of a session, as its speaker reports it.
fn session_state(session: &Value) -> SessionState {
    let is_up = session["established"] == true;
    let reason = session["lastError"].as_str().filter(|_| !is_up);

    let mut state = SessionState::new(is_up, reason.map(str::to_owned));
    state.bfd_problem = session["bfdProblem"].as_str().map(str::to_owned);
    note_unsendable(&mut state, session);
    state
}

/// Notes the routes and families that a session does not carry, as its speaker reports them.
fn note_unsendable(state: &mut SessionState, session: &Value) {
    if let Some(families) = session["families"].as_array() {
        let names = families.iter().filter_map(|family| family.as_str().map(str::to_owned));
        state.families = Some(names.collect());
    }

    for route in session["unsendableRoutes"].as_array().into_iter().flatten() {
        let prefix = route["prefix"].as_str().and_then(|prefix| prefix.parse().ok());
        if let (Some(prefix), Some(reason)) = (prefix, route["reason"].as_str()) {
            state.unsendable.insert(prefix, UnsendableReason::reported(reason));
        }
    }

    let all = session["unsendable"].as_u64().unwrap_or(0);
    state.unlisted =
        usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(state.unsendable.len());
}

/// Returns the time of the API server, whose clock is closer to those of the speakers than the local one. Falls back to the
/// local clock if its response has no time.
pub(super) async fn time_of_server(client: &Client) -> Timestamp {
    let Ok(request) = http::Request::get("/version").body(Body::empty()) else {
        return time_of_day();
    };
    match with_timeout(client.send(request)).await {
        Ok(response) => time_of(&response).unwrap_or_else(time_of_day),
        Err(_) => time_of_day(),
    }
}

fn time_of(response: &http::Response<Body>) -> Option<Timestamp> {
    let date = response.headers().get(http::header::DATE)?.to_str().ok()?;
    Some(rfc2822::parse(date).ok()?.timestamp())
}

#[cfg(test)]
#[path = "cluster_listing_tests.rs"]
mod tests;
