//! The running server: its listener, what it begins with, and the knobs of its faults.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::map_request;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::Access;
use crate::faults::{Faults, Planned};
use crate::resource::Resources;
use crate::serve::{Shared, define, serve};
use crate::store::{Key, Store};
use crate::watching::Cut;
use crate::{Asked, admission};

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 429 with `Retry-After` in seconds.
    TooManyRequests(u32),
    /// 500.
    Internal,
    /// 409, of a write.
    Conflict,
}

/// What a server begins with.
#[derive(Debug, Default)]
pub struct Builder {
    manifests: Vec<String>,
    bookmarks: Option<Duration>,
    address: Option<IpAddr>,
}

impl Builder {
    /// Listens there instead of at the loopback address.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Installs these YAML documents: roles and bindings hold, CustomResourceDefinitions are served, everything
    /// else whose kind is known becomes an object.
    #[must_use]
    pub fn manifests<T: AsRef<str>>(mut self, texts: &[T]) -> Self {
        self.manifests.extend(texts.iter().map(|text| text.as_ref().to_owned()));
        self
    }

    /// How often watches that allow it get a bookmark. Default 60 s, as with the real server.
    #[must_use]
    pub fn bookmarks_every(mut self, interval: Duration) -> Self {
        self.bookmarks = Some(interval);
        self
    }

    /// Starts it on a free port.
    ///
    /// # Panics
    ///
    /// If a manifest cannot be read, or no port is to be had.
    pub async fn start(self) -> ApiServer {
        let address = self.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let shared = self.build();
        let listener = TcpListener::bind((address, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (open, opened) = watch::channel(true);
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let accepting = tokio::spawn(accept(listener, address, router, opened));
        let directory = tempfile::tempdir().expect("a temporary directory");
        ApiServer { shared, address, open, accepting, directory }
    }

    fn build(self) -> Arc<Shared> {
        let shared = Shared {
            store: Arc::new(Store::new()),
            resources: RwLock::new(Resources::built_in()),
            schemas: RwLock::new(BTreeMap::new()),
            access: RwLock::new(Access::default()),
            faults: Faults::default(),
            cuts: watch::channel((0, Cut::Clean)).0,
            bookmarks: self.bookmarks.unwrap_or(Duration::from_secs(60)),
            asked: Mutex::default(),
        };
        for namespace in ["default", "kube-system"] {
            put(
                &shared,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            );
        }
        for text in &self.manifests {
            let documents: Vec<Value> = serde_saphyr::from_multiple(text)
                .unwrap_or_else(|error| panic!("a manifest: {error}"));
            documents
                .into_iter()
                .filter(Value::is_object)
                .for_each(|object| install(&shared, object));
        }
        Arc::new(shared)
    }
}

fn install(shared: &Shared, object: Value) {
    let learnt = shared.access.write().unwrap_or_else(PoisonError::into_inner).learn(&object);
    learnt.unwrap_or_else(|why| panic!("{why}"));
    if object["kind"] == "CustomResourceDefinition" {
        let mut resources = shared.resources.write().unwrap_or_else(PoisonError::into_inner);
        let mut schemas = shared.schemas.write().unwrap_or_else(PoisonError::into_inner);
        define(&mut resources, &mut schemas, &object).unwrap_or_else(|why| panic!("{why}"));
    }
    put(shared, object);
}

/// Stores an object as it is; kinds that are not known are left alone.
fn put(shared: &Shared, mut object: Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resource = {
        let resources = shared.resources.read().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = resources.of_kind(&text(&object["apiVersion"]), &text(&object["kind"]))
        else {
            return;
        };
        found.clone()
    };
    if resource.namespaced && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = json!("default");
    }
    let version = shared.store.version();
    object["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{version:012x}"));
    object["metadata"]["creationTimestamp"] = json!(crate::write::now());
    object["metadata"]["generation"] = json!(1);
    object["apiVersion"] = json!(resource.api_version(&resource.version));
    admission::default(&resource, &mut object, version);
    let namespace = text(&object["metadata"]["namespace"]);
    let key =
        Key { resource: resource.qualified(), namespace, name: text(&object["metadata"]["name"]) };
    let Ok(_) = shared.store.change(&key, |_, _| Ok::<_, std::convert::Infallible>(Some(object)));
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    open: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    directory: tempfile::TempDir,
}

impl ApiServer {
    /// What to begin with.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens: `http://127.0.0.1:PORT`, or at the address that it was given.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig file for `admin`, who may do everything, or for a service account (`namespace/name`).
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    #[must_use]
    pub fn kubeconfig(&self, who: &str) -> PathBuf {
        let path = self.directory.path().join(format!("{}.kubeconfig", who.replace('/', ".")));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": who, "namespace": "default"}}],
            "clusters": [{"name": "test", "cluster": {"server": self.url()}}],
            "users": [{"name": who, "user": {"token": who}}],
        });
        // Whoever was given it before may be reading it: it is never there in part.
        let mut file = tempfile::NamedTempFile::new_in(self.directory.path())
            .expect("a file in the temporary directory");
        file.write_all(config.to_string().as_bytes()).expect("space for a few octets");
        file.persist(&path).expect("a rename within a directory");
        path
    }

    /// The same without a socket, for a client of that token in this process: paused time governs all of it.
    pub fn service(&self, who: &str) -> Router {
        let router = Router::new().fallback(serve).with_state(Arc::clone(&self.shared));
        let token = HeaderValue::try_from(format!("Bearer {who}")).expect("a name in ASCII");
        router.layer(map_request(move |mut request: Request| {
            request.headers_mut().insert(header::AUTHORIZATION, token.clone());
            std::future::ready(request)
        }))
    }

    /// Puts an object into the store as an administrator would who needs no client: named, with its status.
    pub fn put(&self, object: Value) {
        install(&self.shared, object);
    }

    /// Every answer waits this long from now on.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.faults.set_delay(delay);
    }

    /// The clock by which answers are dated is ahead of ours by this from now on.
    pub fn set_clock(&self, ahead: SignedDuration) {
        self.shared.faults.set_clock(ahead);
    }

    /// The next `count` requests that it concerns fail like this.
    pub fn fail_next(&self, count: usize, fault: Fault) {
        let planned = match fault {
            Fault::TooManyRequests(seconds) => Planned::TooMany(seconds),
            Fault::Internal => Planned::Internal,
            Fault::Conflict => Planned::Conflict,
        };
        self.shared.faults.plan(count, planned);
    }

    /// Ends every watch that runs now.
    pub fn cut_watches(&self, how: Cut) {
        self.shared.cuts.send_modify(|(number, cut)| {
            *number += 1;
            *cut = how;
        });
    }

    /// Forgets what happened before now: a watch from an earlier version is answered 410, and so is the next page
    /// of a list.
    pub fn compact(&self) {
        self.shared.store.compact();
    }

    /// Away: connections are cut and new ones refused, until [`ApiServer::come_back`].
    pub fn go_away(&self) {
        self.open.send_replace(false);
    }

    /// Back on the same port, with the same objects.
    pub fn come_back(&self) {
        self.open.send_replace(true);
    }

    /// Every request so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.open.send_replace(false);
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    mut open: watch::Receiver<bool>,
) {
    let mut listener = Some(listener);
    loop {
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
                let service = TowerToHyperService::new(router.clone());
                let mut open = open.clone();
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::select! {
                        _ = connection => {}
                        // Dropped, the connection is cut in the middle of whatever it was sending.
                        _ = open.wait_for(|open| !open) => {}
                    }
                });
            }
        }
    }
}
