//! The arguments of `ferrolb router-config`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::input::{ClusterArgs, ProcessArgs};

/// Arguments of `ferrolb router-config`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct RouterConfigArgs {
    /// System of the router.
    #[arg(long = "for", value_enum, value_name = "SYSTEM")]
    pub system: RouterSystem,
    /// Directory with the manifests, including Nodes; or a recording, with one step of JSON per line; `-` is stdin.
    /// Default: ask the process at --url, or --cluster.
    #[arg(long, value_name = "DIR|RECORDING", env = "FERROLB_DIR")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub from: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Print only the router of this peer. Repeat the option to join several peers into one router. By default, an IPv4 and
    /// an IPv6 peer with the same AS and nodes are one router, unless another peer has the same AS and nodes too.
    #[arg(long = "peer", value_name = "NAME")]
    pub peers: Vec<String>,
    /// AS of the router, for peers that may be in any external AS.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub asn: Option<u32>,
    /// Print passwords, instead of the word PASSWORD.
    #[arg(long)]
    pub with_passwords: bool,
    /// The options of the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The operating system or routing daemon of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "an argument, which only the binary uses")]
pub enum RouterSystem {
    /// BIRD 2.
    Bird,
    /// FRRouting.
    Frr,
    /// MikroTik RouterOS 6.
    Routeros6,
    /// MikroTik RouterOS 7.
    Routeros7,
    /// Juniper Junos.
    Junos,
    /// Arista EOS.
    Eos,
}
