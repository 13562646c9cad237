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
    /// Finds the sockets in these directories. A socket that a process left behind is none.
    pub(crate) async fn find(directories: &[PathBuf]) -> Self {
        let mut sockets = Self::default();
        for directory in directories {
            for path in socket_files(directory) {
                let connected = timeout(TIMEOUT, UnixStream::connect(&path)).await;
                match connected {
                    Ok(Ok(_)) => sockets.live.push(path),
                    // A process that is too busy to accept is there all the same.
                    Err(_) => sockets.live.push(path),
                    Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                        sockets.forbidden.push(path);
                    }
                    Ok(Err(_)) => {}
                }
            }
        }
        sockets
    }
}

/// Returns the directories in which processes have their sockets.
pub(crate) fn socket_directories() -> Vec<PathBuf> {
    let mut directories = vec![PathBuf::from("/run/ferrolb")];
    if let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR").filter(|it| !it.is_empty()) {
        directories.push(Path::new(&runtime).join("ferrolb"));
    }

    // Others may write here, so that the directory must be the user's own.
    let uid = rustix::process::getuid().as_raw();
    let own = std::env::temp_dir().join(format!("ferrolb-{uid}"));
    let is_own = fs::symlink_metadata(&own)
        .is_ok_and(|found| found.is_dir() && found.uid() == uid && found.mode() & 0o077 == 0);
    if is_own {
        directories.push(own);
    }
    directories
}

/// Returns the files of a directory that are named like sockets, in their order.
fn socket_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "sock")).collect();
    paths.sort();
    paths
}

const TIMEOUT: Duration = Duration::from_secs(1);
