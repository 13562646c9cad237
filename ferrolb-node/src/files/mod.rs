//! A directory of manifests, followed as it changes.
//!
//! ```text
//! files --scan--> fingerprint --settled?--> manifest::read --> Ok(Manifests) | Err(Diagnostics)
//! ```
//!
//! The files are looked at again and again rather than watched by the kernel: that sees through the
//! symbolic links of Kubernetes' volumes, through editors that replace files, and on file systems
//! that tell nobody. A change is taken up once nothing has moved for a moment, so that a file that
//! is being written is not read in the middle.
//!
//! This module owns when to read. What is in a file is the business of [`lb_adapter::manifest`].

mod scan;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::sleep;

use lb_adapter::config::Diagnostics;
use lb_adapter::manifest::{self, Manifests};

use scan::{Fingerprint, Scanner};
pub use state::Memory;

/// What a reading of the files came to.
pub type Reading = Result<Manifests, Diagnostics>;

/// A directory of manifests, or one file.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    options: manifest::Options,
    scanner: Scanner,
    /// The files as they were when they were read last.
    read: Fingerprint,
}

impl Source {
    /// Reads the files for the first time.
    ///
    /// # Errors
    ///
    /// The directory, or a file in it, cannot be read at all. That files are wrong is in the
    /// reading.
    pub fn open(path: &Path, options: &manifest::Options) -> io::Result<(Self, Reading)> {
        let options = options.clone();
        if manifest::is_stdin(path) {
            let mut scanner = Scanner::new(path);
            let source = Self { path: path.to_owned(), options, read: scanner.scan(), scanner };
            let reading = manifest::read_with(&source.options, path);
            return Ok((source, reading));
        }
        for file in manifest::files(path)? {
            let named = |error| io::Error::other(format!("{}: {error}", file.display()));
            std::fs::File::open(&file).map_err(named)?;
        }
        let mut scanner = Scanner::new(path);
        let mut source = Self { path: path.to_owned(), options, read: scanner.scan(), scanner };
        let reading = source.read_until_still();
        Ok((source, reading))
    }

    /// Follows the files: a reading for each change, errors included. Ends when the receiver is
    /// dropped. Input from stdin does not change.
    pub fn follow(self) -> mpsc::Receiver<Reading> {
        let (sender, receiver) = mpsc::channel(1);
        if manifest::is_stdin(&self.path) {
            tokio::spawn(async move { sender.closed().await });
            return receiver;
        }
        tokio::spawn(async move {
            let mut source = Some(self);
            while let Some(current) = source.take() {
                tokio::select! {
                    () = sender.closed() => return,
                    () = sleep(PERIOD) => {}
                }
                // A file system that hangs must not hang the sessions.
                let looked = tokio::task::spawn_blocking(move || current.look());
                let Ok((current, reading)) = looked.await else { return };
                source = Some(current);
                if let Some(reading) = reading
                    && sender.send(reading).await.is_err()
                {
                    return;
                }
            }
        });
        receiver
    }

    /// Reads the files anew if they have changed. Blocks while they are changing.
    fn look(mut self) -> (Self, Option<Reading>) {
        let mut now = self.scanner.scan();
        if now == self.read {
            return (self, None);
        }
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            std::thread::sleep(STILL);
            let next = self.scanner.scan();
            if next == now {
                break;
            }
            now = next;
        }
        if now == self.read {
            return (self, None);
        }
        self.read = now;
        let reading = self.read_until_still();
        (self, Some(reading))
    }

    /// Reads, and if the files changed meanwhile, again.
    fn read_until_still(&mut self) -> Reading {
        let mut reading = manifest::read_with(&self.options, &self.path);
        for _ in 0..READINGS {
            let now = self.scanner.scan();
            if now == self.read {
                break;
            }
            self.read = now;
            reading = manifest::read_with(&self.options, &self.path);
        }
        reading
    }
}

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_millis(200);
/// How long nothing must have changed before the files are read.
const STILL: Duration = Duration::from_millis(60);
/// How long to wait for that; a file that never rests is read as it is.
const PATIENCE: Duration = Duration::from_millis(400);
/// How often files that change under the reader are read again at once.
const READINGS: usize = 3;
