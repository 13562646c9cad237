//! `ferrolb log-level`: what a running process logs.

use clap::Args;
use ferrolb_api::Status;
use ferrolb_api::action::{Done, LogLevel};

use super::action::{find_socket, write_done};
use super::view::failure;
use crate::Failure;
use crate::cli::{LogFilter, LogFilterError};
use crate::input::PlaceArgs;

/// Arguments of `ferrolb log-level`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct LogLevelArgs {
    /// The new level: error, warn, info, debug or trace; or by module, such as info,bgp_session=debug. Default: show the
    /// present one.
    #[arg(value_name = "FILTER", value_parser = parse_filter)]
    pub filter: Option<String>,
    /// Go back to the level with which the process was started.
    #[arg(long, conflicts_with = "filter")]
    pub reset: bool,
    /// The process.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Shows or changes what a process logs.
///
/// # Errors
///
/// The process does not answer, or does not take the action.
pub async fn run(args: &LogLevelArgs) -> Result<(), Failure> {
    if args.filter.is_none() && !args.reset {
        let found = args.place.find().await?;
        let status: Status = found.client.get("/v1/status").await.map_err(failure)?;
        return write_done(&status.log_level);
    }

    let client = find_socket(&args.place).await?;
    let request = LogLevel { filter: args.filter.clone() };
    let done: Done = client.post("/v1/log-level", &request).await.map_err(failure)?;
    write_done(&done.done)
}

/// Checks a filter, which the process gets as it is.
fn parse_filter(text: &str) -> Result<String, LogFilterError> {
    text.parse::<LogFilter>()?;
    Ok(text.to_owned())
}
