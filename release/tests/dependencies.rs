//! `dependencies.md` has a row for each package that a crate of the shipped binary names, with the licence that it has.

use std::collections::BTreeMap;
use std::fs;

use ferrolb_release::architecture::Architecture;
use ferrolb_release::graph::Graph;
use ferrolb_release::sbom::expression;
use toml::Table;

/// The rows of the table: the licence by the name of the package.
fn reviewed() -> BTreeMap<String, String> {
    let path = ferrolb_release::workspace().join("release/dependencies.md");
    let page = fs::read_to_string(path).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let row = |row: &str| {
        let cells: Vec<_> = row.split(" | ").collect();
        assert_eq!(cells.len(), 7, "{row}");
        (cells[0].trim_matches('`').to_owned(), cells[3].to_owned())
    };
    rows.map(row).collect()
}

fn graph() -> Graph {
    Graph::resolve(Architecture::Amd64).unwrap()
}

/// The packages that the manifests of the shipped crates name, for use at run time, with an example of a crate that names it.
fn direct(graph: &Graph) -> BTreeMap<String, String> {
    let own: Vec<_> =
        graph.packages.iter().filter(|(_, package)| package.checksum.is_none()).collect();
    assert_eq!(own.len(), 7, "the crates that ARCHITECTURE.md draws: {own:?}");

    let mut direct = BTreeMap::new();
    for (id, package) in &own {
        let manifest = fs::read_to_string(package.folder.join("Cargo.toml")).unwrap();
        let manifest: Table = manifest.parse().unwrap();
        let targets = manifest.get("target").and_then(|it| it.as_table());
        let tables = targets.into_iter().flatten().filter_map(|(_, it)| it.as_table());
        for table in std::iter::once(&manifest).chain(tables) {
            for name in table.get("dependencies").and_then(|it| it.as_table()).into_iter().flatten()
            {
                direct.insert(name.0.clone(), id.name.clone());
            }
        }
    }
    direct.retain(|name, _| !own.iter().any(|(id, _)| id.name == *name));
    direct
}

#[test]
fn each_direct_dependency_has_been_reviewed() {
    let graph = graph();
    let (direct, reviewed) = (direct(&graph), reviewed());
    for (name, user) in &direct {
        assert!(reviewed.contains_key(name), "{user} names {name}: review it in dependencies.md");
    }
    for name in reviewed.keys() {
        assert!(direct.contains_key(name), "dependencies.md: nothing names {name} any more");
    }
}

#[test]
fn a_reviewed_licence_is_that_of_the_package() {
    let graph = graph();
    let mut compared = 0;
    for (name, license) in reviewed() {
        for (_, package) in graph.packages.iter().filter(|(id, _)| id.name == name) {
            assert_eq!(expression(package.license.as_deref().unwrap()), license, "{name}");
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}
