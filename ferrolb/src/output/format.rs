//! The formats of results and logs.

use clap::ValueEnum;

/// How results are written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "arguments of the binary, which is all that uses it")]
pub enum OutputFormat {
    /// Tables for people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// How logs are written to stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[expect(clippy::exhaustive_enums, reason = "arguments of the binary, which is all that uses it")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
}
