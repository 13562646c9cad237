//! One attempt of a probe.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use lb_adapter::model::{Probe, ProbeKind};

/// Probes the addresses in turn. Succeeds if one of them responds, or if there is none.
///
/// # Errors
///
/// The failure of the last address.
pub(super) async fn probe_any(probe: &Probe, addresses: &[IpAddr]) -> Result<(), String> {
    let mut result = Ok(());
    for address in addresses {
        let address = SocketAddr::new(*address, probe.port);
        result = match timeout(probe.timeout, probe_one(&probe.kind, address)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => Err(format!("{address}: {error}")),
            Err(_) => Err(format!("{address}: no response within {:?}", probe.timeout)),
        };
    }
    result
}

async fn probe_one(kind: &ProbeKind, address: SocketAddr) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    match kind {
        ProbeKind::Tcp => Ok(()),
        ProbeKind::Http { path } => {
            let status =
                get_status(&mut stream, address, path).await.map_err(|error| error.to_string())?;
            match status {
                Some(200..=399) => Ok(()),
                Some(status) => Err(format!("HTTP status {status}")),
                None => Err("the response is not HTTP".to_owned()),
            }
        }
    }
}

/// Requests a path and returns the status code, if the response is HTTP. Reads only the start of the response: an HTTP
/// client would read the rest and follow redirects, which a probe does not need.
async fn get_status(
    stream: &mut TcpStream,
    address: SocketAddr,
    path: &str,
) -> io::Result<Option<u16>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: ferrolb\r\nAccept: */*\r\nConnection: \
         close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;

    let mut head = [0; STATUS_LENGTH];
    let mut length = 0;
    while length < head.len() {
        let read = stream.read(&mut head[length..]).await?;
        if read == 0 {
            break;
        }
        length += read;
    }
    Ok(parse_status(&head[..length]))
}

/// Returns the number in `HTTP/1.1 200 ..`.
fn parse_status(head: &[u8]) -> Option<u16> {
    let rest = std::str::from_utf8(head).ok()?.strip_prefix("HTTP/1.")?;
    let (version, number) = rest.split_once(' ')?;
    if !matches!(version, "0" | "1") {
        return None;
    }
    number.parse().ok()
}

/// The length of `HTTP/1.1 200`, the part that counts.
const STATUS_LENGTH: usize = 12;
