//! Lines that fit a terminal, broken between words.
//!
//! Owns the width of stdout and the breaking of lines. If stdout is not a terminal, lines stay whole, because programs
//! read them.

use std::io::{self, IsTerminal as _};

use textwrap::{Options, WordSplitter};

/// The number of columns of a terminal that does not report it.
const DEFAULT_WIDTH: usize = 80;

/// Returns the width of stdout; `None` if it is not a terminal, so that lines may have any length.
pub(crate) fn stdout_width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }

    let columns = terminal_size::terminal_size_of(stdout).map(|(width, _)| usize::from(width.0));
    Some(columns.filter(|columns| *columns > 0).unwrap_or(DEFAULT_WIDTH))
}

/// Breaks a line into several, and indents all but the first. A word that is longer than a line stays whole.
pub(crate) fn fold(line: &str, width: usize, indent: usize) -> Vec<String> {
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }

    // A line is not broken before its first word.
    let start = line.len() - line.trim_start().len();
    let (before, words) = line.split_at(start);

    let indent = " ".repeat(indent);
    let options = Options::new(width)
        .initial_indent(before)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(words, options).into_iter().map(|line| line.into_owned()).collect()
}

/// Folds each line of a text, if there is a width.
pub(crate) fn fold_all(text: &str, width: Option<usize>, indent: impl Fn(&str) -> usize) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut folded = String::with_capacity(text.len());
    for line in text.lines() {
        for line in fold(line, width, indent(line)) {
            folded.push_str(&line);
            folded.push('\n');
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_a_long_word_stays_whole() {
        let line = "  - no ready endpoint is on kube1, only on kube2-with-a-name-that-is-longer-than-a-line";
        assert_eq!(
            fold(line, 30, 4),
            [
                "  - no ready endpoint is on",
                "    kube1, only on",
                "    kube2-with-a-name-that-is-longer-than-a-line",
            ]
        );
        assert_eq!(fold("short", 30, 4), ["short"]);
    }

    #[test]
    fn without_a_width_a_text_stays_as_it_is() {
        let text = "one two three\nfour\n";
        assert_eq!(fold_all(text, None, |_| 2), text);
        assert_eq!(fold_all(text, Some(9), |_| 2), "one two\n  three\nfour\n");
    }
}
