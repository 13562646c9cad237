//! The running server: its listener, its initial objects, and the injection of faults.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{self, HeaderValue, Response, header};
use axum::middleware::map_request;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::Authorizer;
use crate::admission;
use crate::clock::now;
use crate::failure::Failure;
use crate::faults::{Fault, Faults};
use crate::handler::{ServerState, define, handle, respond};
use crate::request_log::{RecordedRequest, RequestLog};
use crate::resource::Resources;
use crate::service::{Allocations, CLUSTER_IPS, NODE_PORTS};
use crate::store::{ObjectKey, Store};
use crate::traffic::TrafficKey;
use crate::watch::Cut;

/// The initial state of a server.
#[derive(Debug, Default)]
pub struct Builder {
    manifests: Vec<String>,
    bookmark_interval: Option<Duration>,
    address: Option<IpAddr>,
    node_ports: Option<RangeInclusive<u16>>,
    anonymous: Option<String>,
}

impl Builder {
    /// Listens at this address instead of the loopback address.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Installs these YAML documents: roles and bindings are valid, CustomResourceDefinitions are served, and
    /// everything else of a known kind becomes an object.
    #[must_use]
    pub fn manifests<T: AsRef<str>>(mut self, texts: &[T]) -> Self {
        self.manifests.extend(texts.iter().map(|text| text.as_ref().to_owned()));
        self
    }

    /// Sets the interval of bookmarks for watches that allow them. The default is 60 s, as on the real server.
    #[must_use]
    pub fn bookmarks_every(mut self, interval: Duration) -> Self {
        self.bookmark_interval = Some(interval);
        self
    }

    /// Sets the range of node ports, as `--service-node-port-range` does for the real server. The default is 30000-32767.
    #[must_use]
    pub fn node_ports(mut self, range: RangeInclusive<u16>) -> Self {
        self.node_ports = Some(range);
        self
    }

    /// Gives requests without a token the rights of `admin` or of a service account (`namespace/name`); by default they are
    /// refused. Clients in Go, such as kube-proxy, need this: they send no token over plain HTTP.
    #[must_use]
    pub fn anonymous(mut self, who: &str) -> Self {
        self.anonymous = Some(who.to_owned());
        self
    }

    /// Starts the server without a socket: only [`ApiServer::service`] and [`ApiServer::respond`] reach it.
    ///
    /// # Panics
    ///
    /// If a manifest cannot be parsed.
    #[must_use]
    pub fn start_in_memory(self) -> ApiServer {
        ApiServer { state: self.build(), sockets: None }
    }

    /// Starts the server on a free port.
    ///
    /// # Panics
    ///
    /// If a manifest cannot be parsed, or there is no free port.
    pub async fn start(self) -> ApiServer {
        let address = self.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let state = self.build();
        let reserved = reserve_port(address).expect("a free port");
        let address = reserved.local_addr().expect("a bound socket has an address");
        let listener = TcpListener::bind(address).await.expect("the port that was reserved");

        let (open, opened) = watch::channel(true);
        let router = Router::new().fallback(handle).with_state(Arc::clone(&state));
        let accepting = tokio::spawn(accept(listener, address, router, opened));
        let directory = tempfile::tempdir().expect("a temporary directory");
        ApiServer {
            state,
            sockets: Some(Sockets { address, _reserved: reserved, open, accepting, directory }),
        }
    }

    fn build(self) -> Arc<ServerState> {
        let state = ServerState {
            store: Arc::new(Store::new()),
            resources: RwLock::new(Resources::built_in()),
            schemas: RwLock::new(BTreeMap::new()),
            authorizer: RwLock::new(Authorizer::default()),
            faults: Faults::default(),
            cuts: Arc::default(),
            bookmark_interval: self.bookmark_interval.unwrap_or(Duration::from_secs(60)),
            requests: RequestLog::default(),
            traffic: Arc::default(),
            allocations: Allocations::new(self.node_ports.unwrap_or(NODE_PORTS)),
            anonymous: self.anonymous,
        };

        for namespace in ["default", "kube-system"] {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            put(&state, object);
        }
        put(
            &state,
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
                "metadata": {"name": "kubernetes"}, "spec": {"cidrs": CLUSTER_IPS}}),
        );
        for text in &self.manifests {
            let documents: Vec<Value> = serde_saphyr::from_multiple(text)
                .unwrap_or_else(|error| panic!("a manifest: {error}"));
            for object in documents.into_iter().filter(Value::is_object) {
                install(&state, object);
            }
        }
        Arc::new(state)
    }
}

