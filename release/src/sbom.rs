//! The components of the binary as a CycloneDX document.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::graph::{Graph, Id, Package};
use crate::toolchain::Toolchain;

/// The version of the format.
const SPEC_VERSION: &str = "1.6";

/// The document. What is only needed for building has the scope `excluded`.
pub fn document(graph: &Graph, toolchain: &Toolchain, time: Timestamp) -> Value {
    let libraries = libraries(toolchain);
    let packages = graph.packages.iter().filter(|(id, _)| **id != graph.root);
    let components: Vec<_> = packages
        .map(|(id, package)| component(id, package, "library"))
        .chain(libraries.iter().cloned())
        .collect();

    let mut dependencies = Vec::new();
    for (id, package) in &graph.packages {
        let mut needed: Vec<_> =
            package.dependencies.iter().map(|id| reference(id, &graph.packages[id])).collect();
        if *id == graph.root {
            needed
                .extend(libraries.iter().filter_map(|it| Some(it["bom-ref"].as_str()?.to_owned())));
        }
        dependencies.push(json!({"ref": reference(id, package), "dependsOn": needed}));
    }

    json!({
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {
            "timestamp": time.to_string(),
            "component": component(&graph.root, &graph.packages[&graph.root], "application"),
            "properties": [
                {"name": "cdx:rustc:sbom:target:triple", "value": graph.architecture.target()},
            ],
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// The name of a package within the document, which is its package URL if it is at crates.io.
fn reference(id: &Id, package: &Package) -> String {
    let Id { name, version } = id;
    match package.checksum {
        // Of the characters that a version has, a package URL escapes the plus sign.
        Some(_) => format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")),
        None => format!("{name}@{version}"),
    }
}

fn component(id: &Id, package: &Package, kind: &str) -> Value {
    let reference = reference(id, package);
    let mut component = json!({
        "type": kind,
        "bom-ref": reference,
        "name": id.name,
        "version": id.version,
        "scope": if package.in_binary { "required" } else { "excluded" },
    });
    if let Some(checksum) = &package.checksum {
        component["purl"] = json!(reference);
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(description) = &package.description {
        component["description"] =
            json!(description.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    if let Some(license) = &package.license {
        component["licenses"] = json!([{"expression": expression(license)}]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

/// A licence as an SPDX expression. Old manifests have a slash between alternatives.
pub fn expression(license: &str) -> String {
    license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// The libraries of the toolchain, with the names by which scanners find their vulnerabilities.
fn libraries(toolchain: &Toolchain) -> Vec<Value> {
    let library = |name: &str, vendor: &str, product: &str, version: &str, license: &str| {
        json!({
            "type": "library",
            "bom-ref": format!("{name}@{version}"),
            "name": name,
            "version": version,
            "scope": "required",
            "cpe": format!("cpe:2.3:a:{vendor}:{product}:{version}:*:*:*:*:*:*:*"),
            "licenses": [{"expression": license}],
        })
    };
    let mut rust = library("rust-std", "rust-lang", "rust", &toolchain.rust, "MIT OR Apache-2.0");
    rust["properties"] = json!([{"name": "commit", "value": toolchain.rust_commit}]);
    vec![
        rust,
        library("glibc", "gnu", "glibc", &toolchain.glibc, "LGPL-2.1-or-later"),
        library("libgcc", "gnu", "gcc", &toolchain.gcc, "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ]
}

#[cfg(test)]
#[path = "sbom_tests.rs"]
mod tests;
