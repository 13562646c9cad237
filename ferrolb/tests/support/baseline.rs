//! The other version in tests of skew. `scripts/check-skew` names a folder with its binary and its CRDs in
//! `FERROLB_TEST_BASELINE`. Without it, this version takes both parts.

use std::path::PathBuf;

/// The folder with the other version.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os("FERROLB_TEST_BASELINE").map(PathBuf::from)
}

/// The binaries: that of this version, and that of the other one.
pub(crate) fn binaries() -> [PathBuf; 2] {
    let current = PathBuf::from(env!("CARGO_BIN_EXE_ferrolb"));
    let other = folder().map_or_else(|| current.clone(), |folder| folder.join("ferrolb"));
    [current, other]
}
