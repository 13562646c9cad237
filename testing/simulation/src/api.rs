//! The way of a process to the API server: a service for the Kubernetes client, on which requests, responses and the events of
//! watches are late, fail or get lost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::retry::RetryPolicy;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tower::retry::{Policy, RetryLayer};
use tower::{BoxError, Service, ServiceBuilder};

use crate::plan::{RequestFault, Who};
use crate::world::{NAMESPACE, World};
use crate::{addresses, writers};

/// The time that a request or an event takes if nothing is wrong.
const USUAL: Duration = Duration::from_millis(3);
/// The time after which a connection without a response is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest time for which a process sleeps before it looks at its conditions again.
const LOOK: Duration = Duration::from_secs(1);

/// Returns a client of this life of a process.
pub(crate) fn client(world: &Arc<World>, who: Who, life: u32) -> Client {
    let way = Way { world: Arc::clone(world), who, life };
    // As in the client of the programs.
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(SeededRetry::default()))
        .service(ProcessApi { way });
    Client::new(service, NAMESPACE)
}

/// The retries of the client, with pauses from the seed. Those of the policy itself have a jitter from the system.
#[derive(Clone)]
struct SeededRetry {
    policy: RetryPolicy,
    attempts: u32,
}

impl Default for SeededRetry {
    fn default() -> Self {
        Self { policy: RetryPolicy::server_retry(), attempts: 0 }
    }
}

/// The shortest pause of [`RetryPolicy::server_retry`].
const FIRST_PAUSE: Duration = Duration::from_millis(5);

type ClientRequest = Request<kube::client::Body>;

impl Policy<ClientRequest, Response<Body>, BoxError> for SeededRetry {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut ClientRequest,
        result: &mut Result<Response<Body>, BoxError>,
    ) -> Option<Sleep> {
        // It decides whether there is another attempt. Its pause is not used.
        drop(self.policy.retry(request, result)?);

        let headers = result.as_ref().ok().map(Response::headers);
        let asked = headers.and_then(|headers| headers.get(header::RETRY_AFTER)?.to_str().ok());
        let asked = asked.and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);

        let base = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.attempts));
        self.attempts += 1;
        let pause = base.mul_f64(1.0 + 2.0 * fastrand::f64());
        Some(sleep(pause.max(asked.unwrap_or_default())))
    }

    fn clone_request(&mut self, request: &ClientRequest) -> Option<ClientRequest> {
        Policy::<_, Response<Body>, BoxError>::clone_request(&mut self.policy, request)
    }
}

/// The API server, as a process reaches it.
#[derive(Clone)]
struct ProcessApi {
    way: Way,
}

/// The connections of one life of a process.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) world: Arc<World>,
    pub(crate) who: Who,
    pub(crate) life: u32,
}

impl Service<Request<kube::client::Body>> for ProcessApi {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let Self { way } = self.clone();
        Box::pin(async move {
            let label = format!("{} {}", request.method(), request.uri());
            let response = exchange(&way, request).await;
            let result = match &response {
                Ok(response) => response.status().as_u16().to_string(),
                Err(error) => error.to_string(),
            };
            way.world.note(format_args!("{} {label}: {result}", way.who));
            response
        })
    }
}

async fn exchange(
    way: &Way,
    request: Request<kube::client::Body>,
) -> Result<Response<Body>, BoxError> {
    way.late().await?;
    let fault = way.take_failure(request.method());
    match fault {
        Some(RequestFault::Status(code)) => return Ok(failure(code)),
        Some(RequestFault::Lost) => return lost().await,
        Some(RequestFault::ResponseLost) | None => {}
    }

    let (parts, body) = request.into_parts();
    let is_watch = parts.uri.query().is_some_and(|query| query.contains("watch=true"));
    let write = (parts.method != Method::GET).then(|| parts.uri.path().to_owned());
    if let Some(path) = &write {
        writers::check(&way.world, way.who, path);
    }
    let before = addresses::begin(&way.world, write.as_deref());

    let body = body.collect().await?.to_bytes();
    let response = way.world.server.respond("admin", Request::from_parts(parts, body)).await;
    if let Some(before) = before
        && response.status().is_success()
    {
        addresses::check(&way.world, &way.who.to_string(), &before);
    }

    if fault.is_some() {
        return lost().await;
    }
    way.late().await?;
    Ok(if is_watch { response.map(|body| watch_body(way.clone(), body)) } else { response })
}

/// Waits until the connection counts as dead.
async fn lost() -> Result<Response<Body>, BoxError> {
    sleep(SILENCE).await;
    Err(io::Error::from(io::ErrorKind::TimedOut).into())
}

impl Way {
    /// Takes the time of a packet. Fails if the process has been killed, or if the packet has met a partition or its process has
    /// not run in the meantime: then the connection is lost.
    pub(crate) async fn late(&self) -> io::Result<()> {
        let (most, until) = self.world.conditions(self.who).delay;
        let most = if Instant::now() < until { most } else { USUAL };
        sleep(self.world.random_time(most)).await;
        if self.wait().await? {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    /// Waits until the process runs and reaches the API server. Returns true if it had to wait.
    async fn wait(&self) -> io::Result<bool> {
        let mut has_waited = false;
        loop {
            let conditions = self.world.conditions(self.who);
            if conditions.life != self.life {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let until = conditions.partition.max(conditions.hang);
            if until <= Instant::now() {
                return Ok(has_waited);
            }
            has_waited = true;
            sleep_until(until.min(Instant::now() + LOOK)).await;
        }
    }

    fn take_failure(&self, method: &Method) -> Option<RequestFault> {
        let mut state = self.world.lock();
        let (count, fault) = &mut state.conditions.get_mut(&self.who)?.failures;
        // A read has no conflict, and only a read can be too old.
        let is_possible = match fault {
            RequestFault::Status(409) => method != Method::GET,
            RequestFault::Status(410) => method == Method::GET,
            _ => true,
        };
        if *count == 0 || !is_possible {
            return None;
        }
        *count -= 1;
        Some(*fault)
    }
}

/// The events of a watch: each takes its time. A partition may end the watch, and so does the end of the process.
fn watch_body(way: Way, body: Body) -> Body {
    let events = stream::unfold((way, body.into_data_stream(), false), |state| async move {
        let (way, mut events, has_failed) = state;
        if has_failed {
            return None;
        }
        let event: Result<Bytes, BoxError> = match events.next().await? {
            Ok(event) => deliver(&way, event).await,
            Err(error) => Err(error.into()),
        };
        let has_failed = event.is_err();
        Some((event, (way, events, has_failed)))
    });
    Body::from_stream(events)
}

async fn deliver(way: &Way, event: Bytes) -> Result<Bytes, BoxError> {
    let (most, until) = way.world.conditions(way.who).delay;
    let most = if Instant::now() < until { most } else { USUAL };
    sleep(way.world.random_time(most)).await;

    // TCP sends again what was lost, unless something on the way has forgotten the connection.
    if way.wait().await? && way.world.lock().random.bool() {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
    }
    Ok(event)
}

/// A response of this status.
fn failure(code: u16) -> Response<Body> {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "a fault of the simulation", "reason": reason, "code": code});
    let mut response = Response::new(Body::from(status.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    if code == 429 {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}
