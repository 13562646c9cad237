//! `ferrolb router-config`: the other side's configuration.
//!
//! ```text
//! manifests ──► facts: who speaks to which router, and what may be heard ──► one writer per system
//! ```
//!
//! Owns the command and the texts. What the nodes announce is decided elsewhere; here it is turned
//! into what a router should accept of them. Nodes dial, so that routers wait for them.

mod bird;
mod eos;
mod facts;
mod frr;
mod ios;
mod junos;
mod recording;
mod routeros;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Failure;
use crate::input::ClusterArgs;
use crate::input::ProcessArgs;
use crate::output::Problems;
use facts::Router;
use lb_adapter::config::Severity;
use lb_adapter::manifest::{self, Options};
use lb_adapter::model::Asn;

/// Arguments of `ferrolb router-config`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct RouterConfigArgs {
    /// What runs on the router.
    #[arg(long = "for", value_enum, value_name = "SYSTEM")]
    pub system: System,
    /// Directory with the manifests, Nodes among them; or a recording, one step of JSON a line; `-` is
    /// stdin. Default: ask the process at --url, or --cluster.
    #[arg(long, value_name = "DIR|RECORDING", env = "FERROLB_DIR")]
    #[cfg_attr(feature = "kubernetes", arg(conflicts_with = "api_server"))]
    pub from: Option<PathBuf>,
    /// The process to ask.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Only the router that this peer is. Given several times, these peers are one router: an IPv4 and an
    /// IPv6 peer of one AS and the same nodes are taken for one where no other fits.
    #[arg(long = "peer", value_name = "NAME")]
    pub peers: Vec<String>,
    /// AS of the router, where the peer's is any external one.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub asn: Option<u32>,
    /// Print passwords. Otherwise the word PASSWORD stands in their place.
    #[arg(long)]
    pub with_passwords: bool,
    /// What a cluster is like.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// A routing system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "arguments of the binary, which is all that uses it")]
pub enum System {
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

/// Prints the configuration of the routers.
///
/// # Errors
///
/// The files have errors or cannot be read, or do not say what a router must know.
pub fn run(args: &RouterConfigArgs, problems: Problems) -> Result<(), Failure> {
    let configuration = &args.cluster.configuration;
    let mut found = None;
    let (name, sources) = match &args.from {
        Some(from) => (manifest::shown(from), recording::sources(from)?),
        None if args.with_passwords => {
            let why = "a process tells no passwords: expected --from with --with-passwords";
            return Err(Failure::Unusable(why.to_owned()));
        }
        None => {
            let (sources, namespace) = recording::asked(&args.process, configuration, problems)?;
            found = namespace;
            (args.process.name(), sources)
        }
    };

    let mut options = Options { lenient: true, ..configuration.manifests() };
    if args.from.is_none() {
        // The recording of a process or a cluster has one ConfigMap only.
        options.config_map = None;
        options.namespace = found.unwrap_or(options.namespace);
    }
    let examined = manifest::examine(&options, &name, &sources, Vec::new());
    let Some(manifests) = examined.manifests else {
        let errors: Vec<_> =
            examined.problems.into_iter().filter(|it| it.severity == Severity::Error).collect();
        problems.rejected(&errors, "nothing is printed");
        return Err(Failure::Configuration);
    };

    let wanted = facts::Wanted {
        peers: &args.peers,
        asn: args.asn.map(Asn),
        with_passwords: args.with_passwords,
    };
    let routers = facts::of(&manifests, &wanted).map_err(Failure::Unusable)?;

    let unsaid = facts::at_interfaces(&manifests.config).filter(|_| args.peers.is_empty());
    for peer in unsaid {
        let why = "the router's side is an interface of its own";
        problems.warning(&format!("nothing is printed for peer {}: {why}", peer.name));
    }
    for why in routers.iter().flat_map(|router| &router.left_out) {
        problems.warning(&format!("left out: {why}"));
    }

    let met: Vec<_> = routers.iter().filter(|router| !router.neighbors.is_empty()).collect();
    if met.is_empty() && !routers.is_empty() {
        return Err(Failure::Unusable(
            "no Node can speak to a router: nothing is printed".to_owned(),
        ));
    }
    let texts: Vec<String> = met.into_iter().map(|router| args.system.write(router)).collect();
    match io::stdout().lock().write_all(texts.join("\n").as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Unusable(format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}

impl System {
    fn write(self, router: &Router) -> String {
        match self {
            Self::Bird => bird::write(router),
            Self::Frr => frr::write(router),
            Self::Routeros6 => routeros::write_6(router),
            Self::Routeros7 => routeros::write_7(router),
            Self::Junos => junos::write(router),
            Self::Eos => eos::write(router),
        }
    }
}

#[cfg(test)]
mod tests;
