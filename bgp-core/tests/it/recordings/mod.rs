//! Real messages, recorded by public route collectors and daemons.
//!
//! The recordings are in `../shared/data/mrt` next to the workspace. If they are missing, a test prints a note and passes.

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

/// Decompresses a file. The flag is true if the file is complete.
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

/// Calls `each` for every message of a file with the context of its session. The routes of a table are converted to UPDATEs.
fn for_each_message(file: &[u8], mut each: impl FnMut(WireContext, &[u8])) {
    let mut sessions = Sessions::new();
    let mut out = BytesMut::new();
    for record in Records::new(file) {
        match record.content().unwrap() {
            RecordContent::Message(recorded) => each(sessions.context(&recorded), recorded.octets),
            RecordContent::Rib(rib) => {
                for entry in rib.entries() {
                    out.clear();
                    assert!(
                        rib.encode_update(&entry, &mut out),
                        "a route that cannot be converted to an UPDATE"
                    );
                    each(rib.context(), &out);
                }
            }
            _ => {}
        }
    }
}
