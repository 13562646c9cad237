//! What a cluster has, asked for once: for the commands that explain and compare.
//!
//! The rights are those of whoever asks. Secrets are not asked for.

use std::collections::{BTreeMap, BTreeSet};
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
use ferrolb_node::{Error, causes};
use lb_adapter::manifest::{CONFIG_MAP, Source};
use lb_adapter::model::ServiceKey;
use lb_adapter::recording::Known;
use lb_adapter::recording::{SessionState, Unsent};

/// Objects in a page of a list.
const PAGE: u32 = 500;

/// The namespaces of MetalLB's manifests and of ours.
const USUAL: [&str; 2] = ["metallb-system", "ferrolb-system"];

/// Lists the objects of the cluster that a kubeconfig file names, or KUBECONFIG, or in which this is a pod. Its configuration
/// is in the namespace that is named, or else in the first of these that has one: those in `meant`, the context's and the
/// usual ones. Returns the namespaces that have been searched, too, if none of them has one.
///
/// # Errors
///
/// The API server is not to be had, or refuses.
pub fn objects(
    kubeconfig: Option<&PathBuf>,
    namespace: Option<&str>,
    config_map: &str,
    meant: &BTreeSet<String>,
) -> Result<(Known, Vec<String>), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();

    runtime.map_err(Error::new)?.block_on(async {
        let client = client::connect(kubeconfig).await?;
        let mut known = Known::default();
        for kind in [Kind::Namespace, Kind::Node, Kind::Service, Kind::EndpointSlice] {
            add(&mut known, kind, &list(&client, kind, None, None).await?);
        }

        let namespaces = match namespace {
            Some(namespace) => vec![namespace.to_owned()],
            None => candidates(meant, client.default_namespace()),
        };
        let (namespace, objects) = configuration(&client, &namespaces, config_map).await?;
        let found = !objects.is_empty();

        for (kind, objects) in objects {
            add(&mut known, kind, &objects);
        }
        known.sessions = sessions(&client, &namespace).await;
        known.namespace = namespace;
        Ok((known, if found { Vec::new() } else { namespaces }))
    })
}

/// Returns the namespaces to search, the likeliest first. A context that names none has `default`, which means little.
fn candidates(meant: &BTreeSet<String>, context: &str) -> Vec<String> {
    let context = |wanted: bool| Some(context).filter(|it| (*it == "default") == wanted);
    let all = meant.iter().map(String::as_str).chain(context(false)).chain(USUAL);

    let mut namespaces: Vec<String> = Vec::new();
    for namespace in all.chain(context(true)) {
        if !namespaces.iter().any(|known| known == namespace) {
            namespaces.push(namespace.to_owned());
        }
    }
    namespaces
}

/// Lists the configuration objects of the first of these namespaces that has any. Returns that namespace with them, or the
/// first one with nothing.
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
            // A part of a configuration must not pass for the whole.
            Some(why) => Err(why),
        };
    }

    match refused {
        // A namespace that may not be read may have the configuration.
        Some(why) => Err(why),
        None => Ok((namespaces.first().cloned().unwrap_or_default(), Vec::new())),
    }
}

/// All objects of a resource, or the one of this name.
async fn list(
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
                return Err(Error::new(format!("cannot list {plural}: {}", causes(&error))));
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
            // A recording has it under this name; the cluster may call it otherwise.
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
            tracing::warn!(error = causes(&error), "how sessions stand is not known");
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

/// Notes the routes and families that a session does not carry, as its speaker reports them.
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
