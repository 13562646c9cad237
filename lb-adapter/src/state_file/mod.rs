//! The state file, in which `ferrolb` remembers the addresses of Services outside Kubernetes.
//!
//! Owns the format and its version, and the atomic replacement of the file. A version may gain fields: a program ignores those
//! that it does not know, so that one can go back to an older release. The allocator deals with contents that are
//! out of date, such as a Service that no longer exists or an address that no pool has. An unreadable file is never
//! deleted: that is for the operator to decide.
//!
//! Only one process may write a file.

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::allocator::HeldAddresses;
use crate::model::ServiceKey;
use crate::one_line;

/// Reads the remembered addresses. A file that does not exist contains none.
///
/// # Errors
///
/// The file cannot be read, is not what [`save`] writes, or is of a later version.
pub fn load(path: &Path) -> Result<HeldAddresses, StateError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HeldAddresses::new()),
        Err(error) => return Err(StateError::Read { path: path.to_owned(), error }),
    };

    read(path, &text)
}

/// Reads the remembered addresses from the text of a file, which errors name by this path.
///
/// # Errors
///
/// The text is not what [`text`] returns, or is of a later version.
pub fn read(path: &Path, text: &str) -> Result<HeldAddresses, StateError> {
    parse(text).map_err(|error| match error {
        ParseError::Malformed(problem) => {
            StateError::Malformed { path: path.to_owned(), problem: one_line(&problem) }
        }
        ParseError::OtherVersion(found) => {
            StateError::OtherVersion { path: path.to_owned(), found }
        }
    })
}

/// Replaces the file. If the process or the machine stops at any time, the file is either the old or the new one.
///
/// # Errors
///
/// The file could not be replaced, and is unchanged.
pub fn save(path: &Path, held: &HeldAddresses) -> Result<(), StateError> {
    replace(path, held).map_err(|error| StateError::Write { path: path.to_owned(), error })
}

fn replace(path: &Path, held: &HeldAddresses) -> io::Result<()> {
    let temporary = temporary_of(path);
    write_synced(&temporary, &text(held)?)?;
    fs::rename(&temporary, path)?;

    // The rename is durable only once the directory is on the disk too.
    File::open(directory_of(path))?.sync_all()
}

/// The reason why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file exists but cannot be read.
    #[error("state file {}: expected a readable file: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("state file {}: expected a writable file: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The file does not have the format of this version.
    #[error(
        "state file {}: expected JSON as ferrolb writes it, version {VERSION}: {problem}; move the \
         file away to start without remembered addresses",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The problem, with its position, on one line.
        problem: String,
    },
    /// Another version of this program wrote the file.
    #[error(
        "state file {}: expected version {VERSION}, found {found}; use the ferrolb that wrote it, \
         or move the file away to start without remembered addresses",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: u64,
    },
}

/// The contents of the file.
#[derive(Serialize, Deserialize)]
struct StateFile {
    version: u64,
    services: Vec<ServiceRecord>,
}

#[derive(Serialize, Deserialize)]
struct ServiceRecord {
    namespace: String,
    name: String,
    addresses: Vec<IpAddr>,
}

/// The part of the file that is common to all versions.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

enum ParseError {
    Malformed(String),
    OtherVersion(u64),
}

impl From<serde_json::Error> for ParseError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

fn parse(text: &str) -> Result<HeldAddresses, ParseError> {
    let Versioned { version } = serde_json::from_str(text)?;
    if version != VERSION {
        return Err(ParseError::OtherVersion(version));
    }

    let file: StateFile = serde_json::from_str(text)?;
    let mut held = HeldAddresses::new();
    for ServiceRecord { namespace, name, addresses } in file.services {
        let key = ServiceKey::new(namespace, name);
        if held.contains_key(&key) {
            return Err(ParseError::Malformed(format!("service {key} appears twice")));
        }
        held.insert(key, addresses);
    }
    Ok(held)
}

/// Returns the text of the file that remembers these addresses.
///
/// # Errors
///
/// Serialization fails, which cannot happen for valid addresses.
pub fn text(held: &HeldAddresses) -> serde_json::Result<String> {
    let mut services = Vec::with_capacity(held.len());
    for (key, addresses) in held {
        services.push(ServiceRecord {
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            addresses: addresses.clone(),
        });
    }

    let file = StateFile { version: VERSION, services };
    Ok(serde_json::to_string_pretty(&file)? + "\n")
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The temporary file beside the state file, since a rename is atomic only within a file system. A file that a crash
/// leaves there is overwritten by the next write.
fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The version of the format, increased whenever an older program would misread the file if it ignored what it does not know.
const VERSION: u64 = 1;
