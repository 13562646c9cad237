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
    let begin = |has_sync| empty_replay(&args.cluster, has_sync);
    write_stdout(|out| answer(&text, begin, &mut BufWriter::new(out)))
}

/// Writes the answer to each line of a recording. `begin` makes the empty cluster, and learns whether the recording has a step
/// `sync`.
///
/// # Errors
///
/// An answer cannot be written.
pub fn answer(
    recording: &[u8],
    begin: impl FnOnce(bool) -> Replay,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut replay = begin(lines(recording).any(is_sync));
    for line in lines(recording) {
        write_answer(out, &mut replay, line)?;
    }
    Ok(())
}

fn write_answer(out: &mut impl Write, replay: &mut Replay, line: &[u8]) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &replay.step(line))?;
    out.write_all(b"\n")?;
    out.flush()
}
