//! Fetches the metrics of a process on a host, as Prometheus does.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use test_peers::Host;

/// The address of the process, on its host.
pub(crate) const HTTP: &str = "127.0.0.1:7472";

/// Fetches all metrics of the process on this host.
pub(crate) fn metrics(host: &Host) -> Result<String, String> {
    host.enter(fetch).map_err(|error| error.to_string())
}

fn fetch() -> std::io::Result<String> {
    let mut stream = TcpStream::connect(HTTP)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;

    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Fetches the value of the first metric whose line starts with `begin`. Fails with all metrics if there is none.
pub(crate) fn value(host: &Host, begin: &str) -> Result<String, String> {
    let metrics = metrics(host)?;
    let line = metrics.lines().find(|line| line.starts_with(begin));
    line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned).ok_or(metrics)
}
