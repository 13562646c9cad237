use super::*;

/// A graph of the root and these packages, all of them needed by it: name, version, and whether it is in the binary.
pub(crate) fn graph(packages: &[(&str, &str, bool)]) -> Graph {
    let id = |name: &str, version: &str| Id { name: name.to_owned(), version: version.to_owned() };
    let package = |in_binary, checksum| Package {
        in_binary,
        checksum,
        license: Some("MIT/Apache-2.0".to_owned()),
        authors: Vec::new(),
        description: Some("Does\n things".to_owned()),
        repository: None,
        folder: PathBuf::new(),
        dependencies: BTreeSet::new(),
    };

    let mut all = BTreeMap::new();
    for (name, version, in_binary) in packages {
        all.insert(id(name, version), package(*in_binary, Some("00".repeat(32))));
    }
    let root = id(ROOT, "0.1.0");
    let dependencies = all.keys().cloned().collect();
    all.insert(root.clone(), Package { dependencies, ..package(true, None) });
    Graph { architecture: Architecture::Amd64, root, packages: all }
}

#[test]
fn the_depth_of_a_line_says_who_needs_it() {
    let text = "0a v1.0.0 (/somewhere)\n1b v2.0.0 (proc-macro)\n2c v0.1.0+x\n1c v0.1.0+x (*)\n";
    let tree = parse_tree(text).unwrap();

    let id = |name: &str, version: &str| Id { name: name.to_owned(), version: version.to_owned() };
    let (a, b, c) = (id("a", "1.0.0"), id("b", "2.0.0"), id("c", "0.1.0+x"));
    assert_eq!(tree[&a], BTreeSet::from([b.clone(), c.clone()]));
    assert_eq!(tree[&b], BTreeSet::from([c.clone()]));
    assert!(tree[&c].is_empty());
}

#[test]
fn a_line_that_is_no_package_is_an_error() {
    for text in ["a v1", "0a", "0a 1.0.0", "0a v1\n2b v1", "7", "é"] {
        assert!(parse_tree(text).is_err(), "{text:?}");
    }
}

#[test]
fn the_binary_has_no_procedural_macros_and_no_packages_of_the_tests() {
    let graph = Graph::resolve(Architecture::Amd64).unwrap();
    let in_binary = |name: &str| {
        let mut found = graph.packages.iter().filter(|(id, _)| id.name == name);
        found.next().map(|(_, package)| package.in_binary)
    };
    assert_eq!(in_binary("bgp-core"), Some(true));
    assert_eq!(in_binary("serde"), Some(true));
    assert_eq!(in_binary("serde_derive"), Some(false));
    assert_eq!(in_binary("tempfile"), None);
    assert_eq!(in_binary("schemars"), None);
    assert!(graph.third_parties().all(|(_, package)| package.folder.exists()));
}
