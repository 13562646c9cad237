//! Detects that files have changed, without understanding them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lb_adapter::manifest;

/// The state of all files. If two are equal, the files need not be read again.
pub(super) type Fingerprint = Result<BTreeMap<PathBuf, ContentHash>, io::ErrorKind>;

/// A hash of a file's content, or the error of reading it.
pub(super) type ContentHash = Result<u64, io::ErrorKind>;

/// Takes fingerprints of the files of a directory.
#[derive(Debug)]
pub(super) struct Scanner {
    path: PathBuf,
    /// The files whose content need not be read again as long as their metadata stay the same.
    cache: BTreeMap<PathBuf, (FileStamp, ContentHash)>,
}

impl Scanner {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), cache: BTreeMap::new() }
    }

    pub(super) fn scan(&mut self) -> Fingerprint {
        let files = manifest::files(&self.path).map_err(|error| error.kind())?;
        let cache = std::mem::take(&mut self.cache);
        let mut fingerprint = BTreeMap::new();
        for file in files {
            // Taken before the content is read, so that the next scan detects a change in between.
            let stamp = fs::metadata(&file).ok().and_then(|metadata| FileStamp::of(&metadata));
            let content = match (cache.get(&file), &stamp) {
                (Some((before, content)), Some(now)) if before == now => *content,
                _ => hash_content(&file),
            };

            // Errors are not cached: a file may become readable without any change of its stamp.
            if let Some(stamp) = stamp
                && content.is_ok()
                && stamp.is_settled()
            {
                self.cache.insert(file.clone(), (stamp, content));
            }
            fingerprint.insert(file, content);
        }
        Ok(fingerprint)
    }
}

/// The metadata that change with a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    length: u64,
    modified: SystemTime,
    /// Device and inode, which change when a file or a link is replaced, and the time of the last change of any kind,
    /// which no program can set back.
    identity: (u64, u64, i64, i64),
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Option<Self> {
        let (length, modified) = (metadata.len(), metadata.modified().ok()?);
        Some(Self { length, modified, identity: identity(metadata) })
    }

    /// Returns true if any later change is sure to change the stamp, too. The clocks of file systems are coarse, so that
    /// two writes in a row may leave the same time.
    fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age > COARSEST_CLOCK)
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

fn hash_content(path: &Path) -> ContentHash {
    let mut file = File::open(path).map_err(|error| error.kind())?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = [0; 8 * 1024];
    loop {
        let length = file.read(&mut buffer).map_err(|error| error.kind())?;
        if length == 0 {
            return Ok(hasher.finish());
        }
        hasher.write(buffer.get(..length).unwrap_or_default());
    }
}

/// More than the resolution of any file system's clock in use: FAT's is two seconds.
const COARSEST_CLOCK: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a directory with one manifest, that manifest, and a scanner of the directory.
    fn scanned_directory() -> (tempfile::TempDir, PathBuf, Scanner) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.yaml");
        fs::write(&file, "first").unwrap();
        let scanner = Scanner::new(directory.path());
        (directory, file, scanner)
    }

    #[test]
    fn files_that_do_not_change_have_the_same_fingerprint() {
        let (directory, file, mut scanner) = scanned_directory();
        let before = scanner.scan();
        assert_eq!(scanner.scan(), before);
        fs::write(&file, "first").unwrap();
        fs::write(directory.path().join("notes.txt"), "not a manifest").unwrap();
        fs::write(directory.path().join(".a.yaml.swp"), "not a manifest either").unwrap();
        assert_eq!(scanner.scan(), before, "only the same text again, and files that are not read");
    }

    #[test]
    fn writes_of_the_same_length_in_one_clock_tick_are_detected() {
        let (_directory, file, mut scanner) = scanned_directory();
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
    fn replacing_a_file_with_one_of_the_same_age_and_length_is_detected() {
        let (directory, file, mut scanner) = scanned_directory();
        let old = SystemTime::now() - Duration::from_secs(3600);
        let set_age = |file: &Path| {
            File::options().append(true).open(file).unwrap().set_modified(old).unwrap();
        };
        set_age(&file);
        let before = scanner.scan();
        assert!(scanner.cache.contains_key(&file), "its content is cached");
        let next = directory.path().join("next");
        fs::write(&next, "other").unwrap();
        set_age(&next);
        fs::rename(&next, &file).unwrap();
        assert_ne!(scanner.scan(), before);
    }

    #[test]
    fn added_and_removed_files_are_detected_and_so_is_a_removed_directory() {
        let (directory, file, mut scanner) = scanned_directory();
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
