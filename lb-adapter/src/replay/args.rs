//! The command `ferrolb replay`: lines in, answers out.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Replay;
use crate::cluster::ClusterArgs;
use crate::failure::Failure;
use crate::manifest::{is_stdin, shown};

/// Arguments of `ferrolb replay`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct ReplayArgs {
    /// The recording, a JSON object on each line; `-` is stdin.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// What a cluster is like.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Answers each line of a recording.
///
/// # Errors
///
/// The recording cannot be read, or the answers cannot be written.
pub fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let text = read(&args.file)?;
    let mut replay = begin(&text, &args.cluster);
    let mut out = BufWriter::new(io::stdout().lock());
    for line in lines(&text) {
        let written = write(&mut out, &mut replay, line);
        if let Err(error) = written {
            // Whoever reads has had enough.
            let closed = error.kind() == io::ErrorKind::BrokenPipe;
            return if closed { Ok(()) } else { Err(Failure::unusable(error)) };
        }
    }
    Ok(())
}

fn write(out: &mut impl Write, replay: &mut Replay, line: &[u8]) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &replay.line(line))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A cluster in which nothing of a recording has happened yet.
fn begin(text: &[u8], cluster: &ClusterArgs) -> Replay {
    nothing(cluster, lines(text).any(super::is_sync))
}

/// A cluster of which nothing is known yet. If a sync is to come, no addresses are given out before it.
pub(crate) fn nothing(cluster: &ClusterArgs, sync_comes: bool) -> Replay {
    let configuration = &cluster.configuration;
    Replay::new(configuration.namespace(), cluster.options(), sync_comes)
        .with_config_map(configuration.config_map())
}

/// Reads a file, or stdin for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = match is_stdin(path) {
        true => io::stdin().lock().read_to_end(&mut text),
        false => File::open(path).and_then(|mut file| file.read_to_end(&mut text)),
    };
    read.map_err(|error| Failure::Unusable(format!("cannot read {}: {error}", shown(path))))?;
    Ok(text)
}

/// The lines of a text; what is after the last line break is one if there is anything.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split_inclusive(|octet| *octet == b'\n');
    lines.map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}
