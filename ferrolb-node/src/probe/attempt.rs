//! One try of a probe.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use lb_adapter::model::{Probe, ProbeKind};

/// Whether one of the addresses answers; if none does, why the last did not.
pub(super) async fn any(probe: &Probe, addresses: &[IpAddr]) -> Result<(), String> {
    let mut outcome = Ok(());
    for address in addresses {
        let at = SocketAddr::new(*address, probe.port);
        outcome = match timeout(probe.timeout, one(&probe.kind, at)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => Err(format!("{at}: {why}")),
            Err(_) => Err(format!("{at}: no answer within {:?}", probe.timeout)),
        };
    }
    outcome
}

async fn one(kind: &ProbeKind, at: SocketAddr) -> Result<(), String> {
    let mut stream = TcpStream::connect(at).await.map_err(|error| error.to_string())?;
    match kind {
        ProbeKind::Tcp => Ok(()),
        ProbeKind::Http { path } => {
            let status = get(&mut stream, at, path).await.map_err(|error| error.to_string())?;
            match status {
                Some(200..=399) => Ok(()),
                Some(status) => Err(format!("HTTP status {status}")),
                None => Err("the answer is not HTTP".to_owned()),
            }
        }
    }
}

/// Asks for a path and reads no more of the answer than the status: a client of HTTP would read, and
/// follow, what nobody here looks at.
async fn get(stream: &mut TcpStream, at: SocketAddr, path: &str) -> io::Result<Option<u16>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: ferrolb\r\nAccept: */*\r\nConnection: \
         close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; STATUS_LINE];
    let mut length = 0;
    while length < head.len() {
        let read = stream.read(&mut head[length..]).await?;
        length += read;
        if read == 0 {
            break;
        }
    }
    Ok(status(&head[..length]))
}

/// The number in `HTTP/1.1 200 ..`.
fn status(head: &[u8]) -> Option<u16> {
    let rest = std::str::from_utf8(head).ok()?.strip_prefix("HTTP/1.")?;
    let (version, number) = rest.split_once(' ')?;
    matches!(version, "0" | "1").then(|| number.parse().ok()).flatten()
}

/// `HTTP/1.1 200`, which is all that matters.
const STATUS_LINE: usize = 12;
