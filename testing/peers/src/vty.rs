//! FRR's daemons as programs: starts each with its file, and asks over its vty socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::lan::Host;
use crate::process::Process;
use crate::requirements::program;
use crate::wait::wait_until;

const STARTUP: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(10);

/// Starts a daemon that reads `NAME.conf` in the directory, and waits until it answers. `zebra` must be the first,
/// since it reports interfaces to the others.
#[track_caller]
pub(crate) fn start(directory: &Arc<TempDir>, host: &Host, name: &str) -> Process {
    let shared = Arc::clone(directory);
    let mut process = Process::start_in(shared, host, &program(name), |command| {
        prepare(command, directory.path(), name, true);
    });
    wait_until(STARTUP, &format!("{name}'s vty socket"), || {
        process.assert_running();
        answers(directory.path(), name)
    });
    process
}

/// Adds a daemon's arguments. `bgpd` runs with `zebra` or alone.
pub(crate) fn prepare(command: &mut Command, directory: &Path, name: &str, zebra: bool) {
    let file = |ending: &str| directory.join(format!("{name}.{ending}"));
    // -P 0: no vty over TCP.
    command.args(["-P", "0", "-f"]).arg(file("conf")).arg("-i").arg(file("pid"));
    command.arg("--vty_socket").arg(directory);

    if zebra {
        command.arg("-z").arg(directory.join("zserv.api"));
    } else {
        command.arg("-Z");
    }

    match name {
        "bfdd" => command.arg("--bfdctl").arg(file("sock")),
        // `bgpd` keeps its user, and does not change the kernel's routes.
        "bgpd" => command.args(["-S", "-n"]),
        _ => command,
    };
}

/// Gives a directory to the user that `zebra` and `bfdd` run as.
#[track_caller]
pub(crate) fn give_away(directory: &Path) {
    let given = Command::new("chown").arg("-R").arg("frr:frr").arg(directory).status();
    assert!(given.is_ok_and(|status| status.success()), "a directory can be given to FRR's user");
}

/// Returns `Ok` if a daemon answers.
pub(crate) fn answers(directory: &Path, name: &str) -> Result<(), String> {
    let socket = directory.join(format!("{name}.vty"));
    UnixStream::connect(socket).map(drop).map_err(|error| error.to_string())
}

/// Runs commands of `vtysh` in enable mode at one of the daemons, and returns the output of each.
pub(crate) fn converse(
    directory: &Path,
    name: &str,
    commands: &[&str],
) -> Result<Vec<String>, String> {
    let replies = try_converse(&directory.join(format!("{name}.vty")), commands);
    replies.map_err(|error| format!("{name}'s vty socket: {error}"))
}

fn try_converse(socket: &Path, commands: &[&str]) -> std::io::Result<Vec<String>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    exchange(&mut stream, "enable")?;
    commands.iter().map(|command| exchange(&mut stream, command)).collect()
}

/// Sends one command, and returns the reply, which ends with three zero octets and a status.
fn exchange(stream: &mut UnixStream, command: &str) -> std::io::Result<String> {
    stream.write_all(command.as_bytes())?;
    stream.write_all(&[0])?;

    let mut reply = Vec::new();
    let mut chunk = [0; 4096];

    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }

        reply.extend_from_slice(&chunk[..count]);
        if let [text @ .., 0, 0, 0, _status] = reply.as_slice() {
            return Ok(String::from_utf8_lossy(text).into_owned());
        }
    }
}
