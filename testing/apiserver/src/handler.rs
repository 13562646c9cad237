//! Handles one request: finds the resource, authorizes, applies planned faults, and calls the verb.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use crate::access::{Authorizer, RequestAttributes};
use crate::admission;
use crate::discovery;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::path::{self, ObjectPath, Target};
use crate::pod_proxy;
use crate::request_log::{RecordedRequest, RequestLog};
use crate::resource::{Resource, Resources};
use crate::response;
use crate::review::{self, ReviewKind};
use crate::schema::Schemas;
use crate::selector::Selector;
use crate::service::Allocations;
use crate::store::{ListSnapshot, ObjectKey, Store};
use crate::traffic::{Meter, Traffic};
use crate::watch::{Cuts, Watch};
use crate::write::WriteRequest;

/// The state of a server, which all requests share.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) store: Arc<Store>,
    pub(crate) resources: RwLock<Resources>,
    pub(crate) schemas: RwLock<BTreeMap<String, Schemas>>,
    pub(crate) authorizer: RwLock<Authorizer>,
    pub(crate) faults: Faults,
    pub(crate) cuts: Arc<Cuts>,
    pub(crate) bookmark_interval: Duration,
    pub(crate) requests: RequestLog,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) allocations: Allocations,
    /// The token of requests that have none.
    pub(crate) anonymous: Option<String>,
}

type Answer = Result<Response<Body>, Failure>;

/// Handles one request of a connection.
pub(crate) async fn handle(
    State(state): State<Arc<ServerState>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    respond(&state, &method, &uri, &headers, &body).await
}

/// Handles one request.
pub(crate) async fn respond(
    state: &ServerState,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response<Body> {
    let delay = state.faults.delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }

    let request = RequestHandler { state, method, uri, headers, body };
    let answer = match path::parse(uri.path()) {
        Some(Target::PodProxy { pod, port, path }) => request.proxy(&pod, &port, &path).await,
        Some(target) => request.answer(target),
        None => Err(Failure::no_such_path()),
    };
    let mut answer = answer.unwrap_or_else(|failure| failure.into_response());

    if let Some(Ok(date)) = state.faults.date().map(HeaderValue::try_from) {
        answer.headers_mut().insert(header::DATE, date);
    }
    answer
}

struct RequestHandler<'a> {
    state: &'a ServerState,
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: &'a Bytes,
}

