//! The name under which kubectl runs this program, and what changes then: commands ask the cluster of the kubeconfig.

use std::ffi::OsStr;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command};
use crate::input::{InClusterArgs, PlaceArgs, ProcessArgs, ViewArgs};

impl Cli {
    /// Reads the command line of this process, also if it runs as a plugin of kubectl. Ends the process after an error or help.
    pub fn parse_as_invoked() -> Self {
        let is_plugin = std::env::args_os().next().is_some_and(|name| is_plugin_name(&name));
        let mut definition = Self::command();
        if is_plugin {
            definition = definition.bin_name("kubectl ferrolb");
        }

        let matches = definition.get_matches_mut();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if is_plugin && let Err(reason) = cli.command.ask_cluster() {
            definition.error(ErrorKind::InvalidSubcommand, reason).exit();
        }
        cli
    }
}

/// Returns true for the names that kubectl gives to a plugin `ferrolb`.
fn is_plugin_name(program: &OsStr) -> bool {
    let name = Path::new(program).file_stem().unwrap_or_default();
    name == "kubectl-ferrolb" || name == "kubectl_ferrolb"
}

impl Command {
    /// Lets a command ask the cluster, unless its arguments name something else.
    ///
    /// # Errors
    ///
    /// A process takes the command only over its Unix socket.
    fn ask_cluster(&mut self) -> Result<(), &'static str> {
        match self {
            Self::Status(args) => args.view.ask_cluster(),
            Self::Peers(args) => args.view.ask_cluster(),
            Self::Routes(args) => args.view.ask_cluster(),
            Self::Services(args) => args.view.ask_cluster(),
            Self::Pools(args) => args.view.ask_cluster(),
            Self::Bfd(args) => args.view.ask_cluster(),
            Self::Events(args) => args.cluster.ask_instead_of(&args.place),
            #[cfg(feature = "bundle")]
            Self::SupportBundle(args) => args.cluster.ask_instead_of(&args.place),
            Self::Explain(args) if args.from.is_none() => args.process.ask_cluster(),
            Self::Diff(args) if args.from.is_none() && args.old.is_none() => {
                args.process.ask_cluster();
            }
            Self::RouterConfig(args) if args.from.is_none() => args.process.ask_cluster(),
            Self::Peer(_)
            | Self::Refresh(_)
            | Self::LogLevel(_)
            | Self::Drain(_)
            | Self::Undrain(_) => {
                return Err(ONLY_READS);
            }
            _ => {}
        }
        Ok(())
    }
}

impl ViewArgs {
    fn ask_cluster(&mut self) {
        self.cluster.ask_instead_of(&self.place);
    }
}

impl ProcessArgs {
    fn ask_cluster(&mut self) {
        if !self.place.is_named() {
            self.api_server.of_cluster = true;
        }
    }
}

impl InClusterArgs {
    fn ask_instead_of(&mut self, place: &PlaceArgs) {
        if !place.is_named() {
            self.api_server.of_cluster = true;
        }
    }
}

const ONLY_READS: &str = "as a plugin of kubectl, this program only reads: a process takes actions over its Unix socket, \
     by `ferrolb` on its node; the annotation or taint of docs/kubernetes.md drains a node of a cluster";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn kubectl_s_names_for_a_plugin_are_known() {
        for name in [
            "kubectl-ferrolb",
            "/usr/local/bin/kubectl-ferrolb",
            "kubectl_ferrolb",
            "kubectl-ferrolb.exe",
        ] {
            assert!(is_plugin_name(OsStr::new(name)), "{name}");
        }
        for name in ["ferrolb", "/opt/kubectl-ferrolb/ferrolb", "kubectl-ferrolb2", ""] {
            assert!(!is_plugin_name(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_plugin_asks_the_cluster_unless_something_else_is_named() {
        let asks = |arguments: &[&str]| {
            let mut cli = Cli::parse_from([&["ferrolb"], arguments].concat());
            cli.command.ask_cluster().map(|()| match &cli.command {
                Command::Status(args) => args.view.cluster.is_given(),
                Command::Events(args) => args.cluster.is_given(),
                Command::Explain(args) => args.process.is_cluster(),
                Command::Diff(args) => args.process.is_cluster(),
                other => panic!("{other:?}"),
            })
        };
        for arguments in [
            &["status"][..],
            &["events"],
            &["explain", "mail/smtp"],
            &["diff", "new.yaml"],
            &["diff", "--drain", "kube1"],
        ] {
            assert_eq!(asks(arguments), Ok(true), "{arguments:?}");
        }
        for arguments in [
            &["status", "--url", "http://127.0.0.1:7472"][..],
            &["events", "--socket", "/run/ferrolb/kube1.sock"],
            &["explain", "mail/smtp", "--from", "manifests"],
            &["diff", "old.yaml", "new.yaml"],
        ] {
            assert_eq!(asks(arguments), Ok(false), "{arguments:?}");
        }
        for arguments in [&["drain"][..], &["peer", "reset", "tor1"], &["log-level"]] {
            assert_eq!(asks(arguments), Err(ONLY_READS), "{arguments:?}");
        }
    }
}
