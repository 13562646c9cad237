//! The command line: what can be asked of the binary, and how it explains itself.
//!
//! Owns names, defaults and help texts. Does nothing.

mod duration;
mod exit;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod log_filter;

use clap::{Args, Parser, Subcommand};

use crate::commands::check::CheckArgs;
use crate::commands::decode::args::DecodeArgs;
use crate::commands::diff::args::DiffArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::lab::LabArgs;
use crate::commands::migrate::MigrateArgs;
use crate::commands::replay::ReplayArgs;
use crate::commands::router_config::RouterConfigArgs;
use crate::commands::run::RunArgs;
use crate::output::LogFormat;

pub(crate) use duration::duration;
pub use exit::Failure;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{ClusterArgs, ControllerArgs, OnExit, SpeakerArgs};
pub use log_filter::{LogFilter, LogFilterError};

/// BGP load balancer for Kubernetes Services.
///
/// Gives addresses of pools to Services of type LoadBalancer, and tells routers by BGP which nodes
/// take the traffic for them. Configuration is MetalLB's: a directory with the ConfigMap and
/// ordinary Service, EndpointSlice and Node manifests.
#[derive(Debug, Parser)]
#[command(name = "ferrolb", version, after_help = EXAMPLES, after_long_help = EXAMPLES)]
#[command(arg_required_else_help = true, subcommand_required = true)]
#[non_exhaustive]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Try a cluster on this machine: a router and every node, on loopback addresses.
    ///
    /// Starts a BGP router for each peer that is configured and a speaker for each Node, all in this
    /// process, with a real TCP session between each two that should speak. Needs no root and
    /// touches nothing but 127.0.0.0/8: the router 172.22.35.1 listens on 127.22.35.1, the node
    /// 172.22.35.25 dials from 127.22.35.25. Routes carry the addresses of the manifests.
    ///
    /// On a terminal it stays and follows changes of the files. Otherwise, and with --once, it ends
    /// as soon as the router's table is what it should be.
    #[command(after_long_help = LAB_EXAMPLES)]
    Lab(LabArgs),
    /// Speak for one node to the routers of the configuration.
    ///
    /// Dials from the Node's address if this host has it, announces what the Node should, follows
    /// changes of the files, and keeps the addresses that Services have over a restart. SIGTERM and
    /// SIGINT end the sessions with a Cease, and the program with 0.
    ///
    /// Hosts that are given the same files give the same addresses: Services that hold one are
    /// taken first, then the oldest, then by name. That cannot hold for hosts that saw the files
    /// change in different steps, since what a Service holds it keeps; where it matters, write
    /// spec.loadBalancerIP, or give all hosts the same state file.
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Say what is wrong with a configuration, and what has no effect, before it is applied.
    ///
    /// Needs no cluster. Every problem of all files is told at once, as FILE:LINE:COLUMN, with the
    /// line that it is in.
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Turn a ConfigMap of MetalLB up to 0.12 into the metallb.io resources of today.
    ///
    /// Prints them as YAML, with the names that MetalLB's own converter gives. Passwords become
    /// Secrets.
    Migrate(MigrateArgs),
    /// Print what the routers need for their side of the sessions.
    ///
    /// Neighbours for each Node, with what may be heard of them and how much; passwords, BFD, hops
    /// and multipath as configured.
    RouterConfig(RouterConfigArgs),
    /// Explain captured BGP messages: what stands where, what is wrong, what a session makes of it.
    ///
    /// Reads one message as hexadecimal digits, a stream, an MRT file, or JSON lines. The verdict is
    /// that of RFC 7606, by the decoder that sessions use.
    #[command(after_long_help = DECODE_EXAMPLES)]
    Decode(DecodeArgs),
    /// Say why a Service is announced, or why it is not, and how to fix it.
    ///
    /// Walks the conditions from the Service to the router for each node: type, class, pool,
    /// address, node, peer, advertisement, endpoints, policy, session, and what is sent.
    #[command(after_long_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),
    /// Say what a change would change: routes, addresses of Services, sessions.
    #[command(after_long_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Replay a recording: objects that come, change and go, and what is made of each step.
    ///
    /// Reads a JSON object from each line and answers with one: the addresses of the Services, the
    /// sessions and routes of each node, and why the others are missing. It runs what runs in a
    /// cluster, without network and clock: the same recording has the same answers every time.
    #[command(after_long_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
    /// Give addresses to the Services of a Kubernetes cluster.
    ///
    /// Watches Services and the configuration, and writes the status of Services, Events, and the status
    /// of IPAddressPools. Of several replicas the one that holds the Lease does it; the others wait.
    #[cfg(feature = "kubernetes")]
    Controller(ControllerArgs),
    /// Announce, from one node of a Kubernetes cluster, what the node should carry.
    ///
    /// Watches Services, EndpointSlices, its Node and the configuration, and speaks to the routers. It goes on
    /// announcing while the API server is away.
    #[cfg(feature = "kubernetes")]
    Speaker(SpeakerArgs),
}