impl RequestHandler<'_> {
    fn answer(&self, target: Target) -> Answer {
        match target {
            Target::Health => Ok("ok".into_response()),
            Target::Version => {
                Ok(Json(json!({"major": "1", "minor": "33", "gitVersion": "v1.33.0"}))
                    .into_response())
            }
            Target::CoreVersions => {
                Ok(Json(json!({"kind": "APIVersions", "versions": ["v1"]})).into_response())
            }
            Target::Groups => {
                Ok(Json(discovery::group_list(&read(&self.state.resources))).into_response())
            }
            Target::Resources { group, version } => {
                let list = discovery::resource_list(&read(&self.state.resources), &group, &version);
                Ok(Json(list.ok_or_else(Failure::no_such_path)?).into_response())
            }
            Target::PodProxy { .. } => Err(Failure::no_such_path()),
            Target::Objects(path) => self.objects(&path),
        }
    }

    /// Sends a GET on to a pod.
    async fn proxy(&self, pod: &ObjectPath, port: &str, path: &str) -> Answer {
        let selector = Selector::default();
        if self.method != Method::GET {
            return Err(Failure::not_allowed());
        }
        self.authorize(pod, "get", &selector)?;

        let query = self.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        pod_proxy::get(&self.state.store, pod, port, &format!("{path}{query}")).await
    }

    fn token(&self) -> Option<&str> {
        let Some(value) = self.headers.get(header::AUTHORIZATION) else {
            return self.state.anonymous.as_deref();
        };
        value.to_str().ok()?.strip_prefix("Bearer ")
    }

    fn objects(&self, path: &ObjectPath) -> Answer {
        let resource = read(&self.state.resources)
            .find(&path.group, &path.plural)
            .filter(|resource| resource.versions.contains(&path.version))
            .cloned()
            .ok_or_else(Failure::no_such_path)?;
        if path.subresource.as_deref().is_some_and(|sub| sub != "status" || !resource.has_status) {
            return Err(Failure::no_such_path());
        }

        let query = path::query(self.uri);
        let selector = Selector::parse(
            &resource,
            query.get("labelSelector").map(String::as_str),
            query.get("fieldSelector").map(String::as_str),
        )?;
        let verb = self.verb(path, is_set(&query, "watch"))?;

        self.authorize(path, verb, &selector)?;
        let writes = !["get", "list", "watch"].contains(&verb);
        if let Some(failure) = self.state.faults.next(writes) {
            return Err(failure);
        }
        self.check_conversion(&resource, path)?;
        if let Some(kind) = review::kind(&path.group, &path.plural) {
            return self.review(kind, verb);
        }

        let key = (self.token().unwrap_or_default().to_owned(), verb, path.resource());
        let meter = Meter { traffic: Arc::clone(&self.state.traffic), key };
        let answer = match verb {
            "get" => self.get(&resource, path),
            "list" => self.list(&resource, path, &query, &selector),
            "watch" => return self.watch(&resource, path, &query, selector, meter),
            "deletecollection" => self.delete_collection(&resource, path, &selector),
            _ => self.write(&resource, path, &query, verb),
        }?;
        meter.add(answer.body().size_hint().exact().unwrap_or_default());
        Ok(answer)
    }

    /// Answers a review, which is not stored: it can only be created.
    fn review(&self, kind: ReviewKind, verb: &str) -> Answer {
        if verb != "create" {
            return Err(Failure::not_allowed());
        }
        let review = kind.answer(self.state, self.body)?;
        Ok((StatusCode::CREATED, Json(review)).into_response())
    }

    fn verb(&self, path: &ObjectPath, watches: bool) -> Result<&'static str, Failure> {
        match (self.method, path.name.is_some()) {
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

    /// Decides whether the sender may do this, and records the request with the decision.
    fn authorize(
        &self,
        path: &ObjectPath,
        verb: &'static str,
        selector: &Selector,
    ) -> Result<(), Failure> {
        let request = RequestAttributes {
            verb: verb.into(),
            group: path.group.clone(),
            resource: path.resource(),
            namespace: path.namespace.clone().unwrap_or_default(),
            // A list or watch that selects one name counts as a request for that name.
            name: path.name.clone().or_else(|| selector.name().map(str::to_owned)),
        };

        let token = self.token();
        let decision = read(&self.state.authorizer).authorize(token, &request);
        self.state.requests.push(RecordedRequest {
            who: token.unwrap_or_default().to_owned(),
            verb,
            resource: request.resource,
            namespace: request.namespace,
            name: request.name,
            allowed: decision.is_ok(),
        });
        decision
    }

    /// Fails if the request needs a conversion webhook that does not respond.
    fn check_conversion(&self, resource: &Resource, path: &ObjectPath) -> Result<(), Failure> {
        let Some((namespace, name)) = &resource.converter else { return Ok(()) };
        if path.version == resource.version
            || admission::has_endpoint(&self.state.store, namespace, name)
        {
            return Ok(());
        }
        Err(Failure::internal(format!(
            "conversion webhook for {}, Kind={} failed: no endpoints available for its service",
            resource.api_version(&path.version),
            resource.kind
        )))
    }

    fn get(&self, resource: &Resource, path: &ObjectPath) -> Answer {
        let key = ObjectKey {
            resource: resource.qualified(),
            namespace: path.namespace.clone().unwrap_or_default(),
            name: path.name.clone().unwrap_or_default(),
        };
        let object = self.state.store.get(&key);
        let object = object.ok_or_else(|| Failure::not_found(&resource.qualified(), &key.name))?;
        response::json(StatusCode::OK, &resource.present(&path.version, &object))
    }

    fn list(
        &self,
        resource: &Resource,
        path: &ObjectPath,
        query: &BTreeMap<String, String>,
        selector: &Selector,
    ) -> Answer {
        let ListSnapshot { version, mut rest } = match query.get("continue") {
            Some(token) if !token.is_empty() => self.continued_list(token)?,
            _ => self.first_list(resource, path, query, selector)?,
        };

        let limit: Option<usize> = query.get("limit").and_then(|limit| limit.parse().ok());
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let after = rest.split_off(limit.min(rest.len()));

        let mut metadata = json!({"resourceVersion": version.to_string()});
        if !after.is_empty() {
            let remaining = after.len();
            let last = rest.last().and_then(|object| object.pointer("/metadata/name")?.as_str());
            let last = last.unwrap_or_default();
            let token = format!("{}:{version}:{remaining}:{last}", resource.qualified());
            metadata["continue"] = json!(token);
            metadata["remainingItemCount"] = json!(remaining);
            self.state.store.keep(token, ListSnapshot { version, rest: after });
        }

        response::json(StatusCode::OK, &resource.list(&path.version, metadata, &rest))
    }

    /// All objects of a list's first request.
    fn first_list(
        &self,
        resource: &Resource,
        path: &ObjectPath,
        query: &BTreeMap<String, String>,
        selector: &Selector,
    ) -> Result<ListSnapshot, Failure> {
        let (version, objects) =
            self.state.store.list(&resource.qualified(), path.namespace.as_deref());

        let exact = query.get("resourceVersionMatch").is_some_and(|value| value == "Exact");
        let wanted = query.get("resourceVersion").and_then(|wanted| wanted.parse::<u64>().ok());
        if exact && wanted.is_some_and(|wanted| wanted != version) {
            return Err(Failure::expired("The resourceVersion for the provided list is too old."));
        }

        let rest = objects.into_iter().filter(|object| selector.matches(object)).collect();
        Ok(ListSnapshot { version, rest })
    }

    /// The next page of a list, from the second page on.
    fn continued_list(&self, token: &str) -> Result<ListSnapshot, Failure> {
        self.state.store.kept(token).ok_or_else(|| {
            Failure::expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a \
                 new list without the continue parameter.",
            )
        })
    }

    fn watch(
        &self,
        resource: &Resource,
        path: &ObjectPath,
        query: &BTreeMap<String, String>,
        selector: Selector,
        meter: Meter,
    ) -> Answer {
        let since = match query.get("resourceVersion").map_or("", String::as_str) {
            "" | "0" => None,
            version => Some(version.parse::<u64>().map_err(|_| {
                Failure::bad_request(format!("resourceVersion: Invalid value: {version:?}"))
            })?),
        };

        let initial = is_set(query, "sendInitialEvents");
        if initial && query.get("resourceVersionMatch").map(String::as_str) != Some("NotOlderThan")
        {
            return Err(Failure::bad_request(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }

        let bookmarks = is_set(query, "allowWatchBookmarks");
        let seconds =
            query.get("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(1_800);
        Watch {
            store: Arc::clone(&self.state.store),
            resource: resource.qualified(),
            namespace: path.namespace.clone(),
            selector,
            api_version: resource.api_version(&path.version),
            kind: resource.kind.clone(),
            since: if initial { None } else { since },
            marks_initial_end: initial && bookmarks,
            bookmark_interval: bookmarks.then_some(self.state.bookmark_interval),
            timeout: Duration::from_secs(seconds),
            cuts: Arc::clone(&self.state.cuts),
            meter,
        }
        .respond()
    }

    fn write(
        &self,
        resource: &Resource,
        path: &ObjectPath,
        query: &BTreeMap<String, String>,
        verb: &str,
    ) -> Answer {
        let content_type = self.header(header::CONTENT_TYPE).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim();

        // An apply must name its manager. Other writes have the user agent as their manager.
        let applies = content_type.starts_with("application/apply-patch");
        let agent = self.header(header::USER_AGENT).unwrap_or("unknown");
        let agent = agent.split('/').next().unwrap_or(agent);
        let manager =
            query.get("fieldManager").map_or(if applies { "" } else { agent }, String::as_str);

        let body = self.admit(resource, path, verb)?;
        let write = WriteRequest {
            store: &self.state.store,
            allocations: &self.state.allocations,
            resource,
            path,
            manager,
            dry_run: query.get("dryRun").is_some_and(|value| value == "All"),
            force: query.get("force").is_some_and(|value| value == "true"),
        };
        let (object, code) = match verb {
            "create" => (write.create(&body)?, StatusCode::CREATED),
            "update" => (write.update(&body)?, StatusCode::OK),
            "patch" => (write.patch(content_type, &body)?, StatusCode::OK),
            _ => (write.delete(&body)?, StatusCode::OK),
        };

        self.take_effect(resource, verb, &object)?;
        response::json(code, &resource.present(&path.version, &object))
    }

    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Checks a custom resource against its schema, and sets defaults. Patches are not checked.
    fn admit(&self, resource: &Resource, path: &ObjectPath, verb: &str) -> Result<Bytes, Failure> {
        if !resource.custom || !["create", "update"].contains(&verb) {
            return Ok(self.body.clone());
        }
        let Ok(mut object) = serde_json::from_slice::<Value>(self.body) else {
            return Ok(self.body.clone());
        };

        if let Some(schemas) = read(&self.state.schemas).get(&resource.qualified()) {
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            let name = name.unwrap_or_default().to_owned();
            let admitted = schemas.admit(&path.version, &mut object);
            admitted.map_err(|why| Failure::invalid(&resource.qualified_kind(), &name, why))?;
        }
        Ok(Bytes::from(object.to_string()))
    }

    /// Applies a written role or CustomResourceDefinition.
    fn take_effect(&self, resource: &Resource, verb: &str, object: &Value) -> Result<(), Failure> {
        if resource.group == "rbac.authorization.k8s.io" && verb != "delete" {
            write(&self.state.authorizer).add(object).map_err(Failure::bad_request)?;
        }
        if resource.plural != "customresourcedefinitions" {
            return Ok(());
        }

        let mut resources = write(&self.state.resources);
        if verb == "delete" {
            // The objects of a kind are deleted with its definition.
            let plural = object["metadata"]["name"].as_str().unwrap_or_default();
            let (_, orphans) = self.state.store.list(plural, None);
            for orphan in orphans {
                self.delete(plural.to_owned(), &orphan)?;
            }
            resources.undefine(object);
            return Ok(());
        }

        define(&mut resources, &mut write(&self.state.schemas), object)
            .map_err(|why| Failure::bad_request(format!("the CustomResourceDefinition: {why}")))
    }

    fn delete_collection(
        &self,
        resource: &Resource,
        path: &ObjectPath,
        selector: &Selector,
    ) -> Answer {
        let (_, objects) = self.state.store.list(&resource.qualified(), path.namespace.as_deref());
        for object in objects.iter().filter(|object| selector.matches(object)) {
            self.delete(resource.qualified(), object)?;
            if resource.is_service() {
                self.state.allocations.release(object);
            }
        }
        Ok(Json(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})).into_response())
    }

    fn delete(&self, resource: String, object: &Value) -> Result<(), Failure> {
        let [namespace, name] = ["namespace", "name"]
            .map(|field| object["metadata"][field].as_str().unwrap_or_default().to_owned());
        let key = ObjectKey { resource, namespace, name };
        self.state.store.change(&key, |_, _| Ok::<_, Failure>(None))?;
        Ok(())
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Returns true if a parameter of the query is set.
fn is_set(query: &BTreeMap<String, String>, key: &str) -> bool {
    query.get(key).is_some_and(|value| value == "true" || value == "1")
}

/// Serves the resource of a CustomResourceDefinition.
pub(crate) fn define(
    resources: &mut Resources,
    schemas: &mut BTreeMap<String, Schemas>,
    definition: &Value,
) -> Result<(), String> {
    resources.define(definition)?;
    let [plural, group] = ["/spec/names/plural", "/spec/group"]
        .map(|pointer| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
    schemas.insert(format!("{plural}.{group}"), Schemas::of(definition)?);
    Ok(())
}
