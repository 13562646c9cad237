//! Colours on a terminal.

use std::io::{self, IsTerminal as _};

/// Plain or coloured text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "text has colours or not")]
pub enum Style {
    /// Text without colours.
    #[default]
    Plain,
    /// Text with the escape sequences of terminals.
    Coloured,
}

impl Style {
    /// Returns the style for stdout: coloured on a terminal with colours, unless `NO_COLOR` is set.
    pub fn of_stdout() -> Self {
        let has_colours = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        if io::stdout().is_terminal() && has_colours && !is_no_color_set() {
            Self::Coloured
        } else {
            Self::Plain
        }
    }

    /// Returns the style for stderr: coloured on a terminal, unless `NO_COLOR` is set.
    pub fn of_stderr() -> Self {
        if io::stderr().is_terminal() && !is_no_color_set() { Self::Coloured } else { Self::Plain }
    }

    /// Returns text with the parameters of an SGR sequence.
    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    /// Returns text with the parameters of an SGR sequence, if there are both.
    pub(crate) fn paint_if(self, code: &str, text: &str) -> String {
        if code.is_empty() || text.is_empty() { text.to_owned() } else { self.paint(code, text) }
    }
}

fn is_no_color_set() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

pub(crate) const BOLD: &str = "1";
pub(crate) const DIM: &str = "2";
pub(crate) const RED: &str = "31";
pub(crate) const GREEN: &str = "32";
pub(crate) const YELLOW: &str = "33";
