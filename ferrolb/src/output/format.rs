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
