//! The command line: names, defaults and help texts.
//!
//! Owns the list of commands and the options for logging. Runs nothing.

mod help;
mod help_asking;
mod log_filter;
#[cfg(feature = "kubernetes")]
mod plugin;

use clap::{Args, Parser, Subcommand};

use crate::commands::bfd::BfdArgs;
use crate::commands::check::CheckArgs;
#[cfg(feature = "manual")]
use crate::commands::completions::CompletionsArgs;
use crate::commands::decode::DecodeArgs;
use crate::commands::diff::DiffArgs;
use crate::commands::drain::{DrainArgs, UndrainArgs};
use crate::commands::events::EventsArgs;
use crate::commands::explain::ExplainArgs;
#[cfg(feature = "kubernetes")]
use crate::commands::kubernetes::{ControllerArgs, SpeakerArgs};
use crate::commands::lab::LabArgs;
use crate::commands::log_level::LogLevelArgs;
#[cfg(feature = "manual")]
use crate::commands::man::ManArgs;
use crate::commands::migrate::MigrateArgs;
use crate::commands::peer::PeerArgs;
use crate::commands::peers::PeersArgs;
use crate::commands::pools::PoolsArgs;
use crate::commands::refresh::RefreshArgs;
use crate::commands::replay::ReplayArgs;
use crate::commands::router_config::RouterConfigArgs;
use crate::commands::routes::RoutesArgs;
use crate::commands::run::RunArgs;
use crate::commands::services::ServicesArgs;
use crate::commands::status::StatusArgs;
#[cfg(feature = "bundle")]
use crate::commands::support_bundle::SupportBundleArgs;
#[cfg(feature = "top")]
use crate::commands::top::TopArgs;
use crate::output::LogFormat;

pub use log_filter::{LogFilter, LogFilterError};

/// BGP load balancer for Kubernetes Services.
///
/// Assigns addresses from pools to Services of type LoadBalancer, and announces them to routers over BGP from the
/// nodes that take their traffic. It reads MetalLB's configuration: a directory with the ConfigMap or the metallb.io
/// resources, and ordinary Service, EndpointSlice and Node manifests.
#[derive(Debug, Parser)]
#[command(name = "ferrolb", version, after_help = help::EXAMPLES, after_long_help = help::EXAMPLES)]
#[command(arg_required_else_help = true, subcommand_required = true)]
#[non_exhaustive]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// The options for logging.
    #[command(flatten)]
    pub log: LogArgs,
}

