//! [`Archive`]: a tar.gz with one directory, in which each name occurs once.

use std::collections::BTreeSet;
use std::io;

use ferrolb_api::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// An archive in memory. Its size is bounded by what is added.
pub(super) struct Archive {
    builder: Builder<GzEncoder<Vec<u8>>>,
    root: String,
    /// The time of all files, in seconds since 1970.
    time: u64,
    names: BTreeSet<String>,
}

impl Archive {
    /// Returns an empty archive whose files are in the directory `root`.
    pub(super) fn new(root: String, time: Timestamp) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::default());
        let time = u64::try_from(time.as_second()).unwrap_or(0);
        Self { builder: Builder::new(encoder), root, time, names: BTreeSet::new() }
    }

    /// Adds a file. The parts of `name` are made safe for file names, and a name that is taken gets a number.
    ///
    /// # Errors
    ///
    /// The name is too long for the format.
    pub(super) fn add(&mut self, name: &[&str], octets: &[u8]) -> io::Result<()> {
        let name = self.unique(name);
        let mut header = Header::new_gnu();
        header.set_size(octets.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.time);
        self.builder.append_data(&mut header, format!("{}/{name}", self.root), octets)
    }

    /// Returns the octets of the whole archive.
    ///
    /// # Errors
    ///
    /// The compression fails.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        self.builder.into_inner()?.finish()
    }

    /// Returns a name that no file has.
    fn unique(&mut self, parts: &[&str]) -> String {
        let parts: Vec<_> = parts.iter().map(|part| safe_name(part)).collect();
        let wanted = parts.join("/");

        let mut name = wanted.clone();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = match wanted.rsplit_once('.') {
                Some((stem, ending)) => format!("{stem}-{number}.{ending}"),
                None => format!("{wanted}-{number}"),
            };
        }
        name
    }
}

/// Returns a text as the name of a file on any system: at most 100 characters, none of which has a meaning in a path.
pub(super) fn safe_name(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = text.chars().take(100).map(|c| if is_safe(c) { c } else { '_' }).collect();
    if name.chars().all(|c| c == '.') { "_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_directory_and_occur_once() {
        let mut archive = Archive::new("root".to_owned(), Timestamp::UNIX_EPOCH);
        assert_eq!(archive.unique(&["peers", "kube1", "../../etc"]), "peers/kube1/.._.._etc");
        assert_eq!(archive.unique(&["peers", "..", "a.json"]), "peers/_/a.json");
        assert_eq!(archive.unique(&["[fd00::1]:179.json"]), "_fd00__1__179.json");
        assert_eq!(archive.unique(&["<fd00::1>:179.json"]), "_fd00__1__179-2.json");
        assert_eq!(archive.unique(&[&"x".repeat(500)]).len(), 100);
    }
}
