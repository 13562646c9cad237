//! The Unix socket of a process: where it is, who may use it, and when it is removed.
//!
//! Owns the file. Everything that changes the state of a process comes through it, so only its owner may open it. A socket of a
//! process that has died is replaced, one of a living process never is.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// The file of a listening socket. Dropping it removes the file.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// The device and inode, so that the socket of another process is not removed.
    identity: (u64, u64),
}

/// Returns the directories in which processes have their sockets, the preferred one first: `/run/ferrolb`,
/// `$XDG_RUNTIME_DIR/ferrolb`, and `$TMPDIR/ferrolb-UID`.
pub fn socket_directories() -> Vec<PathBuf> {
    let mut directories = vec![PathBuf::from(SYSTEM_DIRECTORY)];
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    directories.extend(set("XDG_RUNTIME_DIR").map(|directory| directory.join("ferrolb")));

    let temporary = set("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"));
    directories.push(temporary.join(format!("ferrolb-{}", user())));
    directories
}

/// Returns the sockets in these directories, in the order of the directories and names. Some may belong to processes that have
/// died.
pub fn sockets() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in socket_directories() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|it| it == EXTENSION)).collect();
        paths.sort();
        found.extend(paths);
    }
    found
}

impl SocketFile {
    /// Creates the socket of this name in the first directory that can be used.
    pub(super) async fn create_named(name: &str) -> io::Result<(Self, UnixListener)> {
        // A Node's name has no slash, but it comes from the command line.
        if name.is_empty() || name.contains('/') {
            return Err(io::Error::other(format!("{name:?} is no name of a file")));
        }

        let mut errors = Vec::new();
        for directory in socket_directories() {
            match prepare(&directory) {
                Ok(()) => return Self::create(directory.join(format!("{name}.{EXTENSION}"))).await,
                Err(error) => errors.push(format!("{}: {error}", directory.display())),
            }
        }
        Err(io::Error::other(errors.join("; ")))
    }

    /// Creates a socket that only this user can open.
    pub(super) async fn create(path: PathBuf) -> io::Result<(Self, UnixListener)> {
        check_free(&path).await?;

        // Only this user enters the directory in which the socket gets its permissions.
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
        let directory = directory.unwrap_or_else(|| Path::new("."));
        let private = private_directory(directory)?;
        let bound = bind(&private, &path);
        let _ = fs::remove_dir_all(&private);
        let (listener, identity) = bound?;
        Ok((Self { path, identity }, listener))
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Creates a directory that only this user enters. One that a process left behind when it was killed is not used, even if the
/// process had the same number, as all have in a container.
fn private_directory(parent: &Path) -> io::Result<PathBuf> {
    let process = std::process::id();
    let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..MOST_LEFT_BEHIND {
        let private = parent.join(format!(".ferrolb-{process}-{number}"));
        match fs::DirBuilder::new().mode(0o700).create(&private) {
            Ok(()) => return Ok(private),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

fn bind(private: &Path, path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let temporary = private.join("s");
    let listener = UnixListener::bind(&temporary)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600))?;
    let identity = identity(&temporary)?;
    fs::rename(&temporary, path)?;
    Ok((listener, identity))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Fails if there is a file that is no socket, or the socket of a living process.
async fn check_free(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;

    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other(format!("{} is no socket", path.display())));
    }

    match timeout(ANSWER_TIMEOUT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => {
            Err(io::Error::other(format!("another process listens on {}", path.display())))
        }
    }
}

/// Makes a directory for sockets, or checks that it can be used: it must belong to this user and be closed to others, except
/// for the system's.
fn prepare(directory: &Path) -> io::Result<()> {
    let made = fs::DirBuilder::new().mode(0o700).create(directory);
    match made {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }

    // A link could lead into a directory of another user.
    let metadata = fs::symlink_metadata(directory)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is no directory"));
    }
    if directory != Path::new(SYSTEM_DIRECTORY) {
        if metadata.uid() != user() {
            return Err(io::Error::other("it belongs to another user"));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(io::Error::other("others can use it: expected the mode 0700"));
        }
    }
    rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).map_err(io::Error::from)
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

const SYSTEM_DIRECTORY: &str = "/run/ferrolb";
const EXTENSION: &str = "sock";
/// The most directories of killed processes that are passed over.
const MOST_LEFT_BEHIND: u32 = 100;
/// The time after which a socket whose process does not accept counts as that of a living one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
