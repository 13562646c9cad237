//! Real messages: what public route collectors and daemons recorded, where their recordings are at hand.
//!
//! They are looked for in `../shared/data/mrt` beside the workspace. Where they are not, a test says so and passes.

mod bgpdump;
mod counts;
mod verdicts;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bgp_core::mrt::{RecordContent, Records, Sessions};
use bgp_core::wire::WireContext;
use bytes::BytesMut;

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn recordings() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mrt");
    if !directory.is_dir() {
        eprintln!("skipped: no recordings in ../shared/data/mrt");
        return None;
    }
    Some(directory)
}

/// A file, uncompressed; and whether it ends properly.
fn unpacked(path: &Path) -> (Vec<u8>, bool) {
    let packed = fs::read(path).unwrap();
    let mut octets = Vec::new();
    let read = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut octets),
        Some("bz2") => bzip2::read::MultiBzDecoder::new(&packed[..]).read_to_end(&mut octets),
        _ => return (packed, true),
    };
    (octets, read.is_ok())
}

fn text(path: &Path) -> String {
    String::from_utf8(unpacked(path).0).unwrap()
}

/// Every message of a file with what its session negotiated, tables as the UPDATEs that would have brought their routes.
fn for_each_message(file: &[u8], mut each: impl FnMut(WireContext, &[u8])) {
    let mut sessions = Sessions::new();
    let mut out = BytesMut::new();
    for record in Records::new(file) {
        match record.content().unwrap() {
            RecordContent::Message(recorded) => each(sessions.context(&recorded), recorded.octets),
            RecordContent::Rib(rib) => {
                for entry in rib.entries() {
                    out.clear();
                    assert!(rib.encode_update(&entry, &mut out), "a route that makes no UPDATE");
                    each(rib.context(), &out);
                }
            }
            _ => {}
        }
    }
}
