//! Seeing that files have changed, without understanding them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lb_adapter::manifest;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with one manifest, and its scanner.
    fn scanned() -> (tempfile::TempDir, PathBuf, Scanner) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.yaml");
        fs::write(&file, "first").unwrap();
        let scanner = Scanner::new(directory.path());
        (directory, file, scanner)
    }

    #[test]
    fn what_stays_as_it_is_has_the_same_fingerprint() {
        let (directory, file, mut scanner) = scanned();
        let before = scanner.scan();
        assert_eq!(scanner.scan(), before);
        fs::write(&file, "first").unwrap();
        fs::write(directory.path().join("notes.txt"), "not a manifest").unwrap();
        fs::write(directory.path().join(".a.yaml.swp"), "not meant").unwrap();
        assert_eq!(scanner.scan(), before, "the same text again, and files that are not read");
    }

    #[test]
    fn writes_of_the_same_length_in_one_tick_of_the_clock_are_seen() {
        let (_directory, file, mut scanner) = scanned();
        let mut before = scanner.scan();
        for text in ["other", "third", "first"] {
            let modified = fs::metadata(&file).unwrap().modified().unwrap();
            fs::write(&file, text).unwrap();
            File::options().append(true).open(&file).unwrap().set_modified(modified).unwrap();
            let now = scanner.scan();
            assert_ne!(now, before, "{text}");
            before = now;
        }
    }

    #[test]
    fn an_old_file_that_is_replaced_by_one_as_old_and_as_long_is_seen() {
        let (directory, file, mut scanner) = scanned();
        let old = SystemTime::now() - Duration::from_secs(3600);
        let age = |file: &Path| {
            File::options().append(true).open(file).unwrap().set_modified(old).unwrap();
        };
        age(&file);
        let before = scanner.scan();
        assert!(scanner.known.contains_key(&file), "it need not be read again");
        let next = directory.path().join("next");
        fs::write(&next, "other").unwrap();
        age(&next);
        fs::rename(&next, &file).unwrap();
        assert_ne!(scanner.scan(), before);
    }

    #[test]
    fn files_that_come_and_go_are_seen_and_so_is_the_directory() {
        let (directory, file, mut scanner) = scanned();
        let one = scanner.scan();
        fs::write(directory.path().join("b.json"), "{}").unwrap();
        let two = scanner.scan();
        assert_ne!(two, one);
        fs::remove_file(&file).unwrap();
        assert_ne!(scanner.scan(), two);
        drop(directory);
        assert_eq!(scanner.scan(), Err(io::ErrorKind::NotFound));
    }
}
