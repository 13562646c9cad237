//! The state of a running process, as a recording.
//!
//! Owns the choice of objects that the recording shows. It contains no Secret and no password of a peer. The addresses in a
//! Service's status are those that the Service holds, even if the files have others.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::object::{RecordedKind, RecordedObject, escaped};
use super::session_state::SessionStates;
use super::step;
use crate::config::yaml;
use crate::manifest::{CONFIG_MAP, Source};
use crate::model::ServiceKey;
use crate::planner::{DataplaneStatus, ProbeStatus};

/// The objects of a process and the states of its sessions.
#[derive(Clone, Debug, Default)]
pub struct ProcessSnapshot {
    /// The files with the objects.
    pub sources: Vec<Source>,
    /// The namespace of the configuration.
    pub namespace: String,
    /// The name of the configuration's ConfigMap, if it is not `config`. The recording calls it `config`.
    pub config_map: Option<String>,
    /// The addresses that Services hold.
    pub held: BTreeMap<ServiceKey, Vec<IpAddr>>,
    /// The states of sessions, by node and peer (`address:port`).
    pub sessions: SessionStates,
    /// The results of the nodes' probes of Services.
    pub probed: BTreeMap<(String, ServiceKey), ProbeStatus>,
    /// The states of the nodes' dataplanes for Services, where they are known.
    pub dataplane: BTreeMap<(String, ServiceKey), DataplaneStatus>,
}

/// The text that replaces a password.
pub const PASSWORD: &str = "PASSWORD";

impl ProcessSnapshot {
    /// Returns the recording: a line for each object, a step `sync`, and a line for each session and each observation of a node.
    pub fn recording(&self) -> String {
        let mut text = String::new();
        let complete = self.lines(|line| {
            text.push_str(line);
            true
        });

        debug_assert!(complete, "every line is taken");
        text
    }

    /// Calls `take` with each line of the [`recording`](Self::recording) until it returns false. Returns true if it took all
    /// lines.
    pub fn lines(&self, mut take: impl FnMut(&str) -> bool) -> bool {
        for source in &self.sources {
            let Ok(text) = std::str::from_utf8(&source.octets) else { continue };
            for document in yaml::documents(text).0 {
                let Value::Object(fields) = document.to_json() else { continue };
                let mut objects = Vec::new();
                // The files are in force, so they have no errors.
                let _ = step::collect(&fields, None, "", &mut objects);
                for fields in objects.into_iter().filter_map(|object| self.redacted(object)) {
                    if !take(&line(json!({ "apply": fields }))) {
                        return false;
                    }
                }
            }
        }

        take(&line(json!({ "sync": true })))
            && self.observation_steps().all(|step| take(&line(step)))
    }

    fn observation_steps(&self) -> impl Iterator<Item = Value> {
        let sessions = self.sessions.iter();
        let sessions = sessions.map(|((node, peer), state)| step::session(node, peer, state));
        let probes = self.probed.iter();
        let probes = probes.map(|((node, service), found)| step::probe(node, service, found));
        let dataplane = self.dataplane.iter();
        let dataplane =
            dataplane.map(|((node, service), found)| step::dataplane(node, service, found));
        sessions.chain(probes).chain(dataplane)
    }

    /// Returns the fields of an object without its secrets. `None` for a Secret, and for an object that has no effect.
    fn redacted(&self, object: RecordedObject) -> Option<Map<String, Value>> {
        let RecordedObject { kind, mut fields, .. } = object;
        let metadata = fields.get_mut("metadata")?.as_object_mut()?;
        metadata.remove("managedFields");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            // A second copy of the object, with its password.
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }

        match kind {
            RecordedKind::Secret | RecordedKind::Other(_) => None,
            RecordedKind::ConfigMap => self.redacted_config_map(fields),
            RecordedKind::Resource(_) => self.redacted_resource(fields),
            RecordedKind::Service => self.with_held_addresses(fields),
            RecordedKind::EndpointSlice
            | RecordedKind::Endpoints
            | RecordedKind::Node
            | RecordedKind::Namespace => Some(fields),
        }
    }

    /// Returns the configuration's ConfigMap without passwords, and `None` for any other ConfigMap.
    fn redacted_config_map(&self, mut fields: Map<String, Value>) -> Option<Map<String, Value>> {
        let name = self.config_map.as_deref().unwrap_or(CONFIG_MAP);
        let metadata = fields.get_mut("metadata")?.as_object_mut()?;
        if text_of(metadata, "namespace") != self.namespace || text_of(metadata, "name") != name {
            return None;
        }
        metadata.insert("name".to_owned(), CONFIG_MAP.into());

        let text = fields.get("data")?.get("config")?.as_str()?;
        let mut config = yaml::documents(text).0.first()?.to_json();
        let peers = config.get_mut("peers").and_then(Value::as_array_mut);
        for peer in peers.into_iter().flatten() {
            hide_password(peer, "password-secret");
        }

        fields.retain(|key, _| ["apiVersion", "kind", "metadata"].contains(&key.as_str()));
        let text = escaped(&config.to_string());
        fields.insert("data".to_owned(), json!({ "config": text }));
        Some(fields)
    }

    fn redacted_resource(&self, mut fields: Map<String, Value>) -> Option<Map<String, Value>> {
        let metadata = fields.get_mut("metadata")?.as_object_mut()?;
        if text_of(metadata, "namespace").is_empty() {
            metadata.insert("namespace".to_owned(), self.namespace.as_str().into());
        }

        if let Some(spec) = fields.get_mut("spec") {
            hide_password(spec, "passwordSecret");
        }
        Some(fields)
    }

    /// Replaces the status of a Service by one with the addresses that it holds.
    fn with_held_addresses(&self, mut fields: Map<String, Value>) -> Option<Map<String, Value>> {
        let metadata = fields.get("metadata")?.as_object()?;
        let namespace = match text_of(metadata, "namespace") {
            "" => "default",
            namespace => namespace,
        };
        let key = ServiceKey::new(namespace, text_of(metadata, "name"));

        let held = self.held.get(&key).into_iter().flatten();
        let ingress: Vec<_> = held.map(|address| json!({ "ip": address })).collect();
        fields.insert("status".to_owned(), json!({ "loadBalancer": { "ingress": ingress } }));
        Some(fields)
    }
}

fn line(step: Value) -> String {
    format!("{step}\n")
}

fn text_of<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Replaces the password of a peer by [`PASSWORD`], and removes the reference to its Secret.
fn hide_password(peer: &mut Value, secret: &str) {
    let Some(peer) = peer.as_object_mut() else { return };
    let secret = peer.remove(secret);
    if is_set(secret.as_ref()) || is_set(peer.get("password")) {
        peer.insert("password".to_owned(), PASSWORD.into());
    }
}

fn is_set(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}
