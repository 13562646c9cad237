//! The subresource `proxy` of pods: sends a GET to the pod's address, and returns its answer.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::failure::Failure;
use crate::path::ObjectPath;
use crate::store::{ObjectKey, Store};

/// Asks a pod. `port` is the port, as the path names it.
pub(crate) async fn get(
    store: &Store,
    pod: &ObjectPath,
    port: &str,
    path: &str,
) -> Result<Response<Body>, Failure> {
    let key = ObjectKey {
        resource: pod.plural.clone(),
        namespace: pod.namespace.clone().unwrap_or_default(),
        name: pod.name.clone().unwrap_or_default(),
    };
    let object = store.get(&key).ok_or_else(|| Failure::not_found("pods", &key.name))?;
    let address = object["status"]["podIP"].as_str().unwrap_or_default();
    let answer = ask(&format!("{address}:{port}"), path).await;
    answer.map_err(|error| Failure {
        code: 503,
        reason: "ServiceUnavailable",
        message: format!("error trying to reach service: {error}"),
        retry_after: None,
    })
}

async fn ask(authority: &str, path: &str) -> std::io::Result<Response<Body>> {
    let mut stream = TcpStream::connect(authority).await?;
    // An answer in HTTP/1.0 ends with the connection.
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;

    let end = answer.windows(4).position(|octets| octets == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.map_or(answer.len(), |end| end + 4));
    let status = String::from_utf8_lossy(head).split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut response = Response::new(Body::from(body.to_vec()));
    *response.status_mut() = status.unwrap_or(StatusCode::BAD_GATEWAY);
    Ok(response)
}
