use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

/// An image for these architectures, and the folder with its files.
fn image(architectures: &[Architecture]) -> (Image, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut binaries = BTreeMap::new();
    for architecture in architectures {
        let path = folder.path().join(architecture.name());
        fs::write(&path, architecture.target()).unwrap();
        binaries.insert(*architecture, path);
    }
    let license = folder.path().join("LICENSE");
    fs::write(&license, "do what you want").unwrap();

    let image = Image {
        name: "ferrolb/ferrolb:1.2.3".to_owned(),
        revision: "abc".to_owned(),
        time: Timestamp::from_second(1_000_000_000).unwrap(),
        binaries,
        files: vec![license],
    };
    (image, folder)
}

fn archive(image: &Image) -> Vec<u8> {
    let mut archive = Vec::new();
    image.write(&mut archive).unwrap();
    archive
}

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert_eq!(entry.header().mtime().unwrap(), 1_000_000_000);
        files.insert(entry.path().unwrap().to_string_lossy().into_owned(), content);
    }
    files
}

/// The blob of a descriptor, as JSON. Size and digest must be those of the descriptor.
fn blob(files: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let blob = files[&format!("blobs/sha256/{digest}")].clone();
    assert_eq!(hexadecimal(&blob), digest);
    assert_eq!(descriptor["size"], blob.len());
    blob
}

fn json(files: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Value {
    serde_json::from_slice(&blob(files, descriptor)).unwrap()
}

#[test]
fn an_image_leads_from_the_index_to_the_binary() {
    let (image, _folder) = image(&[Architecture::Amd64]);
    let files = files(&archive(&image));
    assert_eq!(files["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);

    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let descriptor = &index["manifests"][0];
    assert_eq!(descriptor["annotations"]["org.opencontainers.image.ref.name"], "1.2.3");
    let manifest = json(&files, descriptor);
    let config = json(&files, &manifest["config"]);
    assert_eq!(config["architecture"], "amd64");
    assert_eq!(config["config"]["Entrypoint"], json!(["/ferrolb"]));
    assert_eq!(config["created"], "2001-09-09T01:46:40Z");

    let mut layer = Vec::new();
    let packed = blob(&files, &manifest["layers"][0]);
    GzDecoder::new(&*packed).read_to_end(&mut layer).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", hexadecimal(&layer)));
    let mut modes = BTreeMap::new();
    for entry in tar::Archive::new(&*layer).entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        modes.insert(name, entry.header().mode().unwrap());
    }
    assert_eq!(
        modes,
        BTreeMap::from([("LICENSE".to_owned(), 0o644), ("ferrolb".to_owned(), 0o755)])
    );
}

#[test]
fn an_image_for_two_architectures_has_a_list_of_them() {
    let (image, _folder) = image(&[Architecture::Amd64, Architecture::Arm64]);
    let files = files(&archive(&image));
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);

    let list = json(&files, &index["manifests"][0]);
    let platforms: Vec<_> = list["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["platform"]["architecture"])
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    for descriptor in list["manifests"].as_array().unwrap() {
        let manifest = json(&files, descriptor);
        let config = json(&files, &manifest["config"]);
        assert_eq!(config["architecture"], descriptor["platform"]["architecture"]);
    }
}

#[test]
fn equal_files_in_other_folders_give_an_equal_image() {
    let (one, _folder) = image(&[Architecture::Amd64]);
    let (other, _other_folder) = image(&[Architecture::Amd64]);
    assert_eq!(archive(&one), archive(&other));
}
