//! Messages of a stream or a file, written one after the other.

use std::io::{self, Write};

use serde_json::Map;

#[cfg(feature = "captures")]
use super::capture::CaptureProblem;
use super::location::Location;
use super::verdict::{JudgedMessage, NotOneMessage};
use super::{jsonl, page};
use crate::output::OutputFormat;

/// Writes numbered messages, each as a page or as a line of JSON. The line is that of `--jsonl`, with the number as `id`
/// and the keys of the location.
pub(super) struct MessageWriter<'a, W> {
    format: OutputFormat,
    count: u64,
    output: &'a mut W,
}

impl<'a, W: Write> MessageWriter<'a, W> {
    pub(super) fn new(format: OutputFormat, output: &'a mut W) -> Self {
        Self { format, count: 0, output }
    }

    pub(super) fn write(
        &mut self,
        message: &JudgedMessage<'_>,
        location: Location,
    ) -> io::Result<()> {
        self.count += 1;
        match self.format {
            OutputFormat::Text => {
                writeln!(self.output, "# message {}, {location}", self.count)?;
                page::explain(message, self.output)?;
            }
            OutputFormat::Json => {
                let mut answer = jsonl::response(message);
                answer.insert("id".into(), self.count.into());
                location.insert_keys(&mut answer);
                serde_json::to_writer(&mut *self.output, &answer)?;
            }
        }
        writeln!(self.output)
    }

    /// Writes a problem between messages.
    #[cfg(feature = "captures")]
    pub(super) fn write_problem(
        &mut self,
        problem: CaptureProblem,
        location: Location,
    ) -> io::Result<()> {
        self.count += 1;
        match self.format {
            OutputFormat::Text => {
                writeln!(self.output, "# problem {}, {location}\n{problem}", self.count)?;
            }
            OutputFormat::Json => {
                let mut answer = Map::new();
                answer.insert("id".into(), self.count.into());
                answer.insert("error".into(), problem.to_string().into());
                if let Some(octets) = problem.octets() {
                    answer.insert("octets".into(), octets.into());
                }
                location.insert_keys(&mut answer);
                serde_json::to_writer(&mut *self.output, &answer)?;
            }
        }
        writeln!(self.output)
    }

    /// Writes octets that are not one message.
    pub(super) fn write_fragment(
        &mut self,
        octets: &[u8],
        error: NotOneMessage,
        location: Location,
    ) -> io::Result<()> {
        self.count += 1;
        match self.format {
            OutputFormat::Text => {
                writeln!(self.output, "# message {}, {location}", self.count)?;
                page::explain_fragment(octets, error, self.output)?;
            }
            OutputFormat::Json => {
                let mut answer = Map::new();
                answer.insert("id".into(), self.count.into());
                answer.insert("error".into(), error.to_string().into());
                location.insert_keys(&mut answer);
                serde_json::to_writer(&mut *self.output, &answer)?;
            }
        }
        writeln!(self.output)
    }
}
