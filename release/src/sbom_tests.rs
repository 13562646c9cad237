use std::path::PathBuf;

use super::*;
use crate::graph::tests::graph;

fn toolchain() -> Toolchain {
    Toolchain {
        rust: "1.95.0".to_owned(),
        rust_commit: "abc".to_owned(),
        glibc: "2.36".to_owned(),
        gcc: "12.2.0".to_owned(),
        sysroot: PathBuf::new(),
    }
}

#[test]
fn each_reference_leads_to_a_component() {
    let graph = graph(&[("a", "1.0.0", true), ("b", "2.0.0+x", false)]);
    let document = document(&graph, &toolchain(), Timestamp::UNIX_EPOCH);

    let root = &document["metadata"]["component"];
    assert_eq!(root["type"], "application");
    let components = document["components"].as_array().unwrap();
    let names: Vec<_> = components.iter().map(|it| it["bom-ref"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "pkg:cargo/a@1.0.0",
            "pkg:cargo/b@2.0.0%2Bx",
            "rust-std@1.95.0",
            "glibc@2.36",
            "libgcc@12.2.0"
        ]
    );
    let scopes: Vec<_> = components.iter().map(|it| it["scope"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["required", "excluded", "required", "required", "required"]);
    assert_eq!(components[0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    assert_eq!(components[0]["description"], "Does things");

    let dependencies = document["dependencies"].as_array().unwrap();
    let of_root = dependencies.iter().find(|it| it["ref"] == root["bom-ref"]).unwrap();
    let needed: Vec<_> =
        of_root["dependsOn"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(needed, names);
}

#[test]
fn the_document_names_no_folder() {
    let mut graph = graph(&[("a", "1.0.0", true)]);
    for package in graph.packages.values_mut() {
        package.folder = "/a/folder".into();
    }
    let document = document(&graph, &toolchain(), Timestamp::UNIX_EPOCH).to_string();
    assert!(!document.contains("/a/folder"), "{document}");
}
