//! `ferrolb support-bundle`: everything that a process says about itself, in one archive without secrets.
//!
//! ```text
//! support_bundle   the arguments, and the file
//!   collect        the answers of the process, their bounds, and those that fail
//!   host           facts about the machine and the process, from the kernel
//!   redact         what must not leave the machine
//!   archive        the archive, and the names of its files
//! ```
//!
//! Reads only. An answer that fails is noted in the archive, since the process may be in trouble.

mod archive;
mod collect;
mod host;
mod redact;

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use ferrolb_api::Timestamp;

use crate::Failure;
use crate::input::{ClusterNodeArgs, Found, InClusterArgs, PlaceArgs};
use crate::output::{Problems, counted, write_stdout};

use archive::{Archive, safe_name};
use collect::Collector;

/// Arguments of `ferrolb support-bundle`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct SupportBundleArgs {
    /// The file to write, which must not exist yet; `-` for stdout. Default: ferrolb-NODE-TIME.tar.gz in the current directory.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The cluster to ask instead.
    #[command(flatten)]
    pub cluster: InClusterArgs,
    /// The speaker, in a cluster.
    #[command(flatten)]
    pub node: ClusterNodeArgs,
}

/// Writes the archive, and prints its path.
///
/// # Errors
///
/// It is not clear which process to ask, or the file exists or cannot be written. A process that does not answer is no error.
pub async fn run(args: &SupportBundleArgs, problems: Problems) -> Result<(), Failure> {
    let Found { client, note } =
        args.cluster.find(&args.place, args.node.of(&args.cluster)?).await?;
    let time = Timestamp::now();

    let mut collector = Collector::new(&client);
    if let Some(note) = note {
        collector.note(note);
    }
    let label = collector.label().await;
    let root = format!("ferrolb-{}-{}", safe_name(&label), time.strftime("%Y%m%dT%H%M%SZ"));

    let target = Target::open(args.output.as_deref(), &root)?;
    let mut archive = Archive::new(root, time);
    let collected = collector.collect(&mut archive, time).await;
    let written = match collected {
        Ok(()) => archive.finish().and_then(|octets| target.write(&octets)),
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        return Err(target.abandon(&error));
    }

    let failed = collector.failed();
    if failed > 0 {
        let answers = counted(failed, "answer is", "answers are");
        problems.warning(&format!("{answers} missing: errors.txt in the archive has the reasons"));
    }
    match target {
        Target::Stdout => Ok(()),
        Target::File(path, _) => write_stdout(|out| writeln!(out, "{}", path.display())),
    }
}

/// The place of the archive.
enum Target {
    Stdout,
    File(PathBuf, File),
}

impl Target {
    /// Opens the place before anything is asked, so that an error shows at once.
    fn open(output: Option<&Path>, root: &str) -> Result<Self, Failure> {
        let path = match output {
            Some(path) if path.as_os_str() == "-" => {
                if io::stdout().is_terminal() {
                    let error = "--output -: stdout is a terminal, expected a file or a pipe";
                    return Err(Failure::Unusable(error.to_owned()));
                }
                return Ok(Self::Stdout);
            }
            Some(path) => path.to_owned(),
            None => PathBuf::from(format!("{root}.tar.gz")),
        };

        // Only the user may read it: it has no passwords, but it describes the network.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match opened {
            Ok(file) => Ok(Self::File(path, file)),
            Err(error) => Err(Failure::Unusable(format!("--output {}: {error}", path.display()))),
        }
    }

    fn write(&self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(octets)?;
                stdout.flush()
            }
            Self::File(_, file) => {
                let mut file = file;
                file.write_all(octets)
            }
        }
    }

    /// Removes a file that is not complete. Returns the failure of the command.
    fn abandon(&self, error: &io::Error) -> Failure {
        match self {
            Self::Stdout => Failure::Unusable(format!("cannot write to stdout: {error}")),
            Self::File(path, _) => {
                // The error that made the file useless is the one to report.
                let _ = fs::remove_file(path);
                Failure::Unusable(format!("--output {}: {error}", path.display()))
            }
        }
    }
}
