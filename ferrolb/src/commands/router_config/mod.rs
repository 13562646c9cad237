//! `ferrolb router-config`: the routers' side of the configuration.
//!
//! ```text
//! manifests ─► collect: the routers, with their neighbors and routes ─► a writer for each system
//! ```
//!
//! Owns the command and the texts. The configuration of the cluster says what the nodes announce, and the routers accept
//! nothing else. The nodes dial, so that the routers are passive.

mod args;
mod bird;
mod collect;
mod eos;
mod frr;
mod ios;
mod junos;
mod objects;
mod router;
mod routeros;

use lb_adapter::config::Severity;
use lb_adapter::manifest::{self, Manifests, Options};
use lb_adapter::model::Asn;

pub use args::{RouterConfigArgs, RouterSystem};
use collect::RouterSelection;
use objects::Objects;
use router::Router;

use crate::Failure;
use crate::output::{Problems, write_stdout};

/// Prints the configuration of the routers.
///
/// # Errors
///
/// The files have errors or cannot be read, or lack something that a router must know.
pub fn run(args: &RouterConfigArgs, problems: Problems) -> Result<(), Failure> {
    let manifests = read_manifests(args, problems)?;
    let selection = RouterSelection {
        peers: &args.peers,
        asn: args.asn.map(Asn),
        with_passwords: args.with_passwords,
    };
    let routers = collect::routers(&manifests, &selection).map_err(Failure::Unusable)?;
    warn_about_omissions(args, &manifests, &routers, problems);

    let usable: Vec<_> = routers.iter().filter(|router| !router.neighbors.is_empty()).collect();
    if usable.is_empty() && !routers.is_empty() {
        let message = "no Node can speak to a router: nothing is printed";
        return Err(Failure::Unusable(message.to_owned()));
    }

    let texts: Vec<String> = usable.into_iter().map(|router| args.system.write(router)).collect();
    write_stdout(|out| out.write_all(texts.join("\n").as_bytes()))
}

fn read_manifests(args: &RouterConfigArgs, problems: Problems) -> Result<Manifests, Failure> {
    let configuration = &args.cluster.configuration;
    let mut options = Options { lenient: true, ..configuration.manifests() };

    let Objects { name, sources, namespace } = match &args.from {
        Some(from) => objects::read(from)?,
        None if args.with_passwords => {
            let message =
                "a process does not reveal passwords: expected --from with --with-passwords";
            return Err(Failure::Unusable(message.to_owned()));
        }
        None => {
            // The recording of a process or a cluster has only one ConfigMap.
            options.config_map = None;
            objects::fetch(&args.process, configuration, problems)?
        }
    };
    options.namespace = namespace.unwrap_or(options.namespace);

    let examined = manifest::examine(&options, &name, &sources, Vec::new());
    if let Some(manifests) = examined.manifests {
        return Ok(manifests);
    }
    let mut errors = examined.problems;
    errors.retain(|problem| problem.severity == Severity::Error);
    problems.rejected(&errors, "nothing is printed");
    Err(Failure::Configuration)
}

/// Reports the peers and nodes that are missing in the output.
fn warn_about_omissions(
    args: &RouterConfigArgs,
    manifests: &Manifests,
    routers: &[Router],
    problems: Problems,
) {
    // A selected peer at an interface is an error.
    if args.peers.is_empty() {
        for peer in collect::interface_peers(&manifests.config) {
            let reason = "the router's configuration must name an interface of the router";
            problems.warning(&format!("nothing is printed for peer {}: {reason}", peer.name));
        }
    }
    for reason in routers.iter().flat_map(|router| &router.left_out) {
        problems.warning(&format!("left out: {reason}"));
    }
}

impl RouterSystem {
    fn write(self, router: &Router) -> String {
        match self {
            Self::Bird => bird::write(router),
            Self::Frr => frr::write(router),
            Self::Routeros6 => routeros::write_version_6(router),
            Self::Routeros7 => routeros::write_version_7(router),
            Self::Junos => junos::write(router),
            Self::Eos => eos::write(router),
        }
    }
}

#[cfg(test)]
mod tests;
