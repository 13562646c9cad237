//! The formats of results and logs.

use clap::ValueEnum;

/// The format of results on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "an argument, which only the binary uses")]
pub enum OutputFormat {
    /// Text and tables for people.
    #[default]
    Text,
    /// JSON for programs.
    Json,
}

/// The format of a process's answers on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum ViewFormat {
    /// Tables that fit 80 columns.
    #[default]
    Text,
    /// Tables with more columns.
    Wide,
    /// The answers of the process, as they are.
    Json,
}

/// The format of logs on stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "an argument, which only the binary uses")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}
