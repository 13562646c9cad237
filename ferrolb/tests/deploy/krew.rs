//! The krew manifest: its form, and that it promises no release that does not exist.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::documents::{one, text};

#[test]
fn the_plugin_has_the_form_that_krew_reads() {
    let manifest: Value = one("deploy/krew/ferrolb.yaml", "Plugin");
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    // krew derives the name of the file and of the command from it.
    assert_eq!(manifest["metadata"]["name"], "ferrolb");
    let spec = &manifest["spec"];
    let version = format!("v{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(spec["version"], version);
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 50 && !short.ends_with('.'), "{short}");
    assert!(spec["description"].as_str().unwrap().len() > short.len());

    let mut systems = BTreeSet::new();
    for platform in spec["platforms"].as_array().unwrap() {
        let labels = &platform["selector"]["matchLabels"];
        let (os, arch) = (labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
        systems.insert((os, arch));
        let uri = format!("@RELEASE@/ferrolb-{version}-{os}-{arch}.tar.gz");
        assert_eq!(platform["uri"], uri);
        assert_eq!(platform["sha256"], format!("@SHA256_{}@", arch.to_uppercase()));
        assert_eq!(platform["bin"], "ferrolb");
    }
    // Those for which deploy/Dockerfile builds the binary.
    assert_eq!(systems, BTreeSet::from([("linux", "amd64"), ("linux", "arm64")]));
    let manifest = text("deploy/krew/ferrolb.yaml");
    assert!(!manifest.contains("https://"), "there is no release yet");
}
