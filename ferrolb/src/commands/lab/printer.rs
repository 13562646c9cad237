//! Writing pictures to stdout, once or whenever there is something new.

use std::io::{self, IsTerminal as _, Write as _};

use super::LabArgs;
use crate::cli::Failure;
use crate::output::OutputFormat;
use crate::output::{Picture, Style, changes, clock, fold_all, width_of_stdout, write_text};

/// Writes to stdout.
#[derive(Debug)]
pub(super) struct Printer {
    format: OutputFormat,
    style: Style,
    width: Option<usize>,
    /// What people on a terminal should know after the first picture.
    hint: Option<String>,
    /// What was told in sentences.
    told: Picture,
    /// What was shown as a whole.
    shown: Option<Picture>,
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
    /// For one document.
    pub(super) fn new(format: OutputFormat) -> Self {
        let (style, told) = (Style::of_stdout(), Picture::default());
        let width = width_of_stdout();
        Self { format, style, width, hint: None, told, shown: None }
    }

    /// For whatever comes.
    pub(super) fn following(args: &LabArgs) -> Self {
        let hint = format!("\nFollowing {}; Ctrl-C ends.\n", args.dir.display());
        let for_people = args.output == OutputFormat::Text && io::stdout().is_terminal();
        Self { hint: for_people.then_some(hint), ..Self::new(args.output) }
    }

    /// Writes one picture as a whole.
    pub(super) fn document(&self, picture: &Picture) -> Result<(), Failure> {
        match self.write_whole(picture) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unwritable(&error)),
            _ => Ok(()),
        }
    }

    /// Tells what is new, and shows the whole of it if that is settled.
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
        if self.is_shown(picture)? {
            return Ok(Shown::Whole);
        }
        if !settled {
            return Ok(Shown::Withheld);
        }
        self.write_whole(picture)?;
        if let Some(hint) = self.hint.take() {
            write(hint.as_bytes())?;
        }
        self.shown = Some(picture.clone());
        Ok(Shown::Whole)
    }

    /// Whether showing it would show nothing new; JSON has less in it than a picture.
    fn is_shown(&self, picture: &Picture) -> io::Result<bool> {
        let Some(shown) = &self.shown else { return Ok(false) };
        Ok(match self.format {
            OutputFormat::Text => shown == picture,
            OutputFormat::Json => json(shown)? == json(picture)?,
        })
    }

    fn tell(&mut self, picture: &Picture) -> io::Result<()> {
        let mut text = String::new();
        for news in changes(&self.told, picture) {
            text.push_str(&format!("{} {news}\n", clock()));
        }
        self.told = picture.clone();
        let clock = clock().len() + 1;
        write(fold_all(&text, self.width, |_| clock).as_bytes())
    }

    fn write_whole(&self, picture: &Picture) -> io::Result<()> {
        match self.format {
            OutputFormat::Json => write(&json(picture)?),
            OutputFormat::Text => {
                let mut text = Vec::new();
                if self.told != Picture::default() {
                    // Apart from the events that led to it.
                    text.push(b'\n');
                }
                let before = self.shown.as_ref();
                write_text(&mut text, picture, before, self.style, self.width)?;
                write(&text)
            }
        }
    }
}

fn json(picture: &Picture) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    picture.write_json(&mut text)?;
    Ok(text)
}

fn write(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::Unusable(format!("cannot write to stdout: {error}"))
}
