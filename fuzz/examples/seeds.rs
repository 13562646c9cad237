//! Writes the seed corpora: `cargo run -p fuzz --example seeds`.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in fuzz::TARGETS {
        let directory = corpus.join(target.name);
        fs::create_dir_all(&directory)?;
        for (name, octets) in fuzz::seeds::of(target.name) {
            fs::write(directory.join(format!("seed-{name}")), octets)?;
        }
    }
    Ok(())
}
