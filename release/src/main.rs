//! The command line of `scripts/release`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ferrolb_release::architecture::Architecture;
use ferrolb_release::audit;
use ferrolb_release::error::Error;
use ferrolb_release::graph::Graph;
use ferrolb_release::image::Image;
use ferrolb_release::sbom;
use ferrolb_release::third_party;
use ferrolb_release::toolchain::Toolchain;
use jiff::Timestamp;

/// Makes what accompanies the binary in a release.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the components of the binary as CycloneDX.
    Sbom {
        /// The architecture of the binary.
        architecture: Architecture,
        /// The time of the commit, in seconds since 1970.
        #[arg(long, env = "SOURCE_DATE_EPOCH")]
        time: i64,
    },
    /// Prints the licences of what the binaries contain.
    ThirdParty {
        /// The architectures of the binaries.
        #[arg(required = true)]
        architectures: Vec<Architecture>,
    },
    /// Compares the list of dependencies in a binary with what Cargo says.
    Audit {
        /// The architecture of the binary.
        architecture: Architecture,
        /// A file with the content of the section `.dep-v0`.
        section: PathBuf,
    },
    /// Writes the image as an OCI archive.
    Image {
        /// The file to write.
        #[arg(long)]
        output: PathBuf,
        /// The repository and the tag.
        #[arg(long)]
        name: String,
        /// The commit of the sources.
        #[arg(long)]
        revision: String,
        /// The time of the commit, in seconds since 1970.
        #[arg(long, env = "SOURCE_DATE_EPOCH")]
        time: i64,
        /// More files for the top of the image.
        #[arg(long = "file")]
        files: Vec<PathBuf>,
        /// The binaries, such as `amd64=FILE`.
        #[arg(required = true, value_parser = binary)]
        binaries: Vec<(Architecture, PathBuf)>,
    },
}

fn binary(text: &str) -> Result<(Architecture, PathBuf), String> {
    let (architecture, path) = text.split_once('=').ok_or("expected ARCHITECTURE=FILE")?;
    Ok((clap::ValueEnum::from_str(architecture, false)?, path.into()))
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do if standard error is closed.
            let _ = writeln!(io::stderr(), "ferrolb-release: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Sbom { architecture, time } => {
            let graph = Graph::resolve(architecture)?;
            let document = sbom::document(&graph, &Toolchain::of(architecture)?, instant(time)?);
            writeln!(io::stdout(), "{document:#}")?;
        }

        Command::ThirdParty { architectures } => {
            let graphs: Result<Vec<_>, _> =
                architectures.iter().map(|it| Graph::resolve(*it)).collect();
            let toolchain = Toolchain::of(architectures[0])?;
            write!(io::stdout(), "{}", third_party::text(&graphs?, &toolchain)?)?;
        }

        Command::Audit { architecture, section } => {
            let content =
                fs::read(&section).map_err(|error| Error::File { path: section.clone(), error })?;
            let (count, more) = audit::check(&content, &Graph::resolve(architecture)?)?;
            writeln!(io::stdout(), "the binary lists {count} packages")?;
            for id in more {
                writeln!(io::stdout(), "not in the graph: {} {}", id.name, id.version)?;
            }
        }

        Command::Image { output, name, revision, time, files, binaries } => {
            let binaries: BTreeMap<_, _> = binaries.into_iter().collect();
            let image = Image { name, revision, time: instant(time)?, binaries, files };
            let file = File::create(&output)
                .map_err(|error| Error::File { path: output.clone(), error })?;
            image.write(BufWriter::new(file))?;
        }
    }
    Ok(())
}

fn instant(seconds: i64) -> Result<Timestamp, Error> {
    Timestamp::from_second(seconds).map_err(|error| Error::Unexpected {
        what: "the time".to_owned(),
        message: error.to_string(),
    })
}
