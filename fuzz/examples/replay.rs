//! Runs the oracle of one target on files and on all files of directories: `cargo run -p fuzz --example replay -- TARGET PATH..`.

use std::io::{Error, Result, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1);
    let name = arguments.next().unwrap_or_default();
    let target = fuzz::TARGETS.iter().find(|target| name == target.name);
    let target = target.ok_or_else(|| Error::other(format!("there is no target {name:?}")))?;

    let mut count = 0;
    for path in arguments {
        for file in files(Path::new(&path))? {
            (target.check)(&fs::read(file)?);
            count += 1;
        }
    }
    writeln!(std::io::stdout(), "{}: {count} inputs", target.name)
}

/// The files of a directory, or the file itself.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect()
}
