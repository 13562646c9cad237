//! The reasons why a command fails, and their exit codes.

use std::fmt::Display;

/// The reason why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The files have errors, which have been reported.
    Configuration,
    /// Time ran out before the routers had the right tables. The differences have been reported.
    Unfinished,
    /// The input of `decode` is not one complete message, which has been reported.
    Undecoded,
    /// No node announces the Service, which has been explained.
    NotAnnounced,
    /// A drain takes the last node from a Service, which has been reported.
    NoNodeLeft,
    /// The process has a problem that keeps traffic away, a peer is not Established, or a Service needs an action, which has
    /// been shown.
    Unhealthy,
    /// Something does not exist, or cannot be read, written or listened on. The text is the error message.
    Unusable(String),
    /// A signal came before the end.
    Interrupted,
}

impl Failure {
    /// Returns the failure for an error of another library.
    pub fn unusable(error: impl Display) -> Self {
        Self::Unusable(error.to_string())
    }

    /// Returns the exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration
            | Self::Unfinished
            | Self::Undecoded
            | Self::NotAnnounced
            | Self::NoNodeLeft
            | Self::Unhealthy => 1,
            Self::Unusable(_) => 2,
            // The code that shells use for a process that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// Returns the error message, unless the failure has been reported.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Unusable(message) => Some(message),
            Self::Configuration
            | Self::Unfinished
            | Self::Undecoded
            | Self::NotAnnounced
            | Self::NoNodeLeft
            | Self::Unhealthy
            | Self::Interrupted => None,
        }
    }
}

impl From<ferrolb_node::Error> for Failure {
    fn from(error: ferrolb_node::Error) -> Self {
        Self::Unusable(error.to_string())
    }
}
