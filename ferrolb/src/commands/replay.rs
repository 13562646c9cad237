//! The command `ferrolb replay`: lines in, answers out.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use lb_adapter::recording::{self, Replay};

use crate::cli::Failure;
use crate::input::{ClusterArgs, lines, nothing, read};

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
    serde_json::to_writer(&mut *out, &replay.step(line))?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A cluster in which nothing of a recording has happened yet.
fn begin(text: &[u8], cluster: &ClusterArgs) -> Replay {
    nothing(cluster, lines(text).any(recording::is_sync))
}
