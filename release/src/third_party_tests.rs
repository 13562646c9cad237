use super::*;
use crate::graph::tests::graph;

fn package(license: &str, folder: &Path) -> Package {
    let graph = graph(&[("a", "1.0.0", true)]);
    let (_, package) = graph.third_parties().next().unwrap();
    let mut package = package.clone();
    package.license = Some(license.to_owned());
    package.authors = vec!["Somebody".to_owned()];
    package.folder = folder.to_owned();
    package
}

#[test]
fn every_licence_and_notice_of_a_package_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("vendored")).unwrap();
    for (name, text) in [
        ("LICENSE-MIT", "one\r\n"),
        ("NOTICE", "two"),
        ("vendored/copying.txt", "three  \n"),
        ("license.rs", "source"),
        ("README.md", "other"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let texts = texts_of("a", &package("MIT", folder.path())).unwrap();
    assert_eq!(texts.iter().map(String::as_str).collect::<Vec<_>>(), ["one", "three", "two"]);
}

#[test]
fn only_apache_is_known_without_a_text() {
    let folder = tempfile::tempdir().unwrap();
    let texts = texts_of("a", &package("MIT/Apache-2.0", folder.path())).unwrap();
    let text = texts.first().unwrap();
    assert!(text.starts_with("Licensed under Apache-2.0 by Somebody."), "{text}");

    let error = texts_of("a", &package("MIT", folder.path())).unwrap_err();
    assert_eq!(error.to_string(), "a: no text of the licence MIT");
}
