//! Errors that end a program, and the text of their causes.

use std::fmt::Display;

/// An error for the user, in one sentence: something does not exist, or could not be read, written or listened on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    /// Returns an error with this message.
    pub fn new(message: impl Display) -> Self {
        Self(message.to_string())
    }
}

/// Returns the message of an error, followed by those of its causes, without repetitions. The last cause usually helps most:
/// a refused connection, or a certificate of an unknown authority.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    text
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

    impl std::error::Error for Layer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn causes_are_listed_down_to_the_last_one_without_repetitions() {
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
