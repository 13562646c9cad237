//! What the commands share that change a process: they need its Unix socket.

use ferrolb_api::Status;

use crate::Failure;
use crate::client::{Client, Place};
use crate::input::{Found, PlaceArgs};
use crate::output::write_stdout;

/// Finds the socket of the process to change.
///
/// # Errors
///
/// The arguments name an address, or there is no socket that this user may use. The error names the socket to use.
pub(crate) async fn find_socket(place: &PlaceArgs) -> Result<Client, Failure> {
    let Found { client, note } = place.find().await?;
    let Place::Tcp { url, .. } = client.place() else { return Ok(client) };

    if place.url.is_none() {
        let reason = note.unwrap_or_else(|| "no process has a socket here".to_owned());
        return Err(Failure::Unusable(format!("{reason}; {ONLY_SOCKETS}")));
    }
    let socket = match client.get::<Status>("/v1/status").await {
        Ok(Status { node: Some(node), .. }) => format!("such as /run/ferrolb/{node}.sock"),
        Ok(status) => {
            format!("such as /run/ferrolb/{}.sock", super::status::name_of(status.program))
        }
        Err(_) => "such as /run/ferrolb/NODE.sock".to_owned(),
    };
    Err(Failure::Unusable(format!(
        "{url} only reads: {ONLY_SOCKETS}. Run this on the host of the process, with --socket and its socket, {socket}"
    )))
}

/// Writes what was done.
pub(crate) fn write_done(done: &str) -> Result<(), Failure> {
    write_stdout(|out| writeln!(out, "{done}"))
}

const ONLY_SOCKETS: &str =
    "a process takes actions only over its Unix socket, since anyone may reach a port";
