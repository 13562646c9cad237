//! A request to its answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, Uri, header};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::Asked;
use crate::access::{Access, Wish};
use crate::admission;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::path::{self, Place, Target};
use crate::resource::{Resource, Resources};
use crate::schema::Schemas;
use crate::selector::Selector;
use crate::store::{Key, Snapshot, Store};
use crate::watching::{Cut, Watch};
use crate::write::Write;

/// All that a server is.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) resources: RwLock<Resources>,
    pub(crate) schemas: RwLock<BTreeMap<String, Schemas>>,
    pub(crate) access: RwLock<Access>,
    pub(crate) faults: Faults,
    pub(crate) cuts: watch::Sender<(u64, Cut)>,
    pub(crate) bookmarks: Duration,
    pub(crate) asked: Mutex<Vec<Asked>>,
}

type Answer = Result<Response<Body>, Failure>;

/// Answers one request.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let delay = shared.faults.delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let answer =
        Request { shared: &shared, method: &method, uri: &uri, headers: &headers, body: &body }
            .answer();
    let mut answer = answer.unwrap_or_else(|failure| failure.into_response());
    if let Some(Ok(date)) = shared.faults.date().map(HeaderValue::try_from) {
        answer.headers_mut().insert(header::DATE, date);
    }
    answer
}

struct Request<'a> {
    shared: &'a Shared,
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: &'a Bytes,
}

