//! The documentation as a book: builds it with mdBook, and finds the links that lead nowhere.
//!
//! [`build`] makes the pages of `docs/`, in the order of `docs/SUMMARY.md`. [`check`] reads every page of the repository,
//! in the book or not. It opens no connection: of a link to another site it checks only the form.

mod links;
mod page;

use std::path::Path;

use mdbook_driver::MDBook;
use mdbook_driver::errors::Result;

pub use links::{Problem, check};
pub use page::{Link, Page};

/// Builds the book of the repository at `root`, and writes it into a directory.
///
/// # Errors
///
/// Returns an error if `book.toml` or a page cannot be read, if `SUMMARY.md` names a page that does not exist, or if the
/// directory cannot be written.
pub fn build(root: &Path, destination: &Path) -> Result<()> {
    let mut book = MDBook::load(root)?;
    destination.clone_into(&mut book.config.build.build_dir);
    book.build()
}

/// The programs of a page compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;
