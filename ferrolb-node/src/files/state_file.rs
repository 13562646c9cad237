//! Remembers assigned addresses in a state file, if there is one.
//!
//! Owns when the file is read and written. Its format belongs to [`lb_adapter::state_file`].

use std::fs;
use std::path::{Path, PathBuf};

use lb_adapter::allocator::HeldAddresses;
use lb_adapter::state_file::{self, StateError};

/// A state file and its content; without a path, nothing is remembered.
#[derive(Debug, Default)]
pub struct StateFile {
    path: Option<PathBuf>,
    /// The content of the file; none after a failed write, so that the next save writes it again.
    saved: Option<HeldAddresses>,
}

impl StateFile {
    /// Reads the file, if there is a path and the file exists.
    ///
    /// # Errors
    ///
    /// The file exists but is not valid. Continuing without it would give Services other addresses than they have.
    pub fn open(path: Option<PathBuf>) -> Result<Self, StateError> {
        let saved = match &path {
            Some(path) => state_file::load(path)?,
            None => HeldAddresses::new(),
        };
        Ok(Self { path, saved: Some(saved) })
    }

    /// Returns the addresses that Services hold according to the file.
    pub fn held(&self) -> HeldAddresses {
        self.saved.clone().unwrap_or_default()
    }

    /// Writes the file if the addresses have changed.
    ///
    /// # Errors
    ///
    /// The file could not be written.
    pub fn save(&mut self, held: &HeldAddresses) -> Result<(), StateError> {
        let Some(path) = &self.path else { return Ok(()) };
        if self.saved.as_ref() == Some(held) {
            return Ok(());
        }

        self.saved = None;
        if let Some(directory) = path.parent()
            && !directory.as_os_str().is_empty()
        {
            fs::create_dir_all(directory)
                .map_err(|error| StateError::Write { path: path.clone(), error })?;
        }
        state_file::save(path, held)?;
        self.saved = Some(held.clone());
        Ok(())
    }

    /// Returns the path of the file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}