impl Request<'_> {
    fn answer(&self) -> Answer {
        match path::parse(self.uri.path()).ok_or_else(Failure::no_such_path)? {
            Target::Health => Ok("ok".into_response()),
            Target::Version => {
                Ok(Json(json!({"major": "1", "minor": "33", "gitVersion": "v1.33.0"}))
                    .into_response())
            }
            Target::CoreVersions => {
                Ok(Json(json!({"kind": "APIVersions", "versions": ["v1"]})).into_response())
            }
            Target::Groups => Ok(Json(self.groups()).into_response()),
            Target::Resources { group, version } => self.resource_list(&group, &version),
            Target::Objects(place) => self.objects(&place),
        }
    }

    fn token(&self) -> Option<&str> {
        self.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
    }

    fn objects(&self, place: &Place) -> Answer {
        let resource = {
            let resources = self.shared.resources.read().unwrap_or_else(PoisonError::into_inner);
            let found = resources.find(&place.group, &place.plural);
            found
                .filter(|it| it.versions.contains(&place.version))
                .cloned()
                .ok_or_else(Failure::no_such_path)?
        };
        if place.subresource.as_deref().is_some_and(|sub| sub != "status" || !resource.has_status) {
            return Err(Failure::no_such_path());
        }
        let query = path::query(self.uri);
        let selector = Selector::parse(
            query.get("labelSelector").map(String::as_str),
            query.get("fieldSelector").map(String::as_str),
        )?;
        let watches = query.get("watch").is_some_and(|it| it == "true" || it == "1");
        let verb = self.verb(place, watches)?;
        self.judge(place, verb, &selector)?;
        if let Some(failure) = self.shared.faults.next(!["get", "list", "watch"].contains(&verb)) {
            return Err(failure);
        }
        let convertible = resource.converter.as_ref().is_none_or(|(namespace, name)| {
            admission::has_endpoint(&self.shared.store, namespace, name)
        });
        if !convertible && place.version != resource.version {
            return Err(Failure::internal(format!(
                "conversion webhook for {}, Kind={} failed: no endpoints available for its service",
                resource.api_version(&place.version),
                resource.kind
            )));
        }
        match verb {
            "get" => self.get(&resource, place),
            "list" => self.list(&resource, place, &query, &selector),
            "watch" => self.watch(&resource, place, &query, selector),
            "deletecollection" => self.delete_collection(&resource, place, &selector),
            _ => self.write(&resource, place, &query, verb),
        }
    }

    fn verb(&self, place: &Place, watches: bool) -> Result<&'static str, Failure> {
        match (self.method, place.name.is_some()) {
            (&Method::GET, false) if watches => Ok("watch"),
            (&Method::GET, false) => Ok("list"),
            (&Method::GET, true) => Ok("get"),
            (&Method::POST, false) => Ok("create"),
            (&Method::PUT, true) => Ok("update"),
            (&Method::PATCH, true) => Ok("patch"),
            (&Method::DELETE, true) => Ok("delete"),
            (&Method::DELETE, false) => Ok("deletecollection"),
            _ => Err(Failure::not_allowed()),
        }
    }

    fn judge(&self, place: &Place, verb: &'static str, selector: &Selector) -> Result<(), Failure> {
        let sub = place.subresource.as_ref().map(|sub| format!("/{sub}")).unwrap_or_default();
        let wish = Wish {
            verb,
            group: place.group.clone(),
            resource: format!("{}{sub}", place.plural),
            namespace: place.namespace.clone().unwrap_or_default(),
            // A list or watch of one name counts as one of that name.
            name: place.name.clone().or_else(|| selector.name().map(str::to_owned)),
        };
        let token = self.token();
        let judged =
            self.shared.access.read().unwrap_or_else(PoisonError::into_inner).judge(token, &wish);
        let asked = Asked {
            who: token.unwrap_or_default().to_owned(),
            verb,
            resource: wish.resource,
            namespace: wish.namespace,
            name: wish.name,
            allowed: judged.is_ok(),
        };
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        judged
    }

    fn get(&self, resource: &Resource, place: &Place) -> Answer {
        let name = place.name.clone().unwrap_or_default();
        let namespace = place.namespace.clone().unwrap_or_default();
        let key = Key { resource: resource.qualified(), namespace, name };
        let object = self.shared.store.get(&key);
        let object = object.ok_or_else(|| Failure::not_found(&resource.qualified(), &key.name))?;
        Ok(Json(present(resource, place, &object)).into_response())
    }

    fn list(
        &self,
        resource: &Resource,
        place: &Place,
        query: &BTreeMap<String, String>,
        selector: &Selector,
    ) -> Answer {
        let limit =
            query.get("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
        let limit: usize = limit.unwrap_or(usize::MAX);
        let token = query.get("continue").filter(|token| !token.is_empty());
        let Snapshot { version, mut rest } = match token {
            Some(token) => self.shared.store.kept(token).ok_or_else(|| {
                Failure::expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a \
                     new list without the continue parameter.",
                )
            })?,
            None => {
                let (version, objects) = self.shared.store.list(&resource.qualified(), place.namespace.as_deref());
                let exact = query.get("resourceVersionMatch").is_some_and(|it| it == "Exact");
                let wanted = query.get("resourceVersion").and_then(|wanted| wanted.parse::<u64>().ok());
                if exact && wanted.is_some_and(|wanted| wanted != version) {
                    return Err(Failure::expired("The resourceVersion for the provided list is too old."));
                }
                let rest = objects.into_iter().filter(|object| selector.matches(object)).collect();
                Snapshot { version, rest }
            }
        };
        let after = rest.split_off(limit.min(rest.len()));
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if !after.is_empty() {
            let offset = after.len();
            let last = rest
                .last()
                .and_then(|it| it.pointer("/metadata/name")?.as_str())
                .unwrap_or_default();
            let token = format!("{}:{version}:{offset}:{last}", resource.qualified());
            metadata["continue"] = json!(token);
            metadata["remainingItemCount"] = json!(offset);
            self.shared.store.keep(token, Snapshot { version, rest: after });
        }
        let items: Vec<Value> =
            rest.iter().map(|object| list_item(resource, place, object)).collect();
        Ok(Json(json!({
            "apiVersion": resource.api_version(&place.version),
            "kind": format!("{}List", resource.kind),
            "metadata": metadata,
            "items": items,
        }))
        .into_response())
    }

    fn watch(
        &self,
        resource: &Resource,
        place: &Place,
        query: &BTreeMap<String, String>,
        selector: Selector,
    ) -> Answer {
        let set = |key: &str| query.get(key).is_some_and(|it| it == "true" || it == "1");
        let since = match query.get("resourceVersion").map_or("", String::as_str) {
            "" | "0" => None,
            version => Some(version.parse::<u64>().map_err(|_| {
                Failure::bad_request(format!("resourceVersion: Invalid value: {version:?}"))
            })?),
        };
        let initial = set("sendInitialEvents");
        if initial && query.get("resourceVersionMatch").map(String::as_str) != Some("NotOlderThan")
        {
            return Err(Failure::bad_request(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        let seconds =
            query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(1_800);
        Watch {
            store: Arc::clone(&self.shared.store),
            resource: resource.qualified(),
            namespace: place.namespace.clone(),
            selector,
            api_version: resource.api_version(&place.version),
            kind: resource.kind.clone(),
            since: if initial { None } else { since },
            marks_initial_end: initial && set("allowWatchBookmarks"),
            bookmarks: set("allowWatchBookmarks").then_some(self.shared.bookmarks),
            timeout: Duration::from_secs(seconds),
            cuts: self.shared.cuts.subscribe(),
        }
        .respond()
    }

    fn write(
        &self,
        resource: &Resource,
        place: &Place,
        query: &BTreeMap<String, String>,
        verb: &str,
    ) -> Answer {
        let agent = self
            .headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or("unknown");
        let agent = agent.split('/').next().unwrap_or(agent);
        let content_type = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim();
        let applies = content_type.starts_with("application/apply-patch");
        let manager =
            query.get("fieldManager").map_or(if applies { "" } else { agent }, String::as_str);
        let body = self.admit(resource, place, verb)?;
        let write = Write {
            store: &self.shared.store,
            resource,
            place,
            manager,
            dry_run: query.get("dryRun").is_some_and(|it| it == "All"),
            force: query.get("force").is_some_and(|it| it == "true"),
        };
        let (object, code) = match verb {
            "create" => (write.create(&body)?, 201),
            "update" => (write.update(&body)?, 200),
            "patch" => (write.patch(content_type, &body)?, 200),
            _ => (write.delete(&body)?, 200),
        };
        self.take_note(resource, verb, &object)?;
        let mut response = Json(present(resource, place, &object)).into_response();
        *response.status_mut() = axum::http::StatusCode::from_u16(code).unwrap_or_default();
        Ok(response)
    }

    /// Holds a custom resource against its schema; patches are held against it in what they apply.
    fn admit(&self, resource: &Resource, place: &Place, verb: &str) -> Result<Bytes, Failure> {
        if !resource.custom || !["create", "update"].contains(&verb) {
            return Ok(self.body.clone());
        }
        let Ok(mut object) = serde_json::from_slice::<Value>(self.body) else {
            return Ok(self.body.clone());
        };
        let schemas = self.shared.schemas.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(schemas) = schemas.get(&resource.qualified()) {
            let name = object
                .pointer("/metadata/name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let judged = schemas.admit(&place.version, &mut object);
            judged.map_err(|why| Failure::invalid(&resource.qualified(), &name, why))?;
        }
        Ok(Bytes::from(object.to_string()))
    }

    /// A CustomResourceDefinition is served from now on, a Role holds from now on.
    fn take_note(&self, resource: &Resource, verb: &str, object: &Value) -> Result<(), Failure> {
        if resource.group == "rbac.authorization.k8s.io" && verb != "delete" {
            let mut access = self.shared.access.write().unwrap_or_else(PoisonError::into_inner);
            access.learn(object).map_err(Failure::bad_request)?;
        }
        if resource.plural != "customresourcedefinitions" {
            return Ok(());
        }
        let mut resources = self.shared.resources.write().unwrap_or_else(PoisonError::into_inner);
        if verb == "delete" {
            // The objects of a kind are deleted with its definition.
            let plural = object["metadata"]["name"].as_str().unwrap_or_default();
            let (_, orphans) = self.shared.store.list(plural, None);
            for orphan in orphans {
                let text =
                    |field: &str| orphan["metadata"][field].as_str().unwrap_or_default().to_owned();
                let (namespace, name) = (text("namespace"), text("name"));
                let key = Key { resource: plural.to_owned(), namespace, name };
                self.shared.store.change(&key, |_, _| Ok::<_, Failure>(None))?;
            }
            resources.undefine(object);
            return Ok(());
        }
        define(
            &mut resources,
            &mut self.shared.schemas.write().unwrap_or_else(PoisonError::into_inner),
            object,
        )
        .map_err(|why| Failure::bad_request(format!("the CustomResourceDefinition: {why}")))
    }

    fn delete_collection(&self, resource: &Resource, place: &Place, selector: &Selector) -> Answer {
        let (_, objects) =
            self.shared.store.list(&resource.qualified(), place.namespace.as_deref());
        for object in objects.iter().filter(|object| selector.matches(object)) {
            let text =
                |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
            let key = Key {
                resource: resource.qualified(),
                namespace: text("namespace"),
                name: text("name"),
            };
            self.shared.store.change(&key, |_, _| Ok::<_, Failure>(None))?;
        }
        Ok(Json(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})).into_response())
    }

    fn groups(&self) -> Value {
        let resources = self.shared.resources.read().unwrap_or_else(PoisonError::into_inner);
        let mut groups: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
        for resource in resources.iter().filter(|resource| !resource.group.is_empty()) {
            let entry = groups.entry(resource.group.clone()).or_default();
            let new: Vec<_> =
                resource.versions.iter().filter(|it| !entry.0.contains(it)).cloned().collect();
            entry.0.extend(new);
            entry.1.clone_from(&resource.version);
        }
        let groups: Vec<Value> = groups
            .into_iter()
            .map(|(name, (versions, preferred))| {
                let one = |version: &String| json!({"groupVersion": format!("{name}/{version}"), "version": version});
                json!({"name": name, "versions": versions.iter().map(one).collect::<Vec<_>>(), "preferredVersion": one(&preferred)})
            })
            .collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    }

    fn resource_list(&self, group: &str, version: &str) -> Answer {
        let resources = self.shared.resources.read().unwrap_or_else(PoisonError::into_inner);
        let of = resources
            .iter()
            .filter(|it| it.group == group && it.versions.iter().any(|one| one == version));
        let verbs = json!([
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch"
        ]);
        let list: Vec<Value> = of
            .map(|it| json!({"name": it.plural, "singularName": it.kind.to_lowercase(), "namespaced": it.namespaced, "kind": it.kind, "verbs": verbs}))
            .collect();
        if list.is_empty() {
            return Err(Failure::no_such_path());
        }
        let group_version =
            if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Ok(Json(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}))
            .into_response())
    }
}

/// Serves what a CustomResourceDefinition defines.
pub(crate) fn define(
    resources: &mut Resources,
    schemas: &mut BTreeMap<String, Schemas>,
    definition: &Value,
) -> Result<(), String> {
    resources.define(definition)?;
    let text = |pointer: &str| {
        definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let qualified = format!("{}.{}", text("/spec/names/plural"), text("/spec/group"));
    schemas.insert(qualified, Schemas::of(definition)?);
    Ok(())
}

fn present(resource: &Resource, place: &Place, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = json!(resource.api_version(&place.version));
    object["kind"] = json!(resource.kind);
    object
}

/// As the real server does, the items of a list of built-in types do not say what they are.
fn list_item(resource: &Resource, place: &Place, object: &Value) -> Value {
    let mut object = present(resource, place, object);
    if !resource.custom
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    object
}
