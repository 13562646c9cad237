//! A directory of manifests, followed as it changes.
//!
//! ```text
//! files --scan--> fingerprint --settled?--> manifest::read --> Ok(Manifests) | Err(Diagnostics)
//! ```
//!
//! The files are polled rather than watched by the kernel. Polling sees through the symbolic links of Kubernetes' volumes
//! and through editors that replace files, and works on file systems that send no notifications. A change is read once
//! nothing has moved for a moment, so that a file is not read while it is being written.
//!
//! This module owns when to read. The content of the files belongs to [`lb_adapter::manifest`].

mod scan;
mod state_file;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::sleep;

use lb_adapter::config::Diagnostics;
use lb_adapter::manifest::{self, Manifests};

use scan::{Fingerprint, Scanner};
pub use state_file::StateFile;

/// The result of reading the files.
pub type ManifestResult = Result<Manifests, Diagnostics>;

/// A directory of manifests, one file, or stdin.
#[derive(Debug)]
pub struct ManifestSource {
    path: PathBuf,
    options: manifest::Options,
    scanner: Scanner,
    /// The state of the files when they were last read.
    last_read: Fingerprint,
}

impl ManifestSource {
    /// Reads the files for the first time.
    ///
    /// # Errors
    ///
    /// The directory, or a file in it, cannot be read at all. Mistakes in the files are in the result.
    pub fn open(path: &Path, options: &manifest::Options) -> io::Result<(Self, ManifestResult)> {
        if manifest::is_stdin(path) {
            let source = Self::new(path, options);
            let result = source.read();
            return Ok((source, result));
        }

        for file in manifest::files(path)? {
            if let Err(error) = std::fs::File::open(&file) {
                return Err(io::Error::other(format!("{}: {error}", file.display())));
            }
        }
        let mut source = Self::new(path, options);
        let result = source.read_until_unchanged();
        Ok((source, result))
    }

    fn new(path: &Path, options: &manifest::Options) -> Self {
        let mut scanner = Scanner::new(path);
        let last_read = scanner.scan();
        Self { path: path.to_owned(), options: options.clone(), scanner, last_read }
    }

    /// Follows the files: sends a result after each change, errors included. Ends when the receiver is dropped. Input from
    /// stdin does not change.
    pub fn follow(self) -> mpsc::Receiver<ManifestResult> {
        let (sender, receiver) = mpsc::channel(1);
        if manifest::is_stdin(&self.path) {
            tokio::spawn(async move { sender.closed().await });
        } else {
            tokio::spawn(self.poll(sender));
        }
        receiver
    }

    async fn poll(self, sender: mpsc::Sender<ManifestResult>) {
        let mut source = self;
        loop {
            tokio::select! {
                () = sender.closed() => return,
                () = sleep(POLL_INTERVAL) => {}
            }

            // In a thread of its own, so that a file system that hangs does not hang the sessions.
            let reading = tokio::task::spawn_blocking(move || {
                let result = source.read_if_changed();
                (source, result)
            });
            let Ok((returned, result)) = reading.await else { return };
            source = returned;
            if let Some(result) = result
                && sender.send(result).await.is_err()
            {
                return;
            }
        }
    }

    /// Reads the files if they have changed since they were last read. Blocks while they are changing.
    fn read_if_changed(&mut self) -> Option<ManifestResult> {
        let mut current = self.scanner.scan();
        if current == self.last_read {
            return None;
        }

        let begin = Instant::now();
        while begin.elapsed() < LONGEST_WAIT {
            std::thread::sleep(SETTLE_TIME);
            let next = self.scanner.scan();
            if next == current {
                break;
            }
            current = next;
        }

        // They may have changed back.
        if current == self.last_read {
            return None;
        }
        self.last_read = current;
        Some(self.read_until_unchanged())
    }

    /// Reads the files, and reads them again if they have changed while being read.
    fn read_until_unchanged(&mut self) -> ManifestResult {
        let mut result = self.read();
        for _ in 0..MAX_REREADS {
            let current = self.scanner.scan();
            if current == self.last_read {
                break;
            }
            self.last_read = current;
            result = self.read();
        }
        result
    }

    fn read(&self) -> ManifestResult {
        manifest::read_with(&self.options, &self.path)
    }
}

/// The interval between scans of the files.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The time without changes after which the files are read.
const SETTLE_TIME: Duration = Duration::from_millis(60);
/// The longest wait for that. Files that keep changing are read as they are.
const LONGEST_WAIT: Duration = Duration::from_millis(400);
/// The number of times that files are read again at once if they change while being read.
const MAX_REREADS: usize = 3;
