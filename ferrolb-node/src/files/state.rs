//! Remembering assigned addresses in a state file, if there is to be one.
//!
//! Owns when the file is read and written. Its form is the business of [`lb_adapter::state_file`].

use std::fs;
use std::path::{Path, PathBuf};

use lb_adapter::allocator::HeldAddresses;
use lb_adapter::state_file::{self, StateError};

/// A state file and what is in it; or nothing, which remembers nothing.
#[derive(Debug, Default)]
pub struct Memory {
    path: Option<PathBuf>,
    /// What the file has; none after a failure, so that the next change writes it.
    saved: Option<HeldAddresses>,
}

impl Memory {
    /// Reads the file, or begins without one.
    ///
    /// # Errors
    ///
    /// The file is there and cannot be understood. Going on without it would give Services other
    /// addresses than they have.
    pub fn open(path: Option<PathBuf>) -> Result<Self, StateError> {
        let saved = match &path {
            Some(path) => state_file::load(path)?,
            None => HeldAddresses::new(),
        };
        Ok(Self { path, saved: Some(saved) })
    }

    /// What Services hold by the file.
    pub fn held(&self) -> HeldAddresses {
        self.saved.clone().unwrap_or_default()
    }

    /// Remembers, if anything is new.
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
        if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            let failed = |error| StateError::Write { path: path.clone(), error };
            fs::create_dir_all(directory).map_err(failed)?;
        }
        state_file::save(path, held)?;
        self.saved = Some(held.clone());
        Ok(())
    }

    /// Where it remembers.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}
