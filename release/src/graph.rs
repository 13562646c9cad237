//! The packages that the released binary is made of, and which of them needs which.
//!
//! `cargo tree` resolves the features of this one package for this one target. `cargo metadata`, which other tools ask, unites
//! the features of the whole workspace, tests included, and so names packages that are not in the binary. Here it is only asked
//! for facts about packages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::architecture::Architecture;
use crate::error::Error;
use crate::toolchain::run;

/// The package whose binary is released.
const ROOT: &str = "ferrolb";

/// Name and version of a package. Cargo.lock has no two packages for which both are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Id {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// One package.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Package {
    /// True if code of it is in the binary; false for procedural macros, build scripts and what only these need.
    pub in_binary: bool,
    /// The SHA-256 of the package at crates.io, in hexadecimal; none for the crates of this workspace.
    pub checksum: Option<String>,
    /// The licence, as its manifest says.
    pub license: Option<String>,
    /// The authors, as its manifest says.
    pub authors: Vec<String>,
    /// The description of its manifest.
    pub description: Option<String>,
    /// Where it is developed.
    pub repository: Option<String>,
    /// The folder with its sources.
    pub folder: PathBuf,
    /// The packages that it needs, for building too.
    pub dependencies: BTreeSet<Id>,
}

/// The packages for one architecture.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Graph {
    /// The architecture.
    pub architecture: Architecture,
    /// The package of the binary.
    pub root: Id,
    /// All packages, the root included.
    pub packages: BTreeMap<Id, Package>,
}

impl Graph {
    /// Asks Cargo for the packages of the binary with its default features.
    ///
    /// # Errors
    ///
    /// If Cargo fails, or says something unknown.
    pub fn resolve(architecture: Architecture) -> Result<Self, Error> {
        let everything = tree(architecture, "normal,build")?;
        let in_binary = tree(architecture, "normal,no-proc-macro")?;
        let mut facts = facts(architecture)?;
        let mut checksums = checksums()?;

        let mut packages = BTreeMap::new();
        for (id, dependencies) in everything {
            let what = || format!("{} {}", id.name, id.version);
            let fact = facts.remove(&id).ok_or_else(|| Error::unexpected(what(), "no metadata"))?;
            let package = Package {
                in_binary: in_binary.contains_key(&id),
                checksum: checksums.remove(&id),
                license: fact.license,
                authors: fact.authors,
                description: fact.description,
                repository: fact.repository,
                folder: fact.manifest_path.parent().map(PathBuf::from).unwrap_or_default(),
                dependencies,
            };
            packages.insert(id, package);
        }

        let root = packages.keys().find(|id| id.name == ROOT).cloned();
        let root = root.ok_or_else(|| Error::unexpected("cargo tree", format!("no {ROOT}")))?;
        Ok(Self { architecture, root, packages })
    }

    /// The packages from outside this workspace whose code is in the binary.
    pub fn third_parties(&self) -> impl Iterator<Item = (&Id, &Package)> {
        self.packages.iter().filter(|(_, package)| package.in_binary && package.checksum.is_some())
    }
}

/// Each package with its dependencies along these edges.
fn tree(architecture: Architecture, edges: &str) -> Result<BTreeMap<Id, BTreeSet<Id>>, Error> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = [
        "tree",
        "--locked",
        "--package",
        ROOT,
        "--target",
        architecture.target(),
        "--edges",
        edges,
        "--prefix",
        "depth",
        "--format",
        "{p}",
    ];
    parse_tree(&run(&cargo, &arguments, "")?)
}

/// Reads lines such as `2bgp-core v0.1.0 (..)`: the depth, then a package. Below a line with `(*)`, the packages are not
/// repeated.
fn parse_tree(text: &str) -> Result<BTreeMap<Id, BTreeSet<Id>>, Error> {
    let mut found: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    let mut above: Vec<Id> = Vec::new();

    for line in text.lines() {
        let unexpected = || Error::unexpected("cargo tree", format!("unknown line {line:?}"));
        let digits = line.find(|c: char| !c.is_ascii_digit()).ok_or_else(unexpected)?;
        let (depth, package) = line.split_at(digits);
        let depth: usize = depth.parse().map_err(|_| unexpected())?;
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            return Err(unexpected());
        };
        let version = version.strip_prefix('v').ok_or_else(unexpected)?;
        let id = Id { name: name.to_owned(), version: version.to_owned() };

        above.truncate(depth);
        if depth != above.len() {
            return Err(unexpected());
        }
        if let Some(parent) = above.last() {
            found.entry(parent.clone()).or_default().insert(id.clone());
        }
        found.entry(id.clone()).or_default();
        above.push(id);
    }
    Ok(found)
}

/// What a manifest says, in the words of `cargo metadata`.
#[derive(Debug, Deserialize)]
struct Fact {
    name: String,
    version: String,
    license: Option<String>,
    authors: Vec<String>,
    description: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
}

fn facts(architecture: Architecture) -> Result<BTreeMap<Id, Fact>, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Fact>,
    }

    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = [
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        architecture.target(),
    ];
    let text = run(&cargo, &arguments, "")?;
    let metadata: Metadata =
        serde_json::from_str(&text).map_err(|error| Error::unexpected("cargo metadata", error))?;
    let id = |fact: &Fact| Id { name: fact.name.clone(), version: fact.version.clone() };
    Ok(metadata.packages.into_iter().map(|fact| (id(&fact), fact)).collect())
}

fn checksums() -> Result<BTreeMap<Id, String>, Error> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
        checksum: Option<String>,
    }

    let path = crate::workspace().join("Cargo.lock");
    let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let lock: Lock =
        toml::from_str(&text).map_err(|error| Error::unexpected("Cargo.lock", error))?;
    let checksum = |it: Locked| Some((Id { name: it.name, version: it.version }, it.checksum?));
    Ok(lock.package.into_iter().filter_map(checksum).collect())
}

#[cfg(test)]
#[path = "graph_tests.rs"]
pub(crate) mod tests;
