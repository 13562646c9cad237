//! `ferrolb replay`: the results of a recording's steps.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use lb_adapter::recording::{Replay, is_sync, lines};

use crate::Failure;
use crate::input::{ClusterArgs, empty_replay, read_file};
use crate::output::write_stdout;

/// Arguments of `ferrolb replay`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct ReplayArgs {
    /// The recording, with a JSON object on each line; `-` is stdin.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// The options of the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Answers each line of a recording.
///
/// # Errors
///
/// The recording cannot be read, or the answers cannot be written.
pub fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let text = read_file(&args.file)?;
    let has_sync = lines(&text).any(is_sync);
    let mut replay = empty_replay(&args.cluster, has_sync);

    write_stdout(|out| {
        let mut out = BufWriter::new(out);
        for line in lines(&text) {
            write_answer(&mut out, &mut replay, line)?;
        }
        Ok(())
    })
}

fn write_answer(out: &mut impl Write, replay: &mut Replay, line: &[u8]) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &replay.step(line))?;
    out.write_all(b"\n")?;
    out.flush()
}
