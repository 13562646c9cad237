//! Why the program ends with another exit code than 0.

use std::fmt::Display;

use crate::output::Problems;

/// Why a command did not do what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The files have errors, which have been told.
    Configuration,
    /// Time ran out before the routers had the right tables; the differences have been told.
    Unfinished,
    /// What was given to decode is not one whole message, which has been told.
    Undecoded,
    /// Something could not be read, written or listened on, or there is no such thing: a sentence.
    Unusable(String),
    /// A signal came before the end.
    Interrupted,
}

impl Failure {
    /// From what kept the program from working.
    pub fn unusable(why: impl Display) -> Self {
        Self::Unusable(why.to_string())
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration | Self::Unfinished | Self::Undecoded => 1,
            Self::Unusable(_) => 2,
            // As shells have it for a process that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// Tells what has not been told yet.
    pub fn tell(&self, problems: Problems) {
        match self {
            Self::Unusable(why) => problems.error(why),
            Self::Configuration | Self::Unfinished | Self::Undecoded | Self::Interrupted => {}
        }
    }
}

impl From<ferrolb_node::Error> for Failure {
    fn from(error: ferrolb_node::Error) -> Self {
        Self::Unusable(error.to_string())
    }
}
