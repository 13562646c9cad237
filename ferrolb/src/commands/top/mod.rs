//! `ferrolb top`: a live view of a process on the whole terminal.
//!
//! ```text
//! keys ───► App ◄─── Answers ◄─── the process, every interval and after each event
//!            └─► screen
//! ```
//!
//! Owns the loop and the terminal. `app` has the state of the view and knows no terminal; `screen` draws it; `answers` is what the
//! process said last. Nothing here changes the state of the process.

mod answers;
mod app;
mod rows;
mod screen;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{Event, EventStream, KeyEventKind};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::view::failure;
use crate::Failure;
use crate::client::Client;
use crate::input::{PlaceArgs, parse_interval};
use crate::output::Style;
use app::App;

/// Arguments of `ferrolb top`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct TopArgs {
    /// Ask the process at least this often, such as 500ms or 5s. It is also asked after each event.
    #[arg(long, short, value_name = "TIME", default_value = "2s", value_parser = parse_interval)]
    pub interval: Duration,
    /// The process to ask.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Shows the live view until the user leaves it.
///
/// # Errors
///
/// The process does not answer at the start, or there is no terminal. Later, the view says that the process is gone, and
/// tries again.
pub async fn run(args: &TopArgs) -> Result<(), Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::Unusable(
            "top needs a terminal: use ferrolb status, or ferrolb peers --watch".to_owned(),
        ));
    }
    let found = args.place.find().await?;
    let mut app = App::new(Style::of_stdout() == Style::Coloured);
    app.answers.ask(&found.client, &app.wish()).await.map_err(failure)?;

    let mut terminal = ratatui::try_init().map_err(no_terminal)?;
    let shown = follow(&mut terminal, &mut app, &found.client, args.interval).await;
    ratatui::restore();
    shown.map_err(no_terminal)
}

fn no_terminal(error: io::Error) -> Failure {
    Failure::Unusable(format!("cannot use the terminal: {error}"))
}

/// Draws after each key, each event of the process, and each interval.
async fn follow(
    terminal: &mut DefaultTerminal,
    app: &mut App,
    client: &Client,
    interval: Duration,
) -> io::Result<()> {
    let happened = Notify::new();
    let mut listening = std::pin::pin!(listen(client, &happened));
    let mut keys = EventStream::new();
    let mut next = Instant::now() + interval;

    loop {
        terminal.draw(|frame| screen::draw(frame, app))?;
        tokio::select! {
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => app.press(key),
                // A changed size is drawn like everything else.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            () = happened.notified() => {
                // Events come in bursts.
                next = next.min(Instant::now() + BURST);
            }
            () = sleep_until(next) => {
                refresh(app, client).await;
                next = Instant::now() + interval;
            }
            () = listening.as_mut() => {}
        }

        if app.is_over() {
            return Ok(());
        }
        if app.takes_new_wish() {
            refresh(app, client).await;
        }
    }
}

/// Asks the process. An error is shown in the view, beside the answers from before.
async fn refresh(app: &mut App, client: &Client) {
    let wish = app.wish();
    let asked = app.answers.ask(client, &wish).await;
    app.note(asked.err().map(|error| error.to_string()));
}

/// Notifies of each event of the process, also after the process has been lost. The kept events, which come first, are one more
/// reason to ask. Never returns.
async fn listen(client: &Client, happened: &Notify) {
    loop {
        if let Ok(mut stream) = client.events(None).await {
            while let Ok(Some(_)) = stream.next().await {
                happened.notify_one();
            }
        }
        sleep(RETRY_AFTER).await;
    }
}

/// The time that a burst of events may take before the process is asked.
const BURST: Duration = Duration::from_millis(150);
const RETRY_AFTER: Duration = Duration::from_secs(1);
