//! The arguments of `ferrolb decode`.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::context::{Context, Family, PeerKind};

/// Arguments of `ferrolb decode`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct DecodeArgs {
    /// One message with its header, in hexadecimal, with or without blanks and colons; `-` reads it from stdin.
    #[arg(value_name = "HEX", required_unless_present_any = ["raw", "mrt", "pcap", "jsonl"])]
    pub hex: Vec<String>,
    /// A stream of messages, as sent over TCP in one direction; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hex", "mrt"])]
    pub raw: Option<PathBuf>,
    /// An MRT file (BGP4MP, TABLE_DUMP_V2), plain or in gzip or bzip2; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "hex")]
    pub mrt: Option<PathBuf>,
    /// A capture of TCP connections (pcap or pcapng), plain or in gzip or bzip2; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hex", "raw", "mrt"])]
    pub pcap: Option<PathBuf>,
    /// TCP port of BGP in the capture. Can be repeated.
    #[arg(long = "port", value_name = "PORT", default_values_t = [179], requires = "pcap")]
    pub ports: Vec<u16>,
    /// Use JSON lines: read requests from stdin and print an answer for each; with --raw, --mrt or --pcap, print an answer
    /// for each message.
    #[arg(long, conflicts_with = "hex")]
    pub jsonl: bool,
    /// Read AS numbers of two octets: one end lacks the four-octet capability.
    #[arg(long, conflicts_with = "mrt", help_heading = CONTEXT)]
    pub two_octet_as: bool,
    /// Sender of the messages.
    #[arg(long, value_enum, default_value = "ebgp", conflicts_with = "mrt", help_heading = CONTEXT)]
    pub peer: PeerKind,
    /// Negotiated address family, as AFI/SAFI. Can be repeated.
    #[arg(long = "family", value_name = "AFI/SAFI", default_values = ["1/1", "2/1"],
        conflicts_with = "mrt", help_heading = CONTEXT)]
    pub families: Vec<Family>,
    /// Address family whose routes have path identifiers (RFC 7911). Can be repeated.
    #[arg(long, value_name = "AFI/SAFI", conflicts_with = "mrt", help_heading = CONTEXT)]
    pub add_path: Vec<Family>,
    /// Allow messages of up to 65,535 octets (RFC 8654).
    #[arg(long, conflicts_with = "mrt", help_heading = CONTEXT)]
    pub extended_messages: bool,
    /// Allow IPv6 next hops for IPv4 routes (RFC 8950).
    #[arg(long, conflicts_with = "mrt", help_heading = CONTEXT)]
    pub extended_next_hop: bool,
}

impl DecodeArgs {
    /// Returns the context of the messages.
    pub(super) fn context(&self) -> Context {
        Context {
            asn4: !self.two_octet_as,
            peer: self.peer,
            families: self.families.clone(),
            addpath: self.add_path.clone(),
            ext_msg: self.extended_messages,
            ext_nh: self.extended_next_hop,
        }
    }

    /// Returns the text of HEX.
    pub(super) fn read_hex(&self) -> io::Result<String> {
        match self.hex.as_slice() {
            [only] if only == "-" => io::read_to_string(io::stdin().lock()),
            all => Ok(all.join(" ")),
        }
    }
}

const CONTEXT: &str =
    "Options of the session (an MRT file has its own, and so have the OPENs in a capture)";
