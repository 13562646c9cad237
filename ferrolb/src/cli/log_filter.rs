//! Which log lines are written.
//!
//! Owns the words of `--log-level` and `RUST_LOG`. A word that is no level is an error: as the name of a module it would
//! turn everything else off. Libraries of this program log only where the filter asks for it: the program itself logs what an
//! operator should know of them.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

/// A level for everything, and levels for modules: `info,bgp_session=debug`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter(Targets);

/// What is wrong with the words of a [`LogFilter`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?}: expected off, error, warn, info, debug or trace, or MODULE=LEVEL")]
#[non_exhaustive]
pub struct LogFilterError {
    /// The word that is wrong.
    pub word: String,
}

impl LogFilter {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0 == Targets::new()
    }

    /// The filter, for the layer that writes.
    pub fn into_targets(self) -> Targets {
        self.0
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, LogFilterError> {
        let (mut targets, mut default, mut named) = (Targets::new(), None, Vec::new());
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let error = || LogFilterError { word: word.to_owned() };
            targets = match word.split_once('=') {
                None => {
                    let level = level(word).ok_or_else(error)?;
                    default = Some(level);
                    targets.with_default(level)
                }
                Some((module, level_word)) => {
                    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-');
                    let is_named = !module.is_empty() && module.chars().all(is_name);
                    let level = level(level_word).filter(|_| is_named).ok_or_else(error)?;
                    named.push(module);
                    targets.with_target(module, level)
                }
            };
        }

        if default.is_some_and(|level| level < LevelFilter::DEBUG) {
            let unnamed = LIBRARIES.into_iter().filter(|library| {
                !named.iter().any(|module| module.split("::").next() == Some(library))
            });
            targets = targets.with_targets(unnamed.map(|library| (library, LevelFilter::OFF)));
        }
        Ok(Self(targets))
    }
}

/// The crates of the Kubernetes client, and what is below them.
const LIBRARIES: [&str; 7] =
    ["hyper", "hyper_util", "kube", "kube_client", "kube_runtime", "rustls", "tower"];

fn level(word: &str) -> Option<LevelFilter> {
    match word {
        // MetalLB's words.
        "all" => Some(LevelFilter::TRACE),
        "none" => Some(LevelFilter::OFF),
        // Nothing would be the level of errors (`bgp_session=`), and numbers mean something else to everybody.
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
    fn a_level_is_for_everything_and_a_module_may_have_its_own() {
        assert!(enabled("info", "lb_adapter::run", Level::INFO));
        assert!(!enabled("info", "bgp_session", Level::DEBUG));
        let text = "info, bgp_session=debug,kube_client=off";
        assert!(enabled(text, "bgp_session::connection", Level::DEBUG));
        assert!(!enabled(text, "kube_client", Level::ERROR));
        assert!(enabled(text, "lb_adapter", Level::INFO));
        assert!(enabled("all", "lb_adapter", Level::TRACE));
        assert!(!enabled("none", "lb_adapter", Level::ERROR));
        assert!(enabled("info,", "lb_adapter", Level::INFO));
        for (text, empty) in [("", true), (" ,", true), ("none", false), ("a=off", false)] {
            assert_eq!(text.parse::<LogFilter>().unwrap().is_empty(), empty, "{text:?}");
        }
    }

    #[test]
    fn libraries_are_heard_only_where_they_are_asked_for() {
        assert!(!enabled("info", "kube_client::client::builder", Level::ERROR));
        assert!(!enabled("warn,bgp_session=debug", "kube_runtime::watcher", Level::WARN));
        assert!(enabled("info,kube_client=info", "kube_client::client", Level::INFO));
        assert!(enabled("info,kube_client::client=warn", "kube_client::client", Level::WARN));
        assert!(enabled("debug", "kube_client", Level::DEBUG));
    }

    #[test]
    fn a_word_that_is_no_level_is_named() {
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
