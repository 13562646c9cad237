//! What a process knows, as a recording.
//!
//! Owns which objects are told of and what is left out of them: whoever asks gets no Secret, and no password of a
//! peer. What Services hold stands in their status, whatever the files said.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::object::{Kind, Object, escaped};
use super::session_state::SessionState;
use super::step;
use crate::config::yaml;
use crate::manifest::{CONFIG_MAP, Source};
use crate::model::ServiceKey;
use crate::planner::ProbeStatus;

/// The objects that a process knows, and how its sessions stand.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The files that they were read from.
    pub sources: Vec<Source>,
    /// The namespace of the configuration.
    pub namespace: String,
    /// Name of its ConfigMap, which the recording calls as MetalLB's own manifests do.
    pub config_map: Option<String>,
    /// The addresses that Services hold.
    pub held: BTreeMap<ServiceKey, Vec<IpAddr>>,
    /// How the session of a node with a peer, `address:port`, stands.
    pub sessions: BTreeMap<(String, String), SessionState>,
    /// What nodes have found by probing Services.
    pub probed: BTreeMap<(String, ServiceKey), ProbeStatus>,
}

/// What stands in the place of a password.
pub const PASSWORD: &str = "PASSWORD";

impl Known {
    /// A step on each line: the objects, that these are all, the sessions.
    pub fn recording(&self) -> String {
        let mut text = String::new();
        let whole = self.lines(|line| {
            text.push_str(line);
            true
        });
        debug_assert!(whole, "every line is taken");
        text
    }

    /// Hands on the lines of the [`recording`](Self::recording) one by one, as long as they are taken. Returns true if all
    /// were.
    pub fn lines(&self, mut take: impl FnMut(&str) -> bool) -> bool {
        let mut take = |step: Value| take(&format!("{step}\n"));
        let texts = self.sources.iter().filter_map(|it| std::str::from_utf8(&it.octets).ok());
        for document in texts.flat_map(|text| yaml::documents(text).0) {
            let Value::Object(fields) = document.to_json() else { continue };
            let mut objects = Vec::new();
            // The files are right, or they would not be in force.
            let _ = step::collect(&fields, None, "", &mut objects);
            let mut shown = objects.into_iter().filter_map(|object| self.shown(object));
            if !shown.all(|fields| take(json!({ "apply": fields }))) {
                return false;
            }
        }
        take(json!({ "sync": true })) && self.findings().all(take)
    }

    /// The steps about sessions and about what probes have found.
    fn findings(&self) -> impl Iterator<Item = Value> {
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|((node, peer), state)| step::session(node, peer, state));
        let probed = self.probed.iter();
        let probed = probed.map(|((node, service), found)| step::probe(node, service, found));
        sessions.chain(probed)
    }

    /// What may be told of an object; nothing of one that means nothing, or is secret.
    fn shown(&self, object: Object) -> Option<Map<String, Value>> {
        let Object { kind, mut fields, .. } = object;
        let metadata = fields.get_mut("metadata")?.as_object_mut()?;
        metadata.remove("managedFields");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            // The whole object once more, with its password.
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }

        let named = |metadata: &Map<String, Value>, key: &str| {
            metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let (namespace, name) = (named(metadata, "namespace"), named(metadata, "name"));

        match kind {
            Kind::Secret | Kind::Other(_) => return None,
            Kind::ConfigMap => {
                let wanted = self.config_map.as_deref().unwrap_or(CONFIG_MAP);
                if namespace != self.namespace || name != wanted {
                    return None;
                }
                metadata.insert("name".to_owned(), CONFIG_MAP.into());
                let text = fields.get("data")?.get("config")?.as_str()?.to_owned();
                let mut config = yaml::documents(&text).0.first()?.to_json();
                let peers = config.get_mut("peers").and_then(Value::as_array_mut);
                for peer in peers.into_iter().flatten() {
                    hide_password(peer, "password-secret");
                }
                fields.retain(|key, _| ["apiVersion", "kind", "metadata"].contains(&key.as_str()));
                let text = escaped(&config.to_string());
                fields.insert("data".to_owned(), json!({ "config": text }));
            }
            Kind::Resource(_) => {
                if namespace.is_empty() {
                    metadata.insert("namespace".to_owned(), self.namespace.as_str().into());
                }
                if let Some(spec) = fields.get_mut("spec") {
                    hide_password(spec, "passwordSecret");
                }
            }
            Kind::Service => {
                let namespace = Some(namespace).filter(|it| !it.is_empty());
                let key = ServiceKey::new(namespace.as_deref().unwrap_or("default"), name);
                let held = self.held.get(&key).into_iter().flatten();
                let ingress: Vec<_> = held.map(|address| json!({ "ip": address })).collect();
                fields
                    .insert("status".to_owned(), json!({ "loadBalancer": { "ingress": ingress } }));
            }
            Kind::EndpointSlice | Kind::Endpoints | Kind::Node | Kind::Namespace => {}
        }
        Some(fields)
    }
}

/// That a peer has a password is told, but neither it nor its Secret.
fn hide_password(peer: &mut Value, secret: &str) {
    let Some(peer) = peer.as_object_mut() else { return };
    let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    let of_secret = peer.remove(secret).is_some_and(|reference| !is_empty(&reference));
    let own = peer.get("password").is_some_and(|password| !is_empty(password));
    if own || of_secret {
        peer.insert("password".to_owned(), PASSWORD.into());
    }
}
