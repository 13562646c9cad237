//! The files of the repository, and the objects in them.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the repository.
pub(crate) fn text(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All objects of a YAML file.
pub(crate) fn documents(path: &str) -> Vec<Value> {
    parse(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All objects of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The one object of this kind in a file.
pub(crate) fn one(path: &str, kind: &str) -> Value {
    let mut found: Vec<_> =
        documents(path).into_iter().filter(|document| document["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{path}: {kind}");
    found.remove(0)
}

/// The files with this extension below a folder, relative to the repository.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no {ending} in {folder}");
    found
}

/// The YAML files that are not templates.
pub(crate) fn plain_yaml() -> Vec<String> {
    let mut files = files("deploy", ".yaml");
    files.retain(|path| !path.contains("/templates/") && !path.ends_with("/files/alerts.yaml"));
    files
}