fn install(state: &ServerState, object: Value) {
    let added = state.authorizer.write().unwrap_or_else(PoisonError::into_inner).add(&object);
    added.unwrap_or_else(|why| panic!("{why}"));

    if object["kind"] == "CustomResourceDefinition" {
        let mut resources = state.resources.write().unwrap_or_else(PoisonError::into_inner);
        let mut schemas = state.schemas.write().unwrap_or_else(PoisonError::into_inner);
        define(&mut resources, &mut schemas, &object).unwrap_or_else(|why| panic!("{why}"));
    }
    put(state, object);
}

/// Stores an object without checks. Objects of unknown kinds are ignored. A Service gets cluster IPs and node ports.
fn put(state: &ServerState, mut object: Value) {
    let resource = {
        let resources = state.resources.read().unwrap_or_else(PoisonError::into_inner);
        let [version, kind] =
            ["apiVersion", "kind"].map(|field| object[field].as_str().unwrap_or_default());
        let Some(resource) = resources.of_kind(version, kind) else { return };
        resource.clone()
    };

    if resource.namespaced && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!("default");
    }

    let version = state.store.version();
    object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{version:012x}"));
    object["metadata"]["creationTimestamp"] = json!(now());
    object["metadata"]["generation"] = json!(1);
    object["apiVersion"] = json!(resource.api_version(&resource.version));
    admission::default(&resource, &mut object);

    let [namespace, name] = ["namespace", "name"]
        .map(|field| object["metadata"][field].as_str().unwrap_or_default().to_owned());
    let key = ObjectKey { resource: resource.qualified(), namespace, name };
    let stored = state.store.change(&key, |before, _| {
        if resource.is_service() {
            let mut allocation = state.allocations.begin();
            allocation.allocate(before, &mut object)?;
            allocation.commit(before, Some(&object));
        }
        Ok::<_, Failure>(Some(object))
    });
    stored.unwrap_or_else(|failure| panic!("a Service: {}", failure.message));
}

/// A running server, which ends when it is dropped.
#[derive(Debug)]
pub struct ApiServer {
    state: Arc<ServerState>,
    sockets: Option<Sockets>,
}

/// The listener of a server, and the directory of its kubeconfig files.
#[derive(Debug)]
struct Sockets {
    address: SocketAddr,
    /// Keeps the port while the server is away.
    _reserved: TcpSocket,
    open: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    directory: tempfile::TempDir,
}

