//! Why the program ends with another exit code than 0.

use std::error::Error;
use std::fmt::Display;

use crate::report::Problems;

/// Returns the message of an error with those of its causes. The last one mostly helps most: a refused connection, a
/// certificate of an unknown authority.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Self>>);

    impl Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn an_error_is_told_down_to_its_last_cause_and_nothing_twice() {
        let refused = Layer("Connection refused (os error 111)", None);
        let connect = Layer("tcp connect error", Some(Box::new(refused)));
        let again = Layer("client error (Connect)", Some(Box::new(connect)));
        let outer = Layer("ServiceError: client error (Connect)", Some(Box::new(again)));
        assert_eq!(
            causes(&outer),
            "ServiceError: client error (Connect): tcp connect error: Connection refused (os error 111)"
        );
    }
}
