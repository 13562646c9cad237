//! The image as an OCI archive: a tar file with the layout of the image specification, which `skopeo`, `podman load`, `ctr image
//! import` and new versions of `docker load` read. No daemon and no registry takes part.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::architecture::Architecture;
use crate::error::Error;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What an image is made of.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the command line makes it")]
pub struct Image {
    /// The repository and the tag, such as `ferrolb/ferrolb:0.1.0`.
    pub name: String,
    /// The commit of the sources.
    pub revision: String,
    /// The time of that commit.
    pub time: Timestamp,
    /// The binary for each architecture.
    pub binaries: BTreeMap<Architecture, PathBuf>,
    /// More files, which lie at the top of the image under the names that they have.
    pub files: Vec<PathBuf>,
}

/// Blobs by their digest, which are the files of a layout.
#[derive(Debug, Default)]
struct Blobs(BTreeMap<String, Vec<u8>>);

impl Blobs {
    /// Adds a blob. Returns its descriptor.
    fn add(&mut self, media_type: &str, blob: Vec<u8>) -> Value {
        let digest = hexadecimal(&blob);
        let descriptor = json!({
            "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": blob.len(),
        });
        self.0.insert(digest, blob);
        descriptor
    }

    fn add_json(&mut self, media_type: &str, value: &Value) -> Value {
        self.add(media_type, value.to_string().into_bytes())
    }
}

impl Image {
    /// Writes the archive.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or `output` not written.
    pub fn write(&self, output: impl Write) -> Result<(), Error> {
        let mut blobs = Blobs::default();
        let mut manifests = Vec::new();
        for (architecture, binary) in &self.binaries {
            manifests.push(self.manifest(*architecture, binary, &mut blobs)?);
        }

        // One architecture needs no list of them.
        let mut image = if manifests.len() == 1 {
            manifests.remove(0)
        } else {
            let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
            blobs.add_json(INDEX, &list)
        };
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        image["annotations"] = json!({
            "org.opencontainers.image.ref.name": tag,
            // The name after an import into containerd.
            "io.containerd.image.name": format!("docker.io/{}", self.name),
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image]});

        let mut archive = tar::Builder::new(output);
        append(&mut archive, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#, self.time)?;
        append(&mut archive, "index.json", 0o644, index.to_string().as_bytes(), self.time)?;
        for (digest, blob) in &blobs.0 {
            append(&mut archive, &format!("blobs/sha256/{digest}"), 0o644, blob, self.time)?;
        }
        archive.into_inner()?.flush()?;
        Ok(())
    }

    /// Adds the blobs of one architecture. Returns the descriptor of its manifest.
    fn manifest(
        &self,
        architecture: Architecture,
        binary: &Path,
        blobs: &mut Blobs,
    ) -> Result<Value, Error> {
        let layer = self.layer(binary)?;
        let diff_id = format!("sha256:{}", hexadecimal(&layer));
        // The header of gzip has no name and no time.
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
        gzip.write_all(&layer)?;
        let layer = blobs.add(LAYER, gzip.finish()?);

        let (_, version) = self.name.rsplit_once(':').unwrap_or((&self.name, "latest"));
        let config = json!({
            "architecture": architecture.name(),
            "os": "linux",
            "created": self.time.to_string(),
            "config": {
                // Numbers, so that Kubernetes can check that it is not root.
                "User": "65534:65534",
                "Entrypoint": ["/ferrolb"],
                "Labels": {
                    "org.opencontainers.image.title": "FerroLB",
                    "org.opencontainers.image.description":
                        "Load balancer for Kubernetes on bare metal: addresses for Services, announced by BGP",
                    "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
                    "org.opencontainers.image.version": version,
                    "org.opencontainers.image.revision": self.revision,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        let config = blobs.add_json(CONFIG, &config);

        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        let mut descriptor = blobs.add_json(MANIFEST, &manifest);
        descriptor["platform"] = json!({"architecture": architecture.name(), "os": "linux"});
        Ok(descriptor)
    }

    fn layer(&self, binary: &Path) -> Result<Vec<u8>, Error> {
        let mut layer = tar::Builder::new(Vec::new());
        let content = fs::read(binary).map_err(Error::file(binary))?;
        append(&mut layer, "ferrolb", 0o755, &content, self.time)?;
        for path in &self.files {
            let content = fs::read(path).map_err(Error::file(path))?;
            let name = path.file_name().and_then(|name| name.to_str());
            let name =
                name.ok_or_else(|| Error::unexpected(path.display().to_string(), "no name"))?;
            append(&mut layer, name, 0o644, &content, self.time)?;
        }
        Ok(layer.into_inner()?)
    }
}

/// Adds a file of root's.
fn append(
    archive: &mut tar::Builder<impl Write>,
    name: &str,
    mode: u32,
    content: &[u8],
    time: Timestamp,
) -> Result<(), Error> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_mtime(u64::try_from(time.as_second()).unwrap_or(0));
    header.set_uid(0);
    header.set_gid(0);
    Ok(archive.append_data(&mut header, name, content)?)
}

fn hexadecimal(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
