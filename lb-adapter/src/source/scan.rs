//! Seeing that files have changed, without understanding them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::manifest;

/// What the files are, as far as it matters: two that are equal are not worth reading twice.
pub(super) type Fingerprint = Result<BTreeMap<PathBuf, Content>, io::ErrorKind>;

/// A hash of what is in a file, or why it cannot be read.
pub(super) type Content = Result<u64, io::ErrorKind>;

/// Takes fingerprints of the files of a directory.
#[derive(Debug)]
pub(super) struct Scanner {
    path: PathBuf,
    /// Files whose contents need not be read again as long as their metadata stay.
    known: BTreeMap<PathBuf, (Stamp, Content)>,
}

impl Scanner {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), known: BTreeMap::new() }
    }

    pub(super) fn scan(&mut self) -> Fingerprint {
        let files = manifest::files(&self.path).map_err(|error| error.kind())?;
        let known = std::mem::take(&mut self.known);
        let mut fingerprint = BTreeMap::new();
        for file in files {
            // Before the contents: a change in between is seen the next time.
            let stamp = fs::metadata(&file).ok().and_then(|metadata| Stamp::of(&metadata));
            let content = match (known.get(&file), &stamp) {
                (Some((before, content)), Some(now)) if before == now => *content,
                _ => hash(&file),
            };
            // A file that cannot be read may become readable without a trace in its stamp.
            if let Some(stamp) = stamp.filter(|stamp| content.is_ok() && stamp.is_settled()) {
                self.known.insert(file.clone(), (stamp, content));
            }
            fingerprint.insert(file, content);
        }
        Ok(fingerprint)
    }
}

/// What of the metadata changes with the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: SystemTime,
    /// Device and inode, which are others when a file or a link was replaced, and the time of the
    /// last change of anything, which nobody can set back.
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Option<Self> {
        let (length, modified) = (metadata.len(), metadata.modified().ok()?);
        Some(Self { length, modified, identity: identity(metadata) })
    }

    /// Whether a later change is sure to change the stamp too: clocks of file systems are coarse,
    /// so that two writes in a row may leave the same time.
    fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age > COARSE)
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64, i64, i64) {
    (0, 0, 0, 0)
}

fn hash(file: &Path) -> Content {
    let hashed = || {
        let mut file = File::open(file)?;
        let (mut hasher, mut buffer) = (DefaultHasher::new(), [0; 8 * 1024]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                length => hasher.write(buffer.get(..length).unwrap_or_default()),
            }
        }
    };
    hashed().map_err(|error: io::Error| error.kind())
}

/// More than the clock of any file system in use: two seconds is FAT's.
const COARSE: Duration = Duration::from_secs(3);
