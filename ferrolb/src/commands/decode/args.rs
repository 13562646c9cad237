//! `ferrolb decode` on the command line.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Context, Family, Form, Peer, Skipped};
use crate::Failure;

/// Arguments of `ferrolb decode`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct DecodeArgs {
    /// One message with its header, as hexadecimal digits, blanks and colons between them or not;
    /// `-` reads them from stdin.
    #[arg(value_name = "HEX", required_unless_present_any = ["raw", "mrt", "jsonl"])]
    pub hex: Vec<String>,
    /// A stream of messages as they went over TCP in one direction; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hex", "mrt"])]
    pub raw: Option<PathBuf>,
    /// An MRT file (BGP4MP, TABLE_DUMP_V2), also in gzip or bzip2; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "hex")]
    pub mrt: Option<PathBuf>,
    /// JSON lines: of stdin to stdout, an answer for each line; of --raw and --mrt, an answer for
    /// each message.
    #[arg(long, conflicts_with = "hex")]
    pub jsonl: bool,
    /// AS numbers have two octets: one end has no four-octet capability.
    #[arg(long, conflicts_with = "mrt", help_heading = CONTEXT)]
    pub two_octet_as: bool,
    /// Who sent the messages.
    #[arg(long, value_enum, default_value = "ebgp", conflicts_with = "mrt", help_heading = CONTEXT)]
    pub peer: Peer,
    /// An address family that was negotiated, as AFI/SAFI; may be given again.
    #[arg(long = "family", value_name = "AFI/SAFI", default_values = ["1/1", "2/1"],
        conflicts_with = "mrt", help_heading = CONTEXT)]
    pub families: Vec<Family>,
    /// A family whose routes carry path identifiers (RFC 7911); may be given again.
    #[arg(long, value_name = "AFI/SAFI", conflicts_with = "mrt", help_heading = CONTEXT)]
    pub add_path: Vec<Family>,
    /// Messages may have up to 65,535 octets (RFC 8654).
    #[arg(long, conflicts_with = "mrt", help_heading = CONTEXT)]
    pub extended_messages: bool,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    #[arg(long, conflicts_with = "mrt", help_heading = CONTEXT)]
    pub extended_next_hop: bool,
}

/// Does what the arguments ask for.
///
/// # Errors
///
/// What could not be read or written, or is no hexadecimal; or that HEX is not one message.
pub fn run(args: &DecodeArgs) -> Result<(), Failure> {
    let output = BufWriter::new(io::stdout().lock());
    match decode(args, output) {
        // Whoever reads has seen enough.
        Err(Problem { error, .. }) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Problem { of, error }) => Err(Failure::Unusable(format!("{of}: {error}"))),
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Undecoded),
    }
}

struct Problem {
    of: String,
    error: io::Error,
}

/// Whether everything was a message that was asked to be one.
fn decode(args: &DecodeArgs, mut output: impl Write) -> Result<bool, Problem> {
    let context = args.context();
    let form = if args.jsonl { Form::Json } else { Form::Text };
    let of = |name: &str| {
        let of = name.to_owned();
        move |error| Problem { of, error }
    };
    let mut whole = true;
    if let Some(path) = &args.mrt {
        let file = || path.display().to_string();
        let input = open(path).map_err(of(&file()))?;
        let skipped = super::mrt(input, form, &mut output).map_err(of(&file()))?;
        warn(&file(), skipped);
    } else if let Some(path) = &args.raw {
        let file = path.display().to_string();
        let input = open(path).map_err(of(&file))?;
        super::stream(input, &context, form, &mut output).map_err(of(&file))?;
    } else if args.jsonl {
        super::lines(io::stdin().lock(), &context, &mut output).map_err(of("stdin"))?;
    } else {
        let digits = args.digits().map_err(of("stdin"))?;
        whole = super::digits(&digits, &context, &mut output).map_err(of("HEX"))?;
    }
    output.flush().map_err(of("stdout"))?;
    Ok(whole)
}

/// What of a file is not among the answers is told on stderr.
fn warn(file: &str, skipped: Skipped) {
    if skipped.malformed_records > 0 {
        tracing::warn!("{file}: {} records do not fit their length", skipped.malformed_records);
    }
    if skipped.cut {
        tracing::warn!("{file}: ends within a record");
    }
}

fn open(path: &Path) -> io::Result<Box<dyn io::BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

impl DecodeArgs {
    fn context(&self) -> Context {
        Context {
            asn4: !self.two_octet_as,
            peer: self.peer,
            families: self.families.clone(),
            addpath: self.add_path.clone(),
            ext_msg: self.extended_messages,
            ext_nh: self.extended_next_hop,
        }
    }

    fn digits(&self) -> io::Result<String> {
        match self.hex.as_slice() {
            [only] if only == "-" => io::read_to_string(io::stdin().lock()),
            all => Ok(all.join(" ")),
        }
    }
}

const CONTEXT: &str = "What the session negotiated (an MRT file says so itself)";