impl ApiServer {
    /// Returns the configuration of a server that has not started.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn sockets(&self) -> &Sockets {
        self.sockets.as_ref().expect("a server that was started with a socket")
    }

    /// The URL of the server: `http://127.0.0.1:PORT`, or the configured address instead of the loopback address.
    ///
    /// # Panics
    ///
    /// If the server was started in memory.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.sockets().address)
    }

    /// A kubeconfig file for `admin`, who may do everything, or for a service account (`namespace/name`).
    ///
    /// # Panics
    ///
    /// If the file cannot be written, or the server was started in memory.
    #[must_use]
    pub fn kubeconfig(&self, who: &str) -> PathBuf {
        let directory = self.sockets().directory.path();
        let path = directory.join(format!("{}.kubeconfig", who.replace('/', ".")));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": who, "namespace": "default"}}],
            "clusters": [{"name": "test", "cluster": {"server": self.url()}}],
            "users": [{"name": who, "user": {"token": who}}],
        });

        // An earlier caller may be reading the file. A rename replaces it at once.
        let mut file =
            tempfile::NamedTempFile::new_in(directory).expect("a file in the temporary directory");
        file.write_all(config.to_string().as_bytes()).expect("space for a few octets");
        file.persist(&path).expect("a rename within a directory");
        path
    }

    /// The server as a service without a socket, for a client with that token in this process. It works in paused time.
    pub fn service(&self, who: &str) -> Router {
        let router = Router::new().fallback(handle).with_state(Arc::clone(&self.state));
        let token = HeaderValue::try_from(format!("Bearer {who}")).expect("a name in ASCII");
        router.layer(map_request(move |mut request: Request| {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
            std::future::ready(request)
        }))
    }

    /// Handles one request of a client with that token in this process, without the layers of [`service`](Self::service).
    ///
    /// # Panics
    ///
    /// If the token is not ASCII.
    pub async fn respond(&self, who: &str, request: http::Request<Bytes>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let token = HeaderValue::try_from(format!("Bearer {who}")).expect("a name in ASCII");
        parts.headers.insert(header::AUTHORIZATION, token);
        respond(&self.state, &parts.method, &parts.uri, &parts.headers, &body).await
    }

    /// Stores an object with its name and status, without the checks of a client's request.
    ///
    /// # Panics
    ///
    /// If a Service asks for a node port that another one has, or there is none left.
    pub fn put(&self, object: Value) {
        install(&self.state, object);
    }

    /// Delays every response by this time from now on.
    pub fn set_delay(&self, delay: Duration) {
        self.state.faults.set_delay(delay);
    }

    /// Sets the `Date` of responses ahead of the real time by this duration.
    pub fn set_clock(&self, ahead: SignedDuration) {
        self.state.faults.set_clock(ahead);
    }

    /// Makes the next `count` requests fail with this fault. [`Fault::Conflict`] affects only writes.
    pub fn fail_next(&self, count: usize, fault: Fault) {
        self.state.faults.plan(count, fault);
    }

    /// Ends every running watch.
    pub fn cut_watches(&self, how: Cut) {
        self.state.cuts.cut(how);
    }

    /// Forgets the history: a watch from an earlier version gets a 410, as does the next page of a list.
    pub fn compact(&self) {
        self.state.store.compact();
    }

    /// Stops the server: cuts connections and refuses new ones, until [`ApiServer::come_back`].
    ///
    /// # Panics
    ///
    /// If the server was started in memory.
    pub fn go_away(&self) {
        self.sockets().open.send_replace(false);
    }

    /// Starts the server again on the same port, with the same objects.
    ///
    /// # Panics
    ///
    /// If the server was started in memory.
    pub fn come_back(&self) {
        self.sockets().open.send_replace(true);
    }

    /// All objects of a resource, such as `services` or `bgppeers.metallb.io`, by namespace and name.
    #[must_use]
    pub fn objects(&self, resource: &str) -> Vec<Arc<Value>> {
        self.state.store.list(resource, None).1
    }

    /// The resourceVersion of the last change.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.state.store.version()
    }

    /// All requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<RecordedRequest> {
        self.state.requests.to_vec()
    }

    /// The octets of the bodies of all successful responses to requests for objects so far, by client, verb and resource. Watches count by their events.
    #[must_use]
    pub fn sent(&self) -> BTreeMap<TrafficKey, u64> {
        self.state.traffic.to_map()
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.open.send_replace(false);
        self.accepting.abort();
    }
}

/// Reserves a free port: while the server is away, the kernel gives it to nobody else, because this socket is bound to it. The socket does
/// not listen, and sets SO_REUSEADDR as the listener does, so the two share the port.
fn reserve_port(address: IpAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(address, 0))?;
    Ok(socket)
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    mut open: watch::Receiver<bool>,
) {
    let mut listener = Some(listener);
    loop {
        // While the server is stopped, its port is closed.
        if !*open.borrow_and_update() {
            listener = None;
            if open.changed().await.is_err() {
                return;
            }
            continue;
        }

        let socket = match &listener {
            Some(listener) => listener,
            None => {
                let Ok(bound) = TcpListener::bind(address).await else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                listener.insert(bound)
            }
        };

        tokio::select! {
            changed = open.changed() => if changed.is_err() { return },
            accepted = socket.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                tokio::spawn(serve_connection(stream, router.clone(), open.clone()));
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router, mut open: watch::Receiver<bool>) {
    let service = TowerToHyperService::new(router);
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => {}
        // This drops the connection, even in the middle of a response.
        _ = open.wait_for(|open| !open) => {}
    }
}
