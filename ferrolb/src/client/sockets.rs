//! The search for the Unix sockets of the processes on this machine.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

/// The sockets on this machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sockets {
    /// Those behind which a process listens.
    pub(crate) live: Vec<PathBuf>,
    /// Those that this user may not use.
    pub(crate) forbidden: Vec<PathBuf>,
}

impl Sockets {
    /// Tries these sockets. One that a process left behind counts as none.
    pub(crate) async fn of(paths: Vec<PathBuf>) -> Self {
        let mut sockets = Self::default();
        for path in paths.into_iter().filter(|path| is_trusted(path)) {
            match timeout(TIMEOUT, UnixStream::connect(&path)).await {
                // A process that is too busy to accept is there all the same.
                Ok(Ok(_)) | Err(_) => sockets.live.push(path),
                Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                    sockets.forbidden.push(path);
                }
                Ok(Err(_)) => {}
            }
        }
        sockets
    }
}

/// Returns the number of the process that listens on a socket, as this process sees it.
#[cfg(feature = "bundle")]
pub(super) async fn process_id(path: &Path) -> Option<i32> {
    let connected = timeout(TIMEOUT, UnixStream::connect(path)).await.ok()?.ok()?;
    connected.peer_cred().ok()?.pid()
}

/// Returns true if a socket belongs to this user or to the system. Others may write to the directory for temporary files.
fn is_trusted(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|found| found.uid() == own || found.uid() == 0)
}

const TIMEOUT: Duration = Duration::from_secs(1);
