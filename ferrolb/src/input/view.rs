//! The arguments of the commands that show what a process answers.

use std::time::Duration;

use clap::Args;

use super::api_server::InClusterArgs;
use super::duration::parse_duration;
use super::place::PlaceArgs;
use crate::output::ViewFormat;

/// The process to ask, and the form of its answers.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct ViewArgs {
    /// The process to ask.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The cluster to ask instead.
    #[command(flatten)]
    pub cluster: InClusterArgs,
    /// `wide` has more columns. `json` prints the answers of the process as they are.
    #[arg(long, short, value_enum, default_value_t, env = "FERROLB_OUTPUT")]
    pub output: ViewFormat,
    /// Show it again every 2 seconds, or every SECONDS: in place on a terminal, else one below the other. Ctrl-C ends it.
    #[arg(
        long, short, value_name = "SECONDS", value_parser = parse_interval,
        num_args = 0..=1, require_equals = true, default_missing_value = "2"
    )]
    pub watch: Option<Duration>,
}

/// The node, for a process that speaks for several.
#[derive(Clone, Debug, Default, Args)]
#[non_exhaustive]
pub struct NodeArgs {
    /// Only this node, if the process speaks for several, as a lab does. In a cluster: ask the speaker of this node.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
}

impl NodeArgs {
    /// Returns true if the arguments name this node, or none.
    pub(crate) fn includes(&self, node: &str) -> bool {
        self.node.as_deref().is_none_or(|wanted| wanted == node)
    }
}

/// Parses the time between two views.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text)?;
    if interval < SHORTEST {
        return Err("expected at least 100ms".to_owned());
    }
    Ok(interval)
}

const SHORTEST: Duration = Duration::from_millis(100);
