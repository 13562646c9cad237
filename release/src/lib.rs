//! Makes what accompanies the binary in a release.
//!
//! `scripts/release` is the whole process and runs this program for what a shell does badly: the graph of the packages that
//! are in the binary ([`graph`]) with the libraries of the toolchain ([`toolchain`]), as a CycloneDX document ([`sbom`]), as
//! licence texts ([`third_party`]) and against the list that the binary carries ([`audit`]); and the image as an archive
//! ([`image`]). The output depends on the arguments, the sources and the toolchain only: no clock, no folder, no network.

pub mod architecture;
pub mod audit;
pub mod error;
pub mod graph;
pub mod image;
pub mod sbom;
pub mod third_party;
pub mod toolchain;

use std::path::{Path, PathBuf};

/// The root of the workspace that this program was built from.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
