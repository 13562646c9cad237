//! A `kubectl` with the features that the page uses. It rejects everything else.

use std::path::Path;
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::types::{Type, of_object, of_word};

/// A `kubectl` that is connected to the server.
pub(crate) struct Kubectl {
    pub(crate) client: Client,
    /// The objects that `-k overlay` builds.
    pub(crate) overlay: Vec<Value>,
}

/// A parsed command line.
#[derive(Debug, Default)]
struct Call {
    namespace: Option<String>,
    /// Options with a value.
    options: Vec<(String, String)>,
    /// Options without one.
    flags: Vec<String>,
    words: Vec<String>,
}

/// Options that have a value.
const VALUED: [&str; 12] = [
    "-n",
    "-o",
    "-f",
    "-k",
    "-l",
    "-p",
    "--field-selector",
    "--type",
    "--for",
    "--timeout",
    "--replicas",
    "--subresource",
];
const FLAGS: [&str; 6] =
    ["-A", "--all", "--ignore-not-found", "--server-side", "--force-conflicts", "--overwrite"];

impl Call {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut call = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (*word, None),
            };
            if VALUED.contains(&name) {
                let value = value.or_else(|| words.next().copied());
                let value = value.ok_or_else(|| format!("{name} needs a value"))?.to_owned();
                match name {
                    "-n" => call.namespace = Some(value),
                    _ => call.options.push((name.to_owned(), value)),
                }
            } else if FLAGS.contains(word) {
                call.flags.push((*word).to_owned());
            } else if word.starts_with('-') {
                return Err(format!("kubectl {word} is not known here"));
            } else {
                call.words.push((*word).to_owned());
            }
        }
        Ok(call)
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(option, _)| option == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }

    /// The types and names in the words: `type/name`, `type,type`, or one type and names.
    fn targets(&self) -> Result<Vec<(&'static Type, Option<String>)>, String> {
        let mut targets = Vec::new();
        let mut words = self.words.iter();
        let Some(first) = words.next() else { return Err("nothing is named".to_owned()) };
        match first.split_once('/') {
            Some(_) => {
                for word in self.words.iter().filter(|word| !is_label(word)) {
                    let (kind, name) = word.split_once('/').ok_or("names without a type")?;
                    targets.push((of_word(kind)?, Some(name.to_owned())));
                }
            }
            None => {
                let mut kinds = Vec::new();
                for kind in first.split(',') {
                    kinds.push(of_word(kind)?);
                }
                let names: Vec<_> = words.filter(|word| !is_label(word)).cloned().collect();
                match (kinds.as_slice(), names.is_empty()) {
                    (kinds, true) => targets.extend(kinds.iter().map(|kind| (*kind, None))),
                    ([kind], false) => {
                        targets.extend(names.into_iter().map(|name| (*kind, Some(name))));
                    }
                    _ => return Err("several types with names".to_owned()),
                }
            }
        }
        Ok(targets)
    }
}

/// Returns true if a word sets or removes a label.
fn is_label(word: &str) -> bool {
    word.contains('=') || word.ends_with('-')
}

impl Kubectl {
    /// Runs a command. Returns its output, or its error.
    pub(crate) async fn run(
        &self,
        words: &[&str],
        input: &str,
        folder: &Path,
    ) -> Result<String, String> {
        // Options may stand before the verb.
        let mut call = Call::parse(words)?;

        if call.words.is_empty() {
            return Err("kubectl alone does nothing".to_owned());
        }
        let verb = call.words.remove(0);

        match verb.as_str() {
            "get" => self.get(&call).await,
            "patch" => self.patch(&call).await,
            "label" => self.label(&call).await,
            "delete" => self.delete(&call).await,
            "scale" => self.scale(&call).await,
            "apply" | "create" | "replace" => {
                for object in self.files(&call, input, folder)? {
                    self.write(&verb, &call, object).await?;
                }
                Ok(String::new())
            }
            "wait" => self.wait(&call).await,
            "rollout" if call.words.first().is_some_and(|word| word == "status") => {
                call.words.remove(0);
                self.rollout(&call).await
            }
            other => Err(format!("kubectl {other} is not known here")),
        }
    }

