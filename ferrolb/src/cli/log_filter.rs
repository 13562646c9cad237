//! The filter for log lines.
//!
//! Owns the words of `--log-level` and `RUST_LOG`. A word that is not a level is an error: as the name of a module, it
//! would turn everything else off. The Kubernetes client's crates log only if the filter names them, because the program
//! itself logs what an operator should know about them.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

/// A level for everything, and levels for modules: `info,bgp_session=debug`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter {
    targets: Targets,
    /// The words that it was made of.
    text: String,
}

/// The error in the words of a [`LogFilter`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?}: expected off, error, warn, info, debug or trace, or MODULE=LEVEL")]
#[non_exhaustive]
pub struct LogFilterError {
    /// The wrong word.
    pub word: String,
}

impl LogFilter {
    /// Returns true if the filter has no words.
    pub fn is_empty(&self) -> bool {
        self.targets == Targets::new()
    }

    /// Returns the filter for the layer that writes.
    pub fn into_targets(self) -> Targets {
        self.targets
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, LogFilterError> {
        let mut targets = Targets::new();
        let mut default = None;
        let mut named_modules = Vec::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let error = LogFilterError { word: word.to_owned() };
            if let Some((module, level)) = word.split_once('=') {
                let level = parse_level(level).filter(|_| is_module(module)).ok_or(error)?;
                named_modules.push(module);
                targets = targets.with_target(module, level);
            } else {
                let level = parse_level(word).ok_or(error)?;
                default = Some(level);
                targets = targets.with_default(level);
            }
        }

        if default.is_some_and(|level| level < LevelFilter::DEBUG) {
            for library in LIBRARIES {
                let mut crates = named_modules.iter().map(|module| module.split("::").next());
                if !crates.any(|named| named == Some(library)) {
                    targets = targets.with_target(library, LevelFilter::OFF);
                }
            }
        }
        Ok(Self { targets, text: text.to_owned() })
    }
}

/// The crates of the Kubernetes client and of its HTTP and TLS.
const LIBRARIES: [&str; 7] =
    ["hyper", "hyper_util", "kube", "kube_client", "kube_runtime", "rustls", "tower"];

fn is_module(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '-'))
}

fn parse_level(word: &str) -> Option<LevelFilter> {
    match word {
        // MetalLB's words.
        "all" => Some(LevelFilter::TRACE),
        "none" => Some(LevelFilter::OFF),
        // The library parses an empty word (`bgp_session=`) as the level of errors, and numbers as levels, which is
        // hardly what the user meant.
        _ if !word.starts_with(|c: char| c.is_ascii_alphabetic()) => None,
        _ => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn enabled(text: &str, target: &str, level: Level) -> bool {
        text.parse::<LogFilter>().unwrap().into_targets().would_enable(target, &level)
    }

    #[test]
    fn a_level_holds_for_everything_and_a_module_may_have_its_own() {
        assert!(enabled("info", "ferrolb_node::sessions", Level::INFO));
        assert!(!enabled("info", "bgp_session", Level::DEBUG));
        let text = "info, bgp_session=debug,kube_client=off";
        assert!(enabled(text, "bgp_session::connection", Level::DEBUG));
        assert!(!enabled(text, "kube_client", Level::ERROR));
        assert!(enabled(text, "ferrolb", Level::INFO));
        assert!(enabled("all", "ferrolb_kubernetes", Level::TRACE));
        assert!(!enabled("none", "ferrolb", Level::ERROR));
        assert!(enabled("info,", "ferrolb", Level::INFO));
        for (text, empty) in [("", true), (" ,", true), ("none", false), ("a=off", false)] {
            assert_eq!(text.parse::<LogFilter>().unwrap().is_empty(), empty, "{text:?}");
        }
    }

    #[test]
    fn libraries_log_only_if_the_filter_names_them() {
        assert!(!enabled("info", "kube_client::client::builder", Level::ERROR));
        assert!(!enabled("warn,bgp_session=debug", "kube_runtime::watcher", Level::WARN));
        assert!(enabled("info,kube_client=info", "kube_client::client", Level::INFO));
        assert!(enabled("info,kube_client::client=warn", "kube_client::client", Level::WARN));
        assert!(enabled("debug", "kube_client", Level::DEBUG));
    }

    #[test]
    fn the_error_names_a_word_that_is_not_a_level() {
        for (text, word) in [
            ("inof", "inof"),
            ("info,bgp_session", "bgp_session"),
            ("bgp_session=loud", "bgp_session=loud"),
            ("info,=debug", "=debug"),
            ("=,=", "="),
            ("bgp_session[peer]=debug", "bgp_session[peer]=debug"),
            ("3", "3"),
            ("bgp_session=", "bgp_session="),
        ] {
            let error = text.parse::<LogFilter>().unwrap_err();
            assert_eq!(error.word, word, "{text}");
        }
    }
}
