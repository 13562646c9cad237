//! The list of dependencies in the binary, which `cargo auditable` embeds and `cargo audit bin` reads, against the graph.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use crate::error::Error;
use crate::graph::{Graph, Id};

/// More than this is no such list; it keeps a broken one from filling the memory.
const LONGEST: u64 = 16 << 20;

#[derive(Debug, Deserialize)]
struct List {
    packages: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    version: String,
}

/// Compares the octets of the section `.dep-v0` with the graph: every package of the binary must be listed. The list may have more,
/// because `cargo auditable` asks for the features of the whole workspace. Returns the number of packages, and those that only the list has.
///
/// # Errors
///
/// If the section is not such a list, or lacks packages.
pub fn check(section: &[u8], graph: &Graph) -> Result<(usize, Vec<Id>), Error> {
    let mut text = String::new();
    let mut decoder = ZlibDecoder::new(section).take(LONGEST);
    decoder.read_to_string(&mut text).map_err(|error| Error::unexpected(".dep-v0", error))?;
    let list: List =
        serde_json::from_str(&text).map_err(|error| Error::unexpected(".dep-v0", error))?;

    let listed: BTreeSet<Id> =
        list.packages.into_iter().map(|it| Id { name: it.name, version: it.version }).collect();
    for (id, package) in &graph.packages {
        if package.in_binary && !listed.contains(id) {
            let message = format!("{} {} is missing", id.name, id.version);
            return Err(Error::unexpected(".dep-v0", message));
        }
    }

    let more = listed.iter().filter(|id| !graph.packages.contains_key(id)).cloned().collect();
    Ok((listed.len(), more))
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