    fn api(&self, kind: &Type, namespace: Option<&str>) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, kind.plural);
        match (kind.namespaced, namespace) {
            (true, Some(namespace)) => {
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
            _ => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn api_for(&self, kind: &Type, call: &Call) -> Api<DynamicObject> {
        let namespace = call.namespace.as_deref().unwrap_or("default");
        self.api(kind, (!call.has("-A")).then_some(namespace))
    }

    /// The objects that the call names, or selects.
    async fn found(&self, call: &Call) -> Result<Vec<(&'static Type, Value)>, String> {
        let mut found = Vec::new();
        for (kind, name) in call.targets()? {
            let api = self.api_for(kind, call);
            let objects = match name {
                Some(name) => {
                    let object = api.get_opt(&name).await.map_err(|error| error.to_string())?;
                    if object.is_none() && !call.has("--ignore-not-found") {
                        return Err(format!("{} {name:?} not found", kind.plural));
                    }
                    object.into_iter().collect()
                }
                None => {
                    let params = ListParams::default().labels(call.option("-l").unwrap_or(""));
                    api.list(&params).await.map_err(|error| error.to_string())?.items
                }
            };
            found.extend(objects.into_iter().map(|object| (kind, shown(kind, object))));
        }

        if let Some(selector) = call.option("--field-selector") {
            let node = selector.strip_prefix("spec.nodeName=").ok_or("another field selector")?;
            found.retain(|(_, object)| object["spec"]["nodeName"] == node);
        }
        Ok(found)
    }

    async fn get(&self, call: &Call) -> Result<String, String> {
        let mut found: Vec<_> = self.found(call).await?.into_iter().map(|(_, it)| it).collect();
        let one = call.words.len() == 1 && call.words[0].contains('/') && found.len() == 1;
        let list = |items: Vec<Value>| json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items});
        match call.option("-o") {
            Some("json") => Ok(list(found).to_string()),
            Some("yaml") => {
                let object = if one { found.remove(0) } else { list(found) };
                serde_saphyr::to_string(&object).map_err(|error| error.to_string())
            }
            Some(path) => {
                let path = path.strip_prefix("jsonpath={").and_then(|it| it.strip_suffix('}'));
                let path = path.ok_or("another output")?;
                let values: Vec<_> = found.iter().flat_map(|it| select(it, path)).collect();
                Ok(values.join(" "))
            }
            None => Ok(found.iter().map(row).collect()),
        }
    }

    async fn patch(&self, call: &Call) -> Result<String, String> {
        let text = call.option("-p").ok_or("a patch needs -p")?;
        let patch: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if call.option("--type") != Some("merge") {
            return Err("another type of patch".to_owned());
        }
        self.merge(call, &patch, call.option("--subresource")).await
    }

    async fn merge(
        &self,
        call: &Call,
        patch: &Value,
        subresource: Option<&str>,
    ) -> Result<String, String> {
        let params =
            PatchParams { field_manager: Some("kubectl-patch".into()), ..PatchParams::default() };
        for (kind, object) in self.found(call).await? {
            let (api, name) = (self.api_for(kind, call), name(&object));
            let patched = match subresource {
                Some("status") => api.patch_status(name, &params, &Patch::Merge(patch)).await,
                None => api.patch(name, &params, &Patch::Merge(patch)).await,
                Some(other) => return Err(format!("the subresource {other}")),
            };
            patched.map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(String::new())
    }

    async fn label(&self, call: &Call) -> Result<String, String> {
        let label = call.words.last().ok_or("no label")?;
        let (key, value) = match (label.split_once('='), label.strip_suffix('-')) {
            (Some((key, value)), _) => (key, json!(value)),
            (None, Some(key)) => (key, Value::Null),
            _ => return Err(format!("{label} is no label")),
        };
        for (_, object) in self.found(call).await? {
            let has = &object["metadata"]["labels"][key];
            let differs = value.is_string() && has.is_string() && *has != value;
            if differs && !call.has("--overwrite") {
                return Err(format!("{} has the label {key}={has}", name(&object)));
            }
        }
        self.merge(call, &json!({"metadata": {"labels": {key: value}}}), None).await
    }

    async fn delete(&self, call: &Call) -> Result<String, String> {
        for (kind, object) in self.found(call).await? {
            let deleted =
                self.api_for(kind, call).delete(name(&object), &DeleteParams::default()).await;
            deleted.map_err(|error| format!("{}: {error}", name(&object)))?;
        }
        Ok(String::new())
    }

    async fn scale(&self, call: &Call) -> Result<String, String> {
        let replicas = call.option("--replicas").ok_or("--replicas is missing")?;
        let replicas: u64 = replicas.parse().map_err(|_| "replicas are a number")?;
        self.merge(call, &json!({"spec": {"replicas": replicas}}), None).await
    }

    /// The objects of the files that the call names.
    fn files(&self, call: &Call, input: &str, folder: &Path) -> Result<Vec<Value>, String> {
        if call.option("-k").is_some() {
            return Ok(self.overlay.clone());
        }

        let mut objects = Vec::new();
        for (_, file) in call.options.iter().filter(|(option, _)| option == "-f") {
            let text = match file.as_str() {
                "-" => input.to_owned(),
                file if file.starts_with("deploy/") => {
                    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
                    std::fs::read_to_string(root.join(file)).map_err(|error| error.to_string())?
                }
                file => std::fs::read_to_string(folder.join(file))
                    .map_err(|error| format!("{file}: {error}"))?,
            };
            let documents: Vec<Value> =
                serde_saphyr::from_multiple(&text).map_err(|error| format!("{file}: {error}"))?;
            for document in documents.into_iter().filter(Value::is_object) {
                match document["kind"].as_str() {
                    Some("List") => {
                        objects.extend(document["items"].as_array().cloned().unwrap_or_default());
                    }
                    _ => objects.push(document),
                }
            }
        }

        if objects.is_empty() {
            return Err("no objects".to_owned());
        }
        Ok(objects)
    }

    /// Writes one object of a file.
    pub(crate) async fn write_one(&self, verb: &str, object: Value) -> Result<(), String> {
        self.write(verb, &Call::default(), object).await
    }

    async fn write(&self, verb: &str, call: &Call, mut object: Value) -> Result<(), String> {
        let kind = of_object(&object)?;
        let namespace = object["metadata"]["namespace"].as_str().map(str::to_owned);
        let api = self.api(kind, Some(namespace.as_deref().unwrap_or("default")));
        let key = name(&object).to_owned();

        let read = |object: &Value| {
            serde_json::from_value::<DynamicObject>(object.clone()).map_err(|it| it.to_string())
        };
        let params =
            PostParams { field_manager: Some(format!("kubectl-{verb}")), ..PostParams::default() };

        let written = match verb {
            "apply" => {
                if !call.has("--server-side") {
                    return Err("apply without --server-side is not known here".to_owned());
                }
                let mut params = PatchParams::apply("kubectl");
                params.force = call.has("--force-conflicts");
                api.patch(&key, &params, &Patch::Apply(&object)).await
            }
            // The real server rejects a new object with a resource version.
            "create" if object["metadata"]["resourceVersion"].is_string() => {
                return Err(format!(
                    "{key}: resourceVersion should not be set on objects to be created"
                ));
            }
            "create" => api.create(&params, &read(&object)?).await,
            _ => {
                if object["metadata"]["resourceVersion"].is_null() {
                    let there = api.get(&key).await.map_err(|error| error.to_string())?;
                    object["metadata"]["resourceVersion"] = json!(there.metadata.resource_version);
                }
                api.replace(&key, &params, &read(&object)?).await
            }
        };

        written.map_err(|error| format!("{} {key}: {error}", kind.plural))?;
        Ok(())
    }

    /// Waits until the objects that the call names are gone.
    async fn wait(&self, call: &Call) -> Result<String, String> {
        if call.option("--for") != Some("delete") {
            return Err("wait knows --for=delete here".to_owned());
        }
        let there = self.found(call).await?;
        let begin = Instant::now();
        for (kind, object) in &there {
            let api = self.api_for(kind, call);
            while api.get_opt(name(object)).await.map_err(|error| error.to_string())?.is_some() {
                if begin.elapsed() > Duration::from_secs(60) {
                    return Err(format!("{} stays", name(object)));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(String::new())
    }

    /// Waits until all replicas of a Deployment are there.
    async fn rollout(&self, call: &Call) -> Result<String, String> {
        let begin = Instant::now();
        loop {
            let found = self.found(call).await?;
            let ready = found
                .iter()
                .all(|(_, it)| it["spec"]["replicas"] == it["status"]["availableReplicas"]);
            if ready {
                return Ok(String::new());
            }
            if begin.elapsed() > Duration::from_secs(60) {
                return Err(format!("{found:?}"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// An object as `kubectl` prints it: with its kind, and without managed fields.
fn shown(kind: &Type, object: DynamicObject) -> Value {
    let mut object = serde_json::to_value(object).unwrap();
    object["apiVersion"] = match kind.group {
        "" => json!(kind.version),
        group => json!(format!("{group}/{}", kind.version)),
    };
    object["kind"] = json!(kind.kind);
    object["metadata"].as_object_mut().unwrap().remove("managedFields");
    object
}

/// The values at a path such as `.status.sessions[*].established`.
fn select(object: &Value, path: &str) -> Vec<String> {
    let mut values = vec![object];
    for part in path.split('.').skip(1) {
        let (key, all) = part.strip_suffix("[*]").map_or((part, false), |key| (key, true));
        values = values.into_iter().map(|value| &value[key]).collect();
        if all {
            values =
                values.into_iter().flat_map(|it| it.as_array().into_iter().flatten()).collect();
        }
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.into_iter().filter(|value| !value.is_null()).map(text).collect()
}

/// A line of a table.
fn row(object: &Value) -> String {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let kind = object["spec"]["type"].as_str().unwrap_or_default();
    let ip = object.pointer("/status/loadBalancer/ingress/0/ip").and_then(Value::as_str);
    format!("{namespace} {} {kind} {}\n", name(object), ip.unwrap_or_default())
}
