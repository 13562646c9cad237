//! `ferrolb drain` and `ferrolb undrain`: maintenance of a node without loss (RFC 8326).

use std::time::Duration;

use clap::Args;
use ferrolb_api::action::DrainRequest;
use ferrolb_api::{Drain, DrainStage, Status};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::action::{find_socket, write_done};
use super::peer::parse_message;
use super::view::failure;
use crate::Failure;
use crate::client::Client;
use crate::input::{PlaceArgs, parse_duration};

/// Arguments of `ferrolb drain`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct DrainArgs {
    /// Wait until the sessions have ended, and print each stage.
    #[arg(long)]
    pub wait: bool,
    /// The longest time to wait, such as 90s or 5m.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, requires = "wait")]
    pub timeout: Duration,
    /// A text for the operators of the routers, which their logs show (RFC 9003); at most 255 octets.
    #[arg(long, short, value_name = "TEXT", value_parser = parse_message)]
    pub message: Option<String>,
    /// The process.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Arguments of `ferrolb undrain`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct UndrainArgs {
    /// The process.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Drains the node of a process.
///
/// # Errors
///
/// The process does not take the action, or the time is over before the node is drained.
pub async fn run(args: &DrainArgs) -> Result<(), Failure> {
    let client = find_socket(&args.place).await?;
    let request = DrainRequest { message: args.message.clone() };
    let drain: Drain = client.post("/v1/drain", &request).await.map_err(failure)?;
    write_effect(&drain)?;
    if args.wait { wait(&client, drain.stage, args.timeout).await } else { Ok(()) }
}

/// Ends the drain of a process's node.
///
/// # Errors
///
/// The process does not take the action.
pub async fn undrain(args: &UndrainArgs) -> Result<(), Failure> {
    let client = find_socket(&args.place).await?;
    let drain: Drain = client.post("/v1/undrain", &json!({})).await.map_err(failure)?;
    write_effect(&drain)
}

/// Writes the effect of a request.
fn write_effect(drain: &Drain) -> Result<(), Failure> {
    write_done(drain.note.as_deref().unwrap_or_else(|| describe(drain.stage)))
}

/// Follows the stages of a drain to its last one.
async fn wait(client: &Client, mut stage: DrainStage, timeout: Duration) -> Result<(), Failure> {
    let deadline = Instant::now() + timeout;
    while stage != DrainStage::Drained {
        if Instant::now() >= deadline {
            let now = describe(stage);
            return Err(Failure::Unusable(format!("not drained after {timeout:?}: {now}")));
        }
        sleep(PAUSE).await;

        let drain = client.get::<Status>("/v1/status").await.map_err(failure)?.drain;
        if drain.requested_by.is_none() {
            return Err(Failure::Unusable("someone has ended the drain".to_owned()));
        }
        if drain.stage != stage {
            write_done(describe(drain.stage))?;
        }
        stage = drain.stage;
    }
    Ok(())
}

fn describe(stage: DrainStage) -> &'static str {
    match stage {
        DrainStage::Serving => "serving",
        DrainStage::Marked => "marked: routes have the community GRACEFUL_SHUTDOWN",
        DrainStage::Withdrawn => "withdrawn: routes are withdrawn, and the sessions are up",
        DrainStage::Drained => "drained: the sessions have ended",
        _ => "in a stage that this version does not know",
    }
}

const PAUSE: Duration = Duration::from_millis(250);