/// A command with its arguments.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Run a cluster on this machine: its routers and all its nodes, on loopback addresses.
    ///
    /// Starts a BGP router for each configured peer and a speaker for each Node, all in this process, with real TCP
    /// sessions between them. Needs no root and uses only 127.0.0.0/8: the router 172.22.35.1 listens on 127.22.35.1,
    /// the node 172.22.35.25 dials from 127.22.35.25. Routes carry the addresses of the manifests.
    ///
    /// On a terminal, it keeps running and follows changes of the files. Otherwise, and with --once, it ends as soon as
    /// the routers' tables are as planned.
    #[command(after_long_help = help::LAB)]
    Lab(LabArgs),
    /// Speak BGP for one node to the configured routers.
    ///
    /// Dials from the Node's address if this host has it, announces the Node's routes, follows changes of the files, and
    /// keeps the addresses of Services across restarts. SIGTERM and SIGINT end the sessions with a Cease, and the program
    /// with exit code 0.
    ///
    /// An operator may drain the node through the Unix socket: routes are marked with GRACEFUL_SHUTDOWN, then withdrawn, then the
    /// sessions end, until the drain is ended. A program that is started again forgets the drain, and the disabled peers.
    ///
    /// Hosts with the same files assign the same addresses: first to Services that already have one, then to the oldest,
    /// then by name. A Service keeps its address, so hosts that saw the files change in different steps may differ.
    /// If this matters, set spec.loadBalancerIP, or give all hosts the same state file.
    #[command(after_long_help = help::RUN)]
    Run(RunArgs),
    /// Show the state of a running process on one screen, problems first.
    ///
    /// Version, configuration, sessions, prefixes, Services, drain, and what keeps traffic away or may do so later.
    #[command(after_long_help = help::STATUS)]
    Status(StatusArgs),
    /// Show the BGP sessions of a running process, or everything about one of them.
    ///
    /// The table has the columns that birdc, vtysh and gobgp show. With NAME: both OPENs side by side, the agreed timers and
    /// the time that they have left, the last NOTIFICATIONs with their texts, BFD, TCP endpoints, and message counts.
    #[command(after_long_help = help::PEERS)]
    Peers(PeersArgs),
    /// Show the routes that the peers of a running process have, or should have, and why some cannot be sent.
    ///
    /// They come from each session's Adj-RIB-Out: all attributes as they are sent, the age, the Services that a route belongs
    /// to, and the addresses that an aggregate covers.
    #[command(after_long_help = help::ROUTES)]
    Routes(RoutesArgs),
    /// Show the Services of a running process, and why some are not announced.
    #[command(after_long_help = help::SERVICES)]
    Services(ServicesArgs),
    /// Show the address pools of a running process: what is free, who holds what, and who shares an address.
    #[command(after_long_help = help::POOLS)]
    Pools(PoolsArgs),
    /// Show the BFD sessions of a running process, and why some are down.
    #[command(after_long_help = help::BFD)]
    Bfd(BfdArgs),
    /// Show what happened in a running process, and what happens: sessions, routes, Services, configuration, drain.
    #[command(after_long_help = help::EVENTS)]
    Events(EventsArgs),
    /// Show a running process live on the whole terminal.
    ///
    /// Lists of peers, Services, routes, pools, BFD sessions and events, which follow each change within a second. Enter
    /// explains a Service gate by gate, or shows everything about a peer; / filters; ? lists the keys. It changes nothing.
    #[cfg(feature = "top")]
    #[command(after_long_help = help::TOP)]
    Top(TopArgs),
    /// Reset, disable or enable a peer of a running process.
    #[command(after_long_help = help::PEER)]
    Peer(PeerArgs),
    /// Send the routes of a running process to its peers again, or ask the peers for theirs.
    #[command(after_long_help = help::REFRESH)]
    Refresh(RefreshArgs),
    /// Show or change what a running process logs.
    #[command(after_long_help = help::LOG_LEVEL)]
    LogLevel(LogLevelArgs),
    /// Drain the node of a running process, so that its traffic moves to other nodes without loss.
    ///
    /// Routes first get the community GRACEFUL_SHUTDOWN (RFC 8326), then they are withdrawn, then the sessions end.
    #[command(after_long_help = help::DRAIN)]
    Drain(DrainArgs),
    /// End the drain of a running process's node.
    #[command(after_long_help = help::UNDRAIN)]
    Undrain(UndrainArgs),
    /// Collect everything that a running process says about itself in one archive, without secrets.
    ///
    /// Status, peers, routes, Services, explanations of problems, pools, BFD, events, metrics, configuration, and facts about
    /// the machine. An answer that fails is noted in the archive.
    #[cfg(feature = "bundle")]
    #[command(after_long_help = help::SUPPORT_BUNDLE)]
    SupportBundle(SupportBundleArgs),
    /// Check a configuration before applying it.
    ///
    /// Reports all errors and warnings in all files at once, as FILE:LINE:COLUMN with the line in question. Needs no
    /// cluster.
    #[command(after_long_help = help::CHECK)]
    Check(CheckArgs),
    /// Convert a ConfigMap of MetalLB 0.12 or older to metallb.io resources.
    ///
    /// Prints them as YAML, with the names that MetalLB's own converter gives. Passwords become Secrets.
    Migrate(MigrateArgs),
    /// Print the routers' side of the configuration.
    ///
    /// Includes a neighbor for each Node, filters and limits for its routes, passwords, BFD, multihop and multipath, as
    /// configured.
    RouterConfig(RouterConfigArgs),
    /// Decode captured BGP messages, and explain errors in them.
    ///
    /// Reads one message in hexadecimal, a stream, an MRT file, a capture of packets, or JSON lines. The decoder is the one that sessions use,
    /// and the verdict follows RFC 7606.
    #[command(after_long_help = help::DECODE)]
    Decode(DecodeArgs),
    /// Explain why a Service is or isn't announced, and how to fix it.
    ///
    /// Checks the conditions from the Service to the router for each node: type, class, pool, address, node, peer,
    /// advertisement, endpoints, dataplane, drain, policy, session, and the routes sent.
    #[command(after_long_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Show which routes, Service addresses and sessions a change would affect.
    #[command(after_long_help = help::DIFF)]
    Diff(DiffArgs),
    /// Replay a recording of a cluster, and print the result of each step.
    ///
    /// Reads a JSON object from each line and prints one: the addresses of the Services, the sessions and routes of each
    /// node, and the reason for each missing route. It runs the same code as in a cluster, without network and clock: the
    /// same recording always has the same results.
    #[command(after_long_help = help::REPLAY)]
    Replay(ReplayArgs),
    /// Assign addresses to the Services of a Kubernetes cluster.
    ///
    /// Watches Services and the configuration, and writes the status of Services, Events, and the status of
    /// IPAddressPools. If there are several replicas, the one that holds the Lease is active and the others wait.
    #[cfg(feature = "kubernetes")]
    Controller(ControllerArgs),
    /// Announce the Services of a Kubernetes cluster from one node.
    ///
    /// Watches Services, EndpointSlices, its Node and the configuration, and speaks BGP to the routers. It keeps
    /// announcing while the API server is unreachable.
    #[cfg(feature = "kubernetes")]
    Speaker(SpeakerArgs),
    /// Print the completion script of a shell.
    ///
    /// The script completes commands, options, the values of options, and file names.
    #[cfg(feature = "manual")]
    #[command(after_long_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write a man page for each command.
    ///
    /// Prints the paths of the pages. A page has the text of `--help`.
    #[cfg(feature = "manual")]
    #[command(after_long_help = help::MAN)]
    Man(ManArgs),
}

/// The options for logging. Logs go to stderr.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct LogArgs {
    /// error, warn, info, debug or trace; or by module, such as info,bgp_session=debug. Default: info; for lab: error;
    /// for decode: warn.
    #[arg(long, value_name = "FILTER", global = true, env = "FERROLB_LOG", help_heading = LOGGING)]
    pub log_level: Option<LogFilter>,
    /// `json` writes one object per line.
    #[arg(long, value_enum, default_value_t, global = true, env = "FERROLB_LOG_FORMAT", help_heading = LOGGING)]
    pub log_format: LogFormat,
}

const LOGGING: &str = "Logging";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
