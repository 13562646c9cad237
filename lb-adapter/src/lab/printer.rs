//! Writing pictures to stdout, once or whenever there is something new.

use std::io::{self, Write};

use crate::args::OutputFormat;
use crate::failure::Failure;
use crate::report::{Picture, Style, changes, clock, write_text};

/// Writes to stdout.
#[derive(Debug)]
pub(super) struct Printer {
    format: OutputFormat,
    style: Style,
    /// What was told in sentences.
    told: Picture,
    /// What was shown as a whole, as it was written.
    shown: Vec<u8>,
}

/// What became of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// All of it is on stdout.
    Whole,
    /// It is new, but is not to be shown before it is settled.
    Withheld,
    /// Stdout is closed.
    NobodyReads,
}

impl Printer {
    pub(super) fn new(format: OutputFormat) -> Self {
        let style = Style::of_stdout();
        Self { format, style, told: Picture::default(), shown: Vec::new() }
    }

    /// Writes one picture as a whole.
    pub(super) fn document(&self, picture: &Picture) -> Result<(), Failure> {
        match self.render(picture).and_then(|text| write(&text)) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(&error)),
            _ => Ok(()),
        }
    }

    /// Tells what is new, and shows the whole if that is settled.
    pub(super) fn show(&mut self, picture: &Picture, settled: bool) -> Result<Shown, Failure> {
        match self.try_show(picture, settled) {
            Ok(shown) => Ok(shown),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Shown::NobodyReads),
            Err(error) => Err(unwritable(&error)),
        }
    }

    fn try_show(&mut self, picture: &Picture, settled: bool) -> io::Result<Shown> {
        if self.format == OutputFormat::Text {
            self.tell(picture)?;
        }
        let whole = self.render(picture)?;
        if self.shown == whole {
            return Ok(Shown::Whole);
        }
        if !settled {
            return Ok(Shown::Withheld);
        }
        if self.format == OutputFormat::Text {
            // Apart from the events that led to it.
            write(b"\n")?;
        }
        write(&whole)?;
        self.shown = whole;
        Ok(Shown::Whole)
    }

    fn tell(&mut self, picture: &Picture) -> io::Result<()> {
        let mut text = String::new();
        for news in changes(&self.told, picture) {
            text.push_str(&format!("{} {news}\n", clock()));
        }
        self.told = picture.clone();
        write(text.as_bytes())
    }

    fn render(&self, picture: &Picture) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        match self.format {
            OutputFormat::Text => write_text(&mut text, picture, self.style)?,
            OutputFormat::Json => {
                serde_json::to_writer(&mut text, picture)?;
                text.push(b'\n');
            }
        }
        Ok(text)
    }
}

fn write(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::Unusable(format!("cannot write to stdout: {error}"))
}
