//! The file in which `ferrolb` remembers, outside Kubernetes, which Service holds which address.
//!
//! Owns its format, a version with it, and the way it is replaced: whole or not at all. What is in
//! it that no longer fits, a Service that is gone, an address that no pool has, is the allocator's
//! to judge. A file that cannot be understood is never thrown away: that is for the operator to
//! decide.
//!
//! One process writes one file.

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::allocator::HeldAddresses;
use crate::model::ServiceKey;

/// Reads what was remembered; a file that does not exist remembers nothing.
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
    parse(&text).map_err(|why| match why {
        Unreadable::Malformed(what) => StateError::Malformed { path: path.to_owned(), what },
        Unreadable::OtherVersion(found) => {
            StateError::OtherVersion { path: path.to_owned(), found }
        }
    })
}

/// Replaces the file by one with this content. Whenever the process or the machine stops, the file
/// is the old one or the new one.
///
/// # Errors
///
/// What could not be done, with the file as it was.
pub fn save(path: &Path, held: &HeldAddresses) -> Result<(), StateError> {
    let temporary = temporary_of(path);
    let failed = |error| StateError::Write { path: path.to_owned(), error };
    let text = render(held).map_err(|error| failed(error.into()))?;
    write_synced(&temporary, &text).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)?;
    // The new name is safe only when the directory is on the disk too.
    File::open(directory_of(path)).and_then(|directory| directory.sync_all()).map_err(failed)
}

/// Why the state file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file is there and cannot be read.
    #[error("state file {}: expected a file that can be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file cannot be written.
    #[error("state file {}: expected a place that can be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file is not what this program writes.
    #[error(
        "state file {}: expected JSON as ferrolb writes it, version {VERSION}: {what}; move the \
         file away to begin without remembered addresses",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        what: String,
    },
    /// Another version of this program wrote the file.
    #[error(
        "state file {}: expected version {VERSION}, found {found}; use the ferrolb that wrote it, \
         or move the file away to begin without remembered addresses",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

/// The whole file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    services: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    namespace: String,
    name: String,
    addresses: Vec<IpAddr>,
}

/// The one thing that every version has.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

enum Unreadable {
    Malformed(String),
    OtherVersion(u64),
}

fn parse(text: &str) -> Result<HeldAddresses, Unreadable> {
    let malformed = |error: serde_json::Error| Unreadable::Malformed(error.to_string());
    let Versioned { version } = serde_json::from_str(text).map_err(malformed)?;
    if version != VERSION {
        return Err(Unreadable::OtherVersion(version));
    }
    let document: Document = serde_json::from_str(text).map_err(malformed)?;
    let mut held = HeldAddresses::new();
    for Row { namespace, name, addresses } in document.services {
        let key = ServiceKey::new(namespace, name);
        if held.contains_key(&key) {
            return Err(Unreadable::Malformed(format!("service {key} stands there twice")));
        }
        held.insert(key, addresses);
    }
    Ok(held)
}

fn render(held: &HeldAddresses) -> serde_json::Result<String> {
    let row = |(key, addresses): (&ServiceKey, &Vec<IpAddr>)| Row {
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
        addresses: addresses.clone(),
    };
    let document = Document { version: VERSION, services: held.iter().map(row).collect() };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Beside the file, since a rename is atomic only within a file system. What a crash leaves there
/// is overwritten the next time.
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

/// Raised whenever an older program could misread the file.
const VERSION: u64 = 1;
