//! Create, update, patch and delete, with the steps of the real server around each.

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::clock::now;
use crate::failure::Failure;
use crate::path::ObjectPath;
use crate::resource::Resource;
use crate::service::{self, Allocations};
use crate::store::{ObjectKey, Store};
use crate::{admission, apply};

/// One request that writes an object.
#[derive(Debug)]
pub(crate) struct WriteRequest<'a> {
    pub(crate) store: &'a Store,
    pub(crate) allocations: &'a Allocations,
    pub(crate) resource: &'a Resource,
    pub(crate) path: &'a ObjectPath,
    /// `fieldManager`, or the name of the user agent.
    pub(crate) manager: &'a str,
    pub(crate) dry_run: bool,
    pub(crate) force: bool,
}

impl WriteRequest<'_> {
    fn key(&self, name: &str) -> ObjectKey {
        ObjectKey {
            resource: self.resource.qualified(),
            namespace: self.path.namespace.clone().unwrap_or_default(),
            name: name.to_owned(),
        }
    }

    fn subresource(&self) -> &str {
        self.path.subresource.as_deref().unwrap_or_default()
    }

    fn name(&self) -> Result<&str, Failure> {
        self.path.name.as_deref().ok_or_else(Failure::not_allowed)
    }

    pub(crate) fn create(&self, body: &Bytes) -> Result<Arc<Value>, Failure> {
        let mut object = parse(body)?;
        self.check_identity(&mut object)?;
        self.check_namespace()?;
        admission::ask_webhooks(self.store, self.resource, &self.path.version, "CREATE")?;

        let has_name = object["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty());
        if !has_name && let Some(prefix) = object["metadata"]["generateName"].as_str() {
            object["metadata"]["name"] = json!(format!("{prefix}{}", suffix(self.store.version())));
        }

        self.begin(&mut object, self.store.version());
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if self.dry_run {
            self.admit(None, &mut object)?;
            apply::record_update(&mut object, None, self.manager, "");
            return Ok(Arc::new(object));
        }

        self.store.change(&self.key(&name), |before, _| {
            if before.is_some() {
                return Err(Failure::exists(&self.resource.qualified(), &name));
            }
            self.admit(None, &mut object)?;
            apply::record_update(&mut object, None, self.manager, "");
            Ok(Some(object))
        })
    }

    /// Sets defaults and checks the object. A Service gets cluster IPs and node ports.
    fn admit(&self, before: Option<&Value>, after: &mut Value) -> Result<(), Failure> {
        admission::default(self.resource, after);
        if !self.resource.is_service() || !self.subresource().is_empty() {
            return admission::check(self.resource, after, before);
        }

        // The real server allocates first, then drops the fields of an old type, then checks.
        let mut allocation = self.allocations.begin();
        allocation.allocate(before, after)?;
        if let Some(before) = before {
            service::drop_fields_of_old_type(before, after);
        }
        admission::check(self.resource, after, before)?;
        if !self.dry_run {
            allocation.commit(before, Some(after));
        }
        Ok(())
    }

    /// Sets the fields of a new object that the server owns.
    fn begin(&self, object: &mut Value, version: u64) {
        object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{version:012x}"));
        object["metadata"]["creationTimestamp"] = json!(now());
        object["metadata"]["generation"] = json!(1);
        if self.resource.has_status
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
            if self.resource.kind == "Service" {
                fields.insert("status".to_owned(), json!({"loadBalancer": {}}));
            }
        }
    }

    pub(crate) fn update(&self, body: &Bytes) -> Result<Arc<Value>, Failure> {
        let mut object = parse(body)?;
        self.check_identity(&mut object)?;

        let name = self.name()?;
        if object.pointer("/metadata/name").and_then(Value::as_str) != Some(name) {
            return Err(Failure::bad_request(
                "the name of the object does not match the name on the URL",
            ));
        }

        admission::ask_webhooks(self.store, self.resource, &self.path.version, "UPDATE")?;
        self.replace(name, |before| {
            let wanted = &object["metadata"]["resourceVersion"];
            if wanted.is_string() && *wanted != before["metadata"]["resourceVersion"] {
                return Err(Failure::conflict(&self.resource.qualified(), name));
            }
            Ok(object.clone())
        })
    }

    pub(crate) fn patch(&self, content_type: &str, body: &Bytes) -> Result<Arc<Value>, Failure> {
        let name = self.name()?;
        admission::ask_webhooks(self.store, self.resource, &self.path.version, "UPDATE")?;

        match content_type {
            "application/merge-patch+json" => {
                let patch = parse(body)?;
                self.replace(name, |before| {
                    let mut after = before.clone();
                    json_patch::merge(&mut after, &patch);
                    self.check_version(name, &patch, before)?;
                    Ok(after)
                })
            }
            // The real server merges lists of objects by key. The objects that are patched here have no such lists.
            "application/strategic-merge-patch+json" if !self.resource.custom => {
                let patch = parse(body)?;
                self.replace(name, |before| {
                    let mut after = before.clone();
                    json_patch::merge(&mut after, &patch);
                    Ok(after)
                })
            }
            "application/json-patch+json" => {
                let patch: json_patch::Patch = serde_json::from_slice(body).map_err(|error| {
                    Failure::bad_request(format!("error decoding patch: {error}"))
                })?;
                self.replace(name, |before| {
                    let mut after = before.clone();
                    json_patch::patch(&mut after, &patch).map_err(|error| {
                        Failure::invalid(&self.resource.qualified_kind(), name, error)
                    })?;
                    Ok(after)
                })
            }
            "application/apply-patch+yaml" | "application/apply-patch+json" => {
                self.apply(name, body)
            }
            other => Err(Failure::unsupported(other)),
        }
    }

    fn check_version(&self, name: &str, patch: &Value, before: &Value) -> Result<(), Failure> {
        match patch.pointer("/metadata/resourceVersion") {
            Some(version) if *version != before["metadata"]["resourceVersion"] => {
                Err(Failure::conflict(&self.resource.qualified(), name))
            }
            _ => Ok(()),
        }
    }

    fn apply(&self, name: &str, body: &Bytes) -> Result<Arc<Value>, Failure> {
        let text =
            std::str::from_utf8(body).map_err(|error| Failure::bad_request(error.to_string()))?;
        let mut applied: Value = serde_saphyr::from_str(text)
            .map_err(|error| Failure::bad_request(error.to_string()))?;
        self.check_identity(&mut applied)?;

        if self.manager.is_empty() {
            return Err(Failure::bad_request("fieldManager is required for apply patch"));
        }
        self.check_namespace()?;
        self.store.change(&self.key(name), |before, version| {
            if before.is_none() && !self.subresource().is_empty() {
                return Err(Failure::not_found(&self.resource.qualified(), name));
            }
            if let Some(before) = before {
                self.check_version(name, &applied, before)?;
            }

            let mut after =
                apply::apply(before, &applied, self.manager, self.force, self.subresource())?;
            after["metadata"]["name"] = json!(name);
            after["apiVersion"] = json!(self.resource.api_version(&self.resource.version));
            after["kind"] = json!(self.resource.kind);
            if let Some(namespace) = &self.path.namespace {
                after["metadata"]["namespace"] = json!(namespace);
            }

            match before {
                Some(before) => self.restrict(before, &mut after),
                None => self.begin(&mut after, version),
            }

            self.admit(before, &mut after)?;
            self.count_generation(before, &mut after);
            Ok::<_, Failure>(Some(after))
        })
    }

    fn replace(
        &self,
        name: &str,
        make: impl FnOnce(&Value) -> Result<Value, Failure>,
    ) -> Result<Arc<Value>, Failure> {
        self.store.change(&self.key(name), |before, _| {
            let Some(before) = before else {
                return Err(Failure::not_found(&self.resource.qualified(), name));
            };
            let mut after = make(before)?;
            self.restrict(before, &mut after);
            self.admit(Some(before), &mut after)?;
            self.count_generation(Some(before), &mut after);
            apply::record_update(&mut after, Some(before), self.manager, self.subresource());
            if self.dry_run { Ok(Some(before.clone())) } else { Ok(Some(after)) }
        })
    }

    /// Restores the fields that this request may not change.
    fn restrict(&self, before: &Value, after: &mut Value) {
        for field in ["uid", "creationTimestamp", "generation", "name", "namespace"] {
            after["metadata"][field] = before["metadata"][field].clone();
            if after["metadata"][field].is_null()
                && let Some(metadata) = after["metadata"].as_object_mut()
            {
                metadata.remove(field);
            }
        }

        after["apiVersion"] = before["apiVersion"].clone();
        after["kind"] = before["kind"].clone();

        if self.subresource() == "status" {
            self.restrict_to_status(before, after);
            return;
        }

        if self.resource.has_status
            && let Some(fields) = after.as_object_mut()
        {
            match before.get("status") {
                Some(status) => fields.insert("status".to_owned(), status.clone()),
                None => fields.remove("status"),
            };
        }
    }

    /// Counts a change of the spec.
    fn count_generation(&self, before: Option<&Value>, after: &mut Value) {
        let Some(before) = before.filter(|_| self.subresource() != "status") else { return };
        if after.get("spec") != before.get("spec") {
            let generation = before["metadata"]["generation"].as_u64().unwrap_or(0);
            after["metadata"]["generation"] = json!(generation + 1);
        }
    }

    /// Restores everything but the status, and the metadata of objects other than custom resources.
    fn restrict_to_status(&self, before: &Value, after: &mut Value) {
        let (Some(before), Some(fields)) = (before.as_object(), after.as_object_mut()) else {
            return;
        };
        let names: Vec<String> = before.keys().chain(fields.keys()).cloned().collect();
        for name in names {
            if ["status", "metadata"].contains(&name.as_str()) {
                continue;
            }
            match before.get(&name) {
                Some(value) => fields.insert(name, value.clone()),
                None => fields.remove(&name),
            };
        }

        // A write of the status may change the metadata of a Service, but not that of a custom resource.
        if self.resource.custom {
            let managed = fields["metadata"]["managedFields"].clone();
            fields.insert("metadata".to_owned(), before["metadata"].clone());
            fields["metadata"]["managedFields"] = managed;
        }
    }

    pub(crate) fn delete(&self, body: &Bytes) -> Result<Arc<Value>, Failure> {
        let name = self.name()?;
        admission::ask_webhooks(self.store, self.resource, &self.path.version, "DELETE")?;

        let options: Value = if body.is_empty() { Value::Null } else { parse(body)? };

        self.store.change(&self.key(name), |before, _| {
            let Some(before) = before else {
                return Err(Failure::not_found(&self.resource.qualified(), name));
            };
            for field in ["uid", "resourceVersion"] {
                let wanted = &options["preconditions"][field];
                if wanted.is_string() && *wanted != before["metadata"][field] {
                    return Err(Failure::conflict(&self.resource.qualified(), name));
                }
            }
            if self.resource.is_service() {
                self.allocations.release(before);
            }
            Ok(None)
        })
    }

    fn check_identity(&self, object: &mut Value) -> Result<(), Failure> {
        let wanted = self.resource.api_version(&self.path.version);
        if object["kind"].is_null() && object["apiVersion"].is_null() {
            // The bodies of patches leave them out for built-in types.
            object["kind"] = json!(self.resource.kind);
            object["apiVersion"] = json!(wanted);
        }

        if object["kind"] != self.resource.kind || object["apiVersion"] != wanted {
            return Err(Failure::bad_request(format!(
                "the object is a {} of {}, and the path is of {} of {wanted}",
                object["kind"], object["apiVersion"], self.resource.kind
            )));
        }

        object["apiVersion"] = json!(self.resource.api_version(&self.resource.version));
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }

        match &self.path.namespace {
            Some(namespace) => {
                let found = object.pointer("/metadata/namespace").and_then(Value::as_str);
                if found.is_some_and(|found| found != namespace) {
                    return Err(Failure::bad_request(
                        "the namespace of the provided object does not match the namespace sent on the request",
                    ));
                }
                object["metadata"]["namespace"] = json!(namespace);
            }
            None if self.resource.namespaced => return Err(Failure::not_allowed()),
            None => {}
        }
        Ok(())
    }

    fn check_namespace(&self) -> Result<(), Failure> {
        let Some(namespace) = &self.path.namespace else { return Ok(()) };
        let key = ObjectKey {
            resource: "namespaces".to_owned(),
            namespace: String::new(),
            name: namespace.clone(),
        };
        match self.store.get(&key) {
            Some(_) => Ok(()),
            None => Err(Failure::not_found("namespaces", namespace)),
        }
    }
}

fn parse(body: &Bytes) -> Result<Value, Failure> {
    let object: Value = serde_json::from_slice(body).map_err(|error| {
        Failure::bad_request(format!("the object provided is unrecognized: {error}"))
    })?;
    if object.is_object() { Ok(object) } else { Err(Failure::bad_request("expected an object")) }
}

/// Five letters, others for each version.
fn suffix(version: u64) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = version.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8;
    let letters = (0..5).map(|_| {
        let letter = LETTERS[usize::try_from(rest % 27).unwrap_or_default()];
        rest /= 27;
        char::from(letter)
    });
    letters.collect()
}
