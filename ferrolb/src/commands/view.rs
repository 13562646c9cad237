//! What the commands share that show the answers of a process: asking once or again and again, and where the text goes.
//!
//! Owns the loop of `--watch` and the screen on which it draws. Knows no answer.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::Failure;
use crate::client::{Client, ClientError};
use crate::input::{Found, NodeArgs, ViewArgs};
use crate::output::{Look, Page, Style, ViewFormat, stdout_width};

/// Shows a view of a process once, or as often as `--watch` says. In a cluster, `node` says which speaker is asked.
///
/// # Errors
///
/// The errors of the view; with `--watch`, only if there is no process to ask or stdout cannot be written.
pub(crate) async fn show(
    args: &ViewArgs,
    node: Option<&str>,
    view: impl AsyncFn(&Client, &mut Page<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let found = args.find(node).await?;
    repeat(args, async |page: &mut Page<'_>| {
        view(&found.client, page).await.map_err(|failure| with_note(failure, &found))
    })
    .await
}

/// Shows a view once, or as often as `--watch` says.
///
/// # Errors
///
/// The errors of the view; with `--watch`, only if stdout cannot be written.
pub(crate) async fn repeat(
    args: &ViewArgs,
    view: impl AsyncFn(&mut Page<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(interval) = args.watch else { return once(args.output, view).await };

    let look = look(args.output);

    let is_redrawn = look.format != ViewFormat::Json && has_screen();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut is_first = true;
    loop {
        let next = Instant::now() + interval;
        let mut screen = Screen::new(is_redrawn.then(screen_height));
        let mut page = Page::new(look, &mut screen);
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            shown = view(&mut page) => {
                if let Some(message) = shown.as_ref().err().and_then(Failure::message) {
                    page.write(|out, _| writeln!(out, "{message}"))?;
                }
            }
        }

        let mut stdout = io::stdout().lock();
        let mut page = Page::new(look, &mut stdout);
        page.write(|out, look| {
            if is_redrawn {
                return screen.draw(out, is_first);
            }
            if !is_first && look.format != ViewFormat::Json {
                writeln!(out)?;
            }
            out.write_all(&screen.text)
        })?;
        page.write(|out, _| out.flush())?;
        if page.is_closed() {
            return Ok(());
        }

        is_first = false;
        drop(stdout);
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            () = sleep_until(next) => {}
        }
    }
}

/// Shows a view of a process once.
///
/// # Errors
///
/// The errors of the view.
pub(crate) async fn on_stdout(
    found: &Found,
    format: ViewFormat,
    view: impl AsyncFn(&Client, &mut Page<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    once(format, async |page: &mut Page<'_>| {
        view(&found.client, page).await.map_err(|failure| with_note(failure, found))
    })
    .await
}

async fn once(
    format: ViewFormat,
    view: impl AsyncFn(&mut Page<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut page = Page::new(look(format), &mut out);
    let shown = view(&mut page).await;
    page.write(|out, _| out.flush())?;
    shown
}

fn look(format: ViewFormat) -> Look {
    Look { format, style: Style::of_stdout(), width: stdout_width() }
}

/// Adds what is known about sockets that cannot be used to the failure of a request.
fn with_note(failure: Failure, found: &Found) -> Failure {
    match (failure, &found.note) {
        (Failure::Unusable(message), Some(note)) => Failure::Unusable(format!("{message}; {note}")),
        (failure, _) => failure,
    }
}

/// Returns the failure for a process that cannot be asked, with what to do about it.
pub(crate) fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Unreachable { .. } => Failure::Unusable(format!(
            "{error}; start ferrolb run or lab, or name a process with --socket or --url"
        )),
        _ => error.into(),
    }
}

/// Returns a document without the elements of other nodes in this list.
pub(crate) fn of_node(mut document: Value, list: &str, node: &NodeArgs) -> Vec<u8> {
    if let Some(elements) = document.get_mut(list).and_then(Value::as_array_mut) {
        elements.retain(|it| it["node"].as_str().is_none_or(|name| node.includes(name)));
    }
    document.to_string().into_bytes()
}

/// Returns true if stdout is a terminal that can move its cursor.
fn has_screen() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn screen_height() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map_or(24, |(_, height)| usize::from(height.0)).max(2)
}

/// The text of one view, and not more of it than a screen shows.
struct Screen {
    text: Vec<u8>,
    /// The number of lines of the screen; `None` if the text is not drawn in place.
    height: Option<usize>,
    lines: usize,
    /// The number of lines that found no room.
    left_out: usize,
}

impl Screen {
    fn new(height: Option<usize>) -> Self {
        Self { text: Vec::new(), height, lines: 0, left_out: 0 }
    }

    /// Draws the text over the one before.
    fn draw(&self, out: &mut dyn Write, is_first: bool) -> io::Result<()> {
        let mut drawn = if is_first { b"\x1b[2J\x1b[H".to_vec() } else { b"\x1b[H".to_vec() };
        for line in self.text.split_inclusive(|octet| *octet == b'\n') {
            drawn.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            drawn.extend_from_slice(b"\x1b[K\n");
        }
        if self.left_out > 0 {
            drawn.extend_from_slice(format!(".. {} more lines\x1b[K", self.left_out).as_bytes());
        }
        drawn.extend_from_slice(b"\x1b[J");
        out.write_all(&drawn)
    }
}

impl Write for Screen {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            let is_end = line.ends_with(b"\n");
            // One line is for the number of the lines that are left out.
            if self.height.is_none_or(|height| self.lines + 1 < height) {
                self.text.extend_from_slice(line);
            } else if is_end {
                self.left_out += 1;
            }
            self.lines += usize::from(is_end);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns what is written for a terminal of 80 columns without colours; in the wide format, for one of any width.
#[cfg(test)]
pub(super) fn shown(
    format: ViewFormat,
    write: impl FnOnce(&mut dyn Write, Look) -> io::Result<()>,
) -> String {
    let width = (format == ViewFormat::Text).then_some(80);
    let mut out = Vec::new();
    write(&mut out, Look { format, style: Style::Plain, width }).unwrap();

    let text = String::from_utf8(out).unwrap();
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(width.is_none_or(|width| longest <= width), "{longest} columns:\n{text}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_shows_what_fits_and_counts_the_rest() {
        let mut screen = Screen::new(Some(4));
        write!(screen, "one\ntwo\nth").unwrap();
        write!(screen, "ree\nfour\nfive\n").unwrap();
        let mut drawn = Vec::new();
        screen.draw(&mut drawn, false).unwrap();
        let drawn = String::from_utf8(drawn).unwrap();
        assert_eq!(drawn, "\x1b[Hone\x1b[K\ntwo\x1b[K\nthree\x1b[K\n.. 2 more lines\x1b[K\x1b[J");

        let mut appended = Screen::new(None);
        write!(appended, "one\ntwo\n").unwrap();
        assert_eq!(appended.text, b"one\ntwo\n");
    }
}
