//! Views on stdout, once or after each change.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use crate::Failure;
use crate::output::{
    ClusterView, OutputFormat, Style, changes, fold_all, stdout_width, time_of_day, write_text,
};

/// Prints views on stdout.
#[derive(Debug)]
pub(super) struct Printer {
    format: OutputFormat,
    style: Style,
    width: Option<usize>,
    /// The note for people on a terminal, which follows the first complete view.
    hint: Option<String>,
    /// The view whose changes were printed last, in sentences.
    last_changes: ClusterView,
    /// The view that was printed last as a whole.
    last_complete: Option<ClusterView>,
}

/// The result of printing a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// Stdout shows the whole view.
    Complete,
    /// The view has changed, but is printed only when it is settled.
    Deferred,
    /// Stdout is closed.
    Closed,
}

impl Printer {
    /// Returns a printer for one view.
    pub(super) fn new(format: OutputFormat) -> Self {
        Self {
            format,
            style: Style::of_stdout(),
            width: stdout_width(),
            hint: None,
            last_changes: ClusterView::default(),
            last_complete: None,
        }
    }

    /// Returns a printer for the views of a lab that follows the manifests in `dir`.
    pub(super) fn following(format: OutputFormat, dir: &Path) -> Self {
        let mut printer = Self::new(format);
        if format == OutputFormat::Text && io::stdout().is_terminal() {
            printer.hint = Some(format!("\nFollowing {}. Press Ctrl-C to stop.\n", dir.display()));
        }
        printer
    }

    /// Prints a whole view.
    pub(super) fn print_document(&self, view: &ClusterView) -> Result<(), Failure> {
        match self.write_view(view) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failure(&error)),
            _ => Ok(()),
        }
    }

    /// Prints the changes, and the whole view if it is settled.
    pub(super) fn print(
        &mut self,
        view: &ClusterView,
        is_settled: bool,
    ) -> Result<Printed, Failure> {
        match self.try_print(view, is_settled) {
            Ok(printed) => Ok(printed),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Printed::Closed),
            Err(error) => Err(failure(&error)),
        }
    }

    fn try_print(&mut self, view: &ClusterView, is_settled: bool) -> io::Result<Printed> {
        if self.format == OutputFormat::Text {
            self.write_changes(view)?;
        }
        if self.is_printed(view)? {
            return Ok(Printed::Complete);
        }
        if !is_settled {
            return Ok(Printed::Deferred);
        }

        self.write_view(view)?;
        if let Some(hint) = self.hint.take() {
            write(hint.as_bytes())?;
        }
        self.last_complete = Some(view.clone());
        Ok(Printed::Complete)
    }

    /// Returns true if the last complete view looks the same. JSON does not have all parts of a view.
    fn is_printed(&self, view: &ClusterView) -> io::Result<bool> {
        let Some(last) = &self.last_complete else { return Ok(false) };
        match self.format {
            OutputFormat::Text => Ok(last == view),
            OutputFormat::Json => Ok(json(last)? == json(view)?),
        }
    }

    fn write_changes(&mut self, view: &ClusterView) -> io::Result<()> {
        let time = time_of_day();
        let mut text = String::new();
        for change in changes(&self.last_changes, view) {
            text.push_str(&format!("{time} {change}\n"));
        }
        self.last_changes = view.clone();

        let indent = time.len() + 1;
        write(fold_all(&text, self.width, |_| indent).as_bytes())
    }

    fn write_view(&self, view: &ClusterView) -> io::Result<()> {
        if self.format == OutputFormat::Json {
            return write(&json(view)?);
        }

        let mut text = Vec::new();
        if self.last_changes != ClusterView::default() {
            // A blank line separates the tables from the changes before them.
            text.push(b'\n');
        }
        write_text(&mut text, view, self.last_complete.as_ref(), self.style, self.width)?;
        write(&text)
    }
}

fn json(view: &ClusterView) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    view.write_json(&mut text)?;
    Ok(text)
}

fn write(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}

fn failure(error: &io::Error) -> Failure {
    Failure::Unusable(format!("cannot write to stdout: {error}"))
}