/// How to log; logs go to stderr.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct LogArgs {
    /// error, warn, info, debug or trace, or by module: info,bgp_session=debug. Default: info; for
    /// lab: error; for decode: warn.
    #[arg(long, value_name = "FILTER", global = true, env = "FERROLB_LOG", help_heading = LOGGING)]
    pub log_level: Option<LogFilter>,
    /// `json` writes one object for each line.
    #[arg(long, value_enum, default_value_t, global = true, env = "FERROLB_LOG_FORMAT", help_heading = LOGGING)]
    pub log_format: LogFormat,
}

const LOGGING: &str = "Logging";

const EXAMPLES: &str = "\
Examples:
  ferrolb lab examples/reference           the reference cluster, live, on this machine
  ferrolb lab examples/reference --once    the same, until its router has the right table
  ferrolb run manifests --node kube1       speak for the node kube1 to the real router
  ferrolb check config.yaml                what is wrong with a configuration
  ferrolb decode --mrt updates.gz          what the messages in a recording say

Exit codes:
  0  done, or ended by a signal as it should be
  1  the configuration has errors, --once ran out of time, or decode was given no whole message
  2  wrong usage, or something could not be read, written or listened on
  130  --once was interrupted";

const LAB_EXAMPLES: &str = "\
Examples:
  ferrolb lab examples/reference
  ferrolb lab examples/reference --once --output json
  ferrolb lab examples/reference --port 0 --log-level bgp_session=debug

Errors in the files are printed as FILE:LINE:COLUMN: error: PATH: MESSAGE. At the start they end
the program with 1; later the last good configuration stays in force.";

const RUN_EXAMPLES: &str = "\
Examples:
  ferrolb run manifests --node kube1
  ferrolb run manifests --node kube1 --state-file kube1.json --log-format json

Errors in the files are printed as FILE:LINE:COLUMN: error: PATH: MESSAGE. At the start they end
the program with 1; later the last good configuration stays in force.";

const CHECK_EXAMPLES: &str = "\
Examples:
  ferrolb check config.yaml
  ferrolb check metallb/ nodes.yaml --strict
  kubectl -n metallb-system get bgppeers,ipaddresspools,bgpadvertisements -o yaml | ferrolb check -

Exit codes:
  0  nothing wrong, or warnings only
  1  errors, or warnings with --strict
  2  something could not be read";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  ferrolb explain mail/smtp
  ferrolb explain mail/smtp --from examples/reference
  ferrolb explain smtp --from recording.jsonl --node kube1 --output json";

const DIFF_EXAMPLES: &str = "\
Examples:
  ferrolb diff manifests.new
  ferrolb diff manifests manifests.new
  ferrolb diff metallb.yaml metallb.new.yaml --from recording.jsonl

Lines are:
  + 172.22.35.70/32 -> 172.22.35.1 (kube2)        a route that would be announced, by these nodes
  - 172.22.35.70/32 -> 172.22.35.1 (kube1)        one that would be withdrawn
  Service mail/smtp: 172.22.35.70 -> 172.22.35.64
  session kube1 with 172.22.35.1: resets, for peerASN";

const REPLAY_EXAMPLES: &str = "\
Examples:
  ferrolb replay recording.jsonl
  kubectl get service web -o json | jq -c '{apply: .}' | cat base.jsonl - | ferrolb replay

Lines are, with objects as kubectl get -o json prints them:
  {\"apply\": {\"apiVersion\": \"v1\", \"kind\": \"Service\", ..}}    an object that is new or has changed
  {\"delete\": {\"kind\": \"Service\", \"namespace\": \"default\", \"name\": \"smtp\"}}
  {\"session\": {\"node\": \"kube1\", \"peer\": \"172.22.35.1:179\", \"up\": false}}
  {\"probe\": {\"node\": \"kube1\", \"namespace\": \"default\", \"name\": \"smtp\", \"found\": \"down\"}}
  {\"sync\": true}       the initial lists are complete; without it they are from the first step on
  {\"restart\": true}    the process restarts";

const DECODE_EXAMPLES: &str = "\
Examples:
  ferrolb decode ffffffffffffffffffffffffffffffff001304
  ferrolb decode --peer ibgp --add-path 1/1 - < message.hex
  ferrolb decode --raw received.bin --two-octet-as
  ferrolb decode --mrt updates.20190101.0000.gz | less
  ferrolb decode --jsonl < messages.jsonl

With --jsonl a line such as
  {\"id\": 1, \"hex\": \"ff..\", \"ctx\": {\"asn4\": true, \"peer\": \"ibgp\", \"families\": [\"1/1\"]}}
is answered by
  {\"id\": 1, \"outcome\": \"ok\", \"notification\": null, \"decoded\": {\"type\": \"keepalive\"}}
where `outcome` is ok, attribute-discard, treat-as-withdraw, afi-safi-disable, session-reset or
open-error. A key that a line's ctx lacks is as the options say.

Exit codes:
  0  told, whatever the verdict; with --jsonl every line has its answer
  1  HEX is truncated, or more than one message: what is there was told
  2  wrong usage, HEX is no hexadecimal, or something could not be read or written
A file that ends within a message or a record is told up to there, and that it does.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
