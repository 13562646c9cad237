use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;

use super::*;
use crate::graph::tests::graph;

fn section(names: &[&str]) -> Vec<u8> {
    let packages: Vec<_> =
        names.iter().map(|name| json!({"name": name, "version": "0.1.0"})).collect();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json!({"packages": packages}).to_string().as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_package_of_the_binary_must_be_listed() {
    let graph = graph(&[("a", "0.1.0", true), ("macro", "0.1.0", false)]);

    let (count, more) = check(&section(&["ferrolb", "a", "other"]), &graph).unwrap();
    assert_eq!((count, more.len(), more[0].name.as_str()), (3, 1, "other"));

    let error = check(&section(&["ferrolb", "macro"]), &graph).unwrap_err();
    assert_eq!(error.to_string(), ".dep-v0: a 0.1.0 is missing");
}

#[test]
fn what_is_no_list_is_an_error() {
    let graph = graph(&[]);
    assert!(check(b"", &graph).is_err());
    assert!(check(b"not compressed", &graph).is_err());
    let whole = section(&["ferrolb"]);
    assert!(check(&whole[..whole.len() / 2], &graph).is_err());
}
