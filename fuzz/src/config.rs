//! Configurations in both formats, and manifests: any text is read or refused, and each problem has a position in the file.

use lb_adapter::check;
use lb_adapter::config::{self, Diagnostic, Diagnostics, Severity};
use lb_adapter::manifest::{self, Options, Source};

use crate::judge::judge_text;

/// The input is a file, read as a configuration, as manifests, and by `check`.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match config::parse("config.yaml", &text) {
        Ok(parsed) => judge_diagnostics(&parsed.warnings, &text),
        Err(diagnostics) => judge_refusal(&diagnostics, &text),
    }

    let source = Source { name: "all.yaml".to_owned(), octets: input.to_vec() };
    let sources = [source];
    match manifest::parse("all", &sources) {
        Ok(manifests) => judge_diagnostics(&manifests.warnings, &text),
        Err(diagnostics) => judge_refusal(&diagnostics, &text),
    }

    let options = Options { lenient: true, ..Default::default() };
    let found = check::problems(&options, "all", &sources);
    judge_diagnostics(&found, &text);
    let refused = manifest::parse_with(&options, "all", &sources).is_err();
    let errors = found.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(errors, refused, "`check` and `parse` disagree");
}

fn judge_refusal(diagnostics: &Diagnostics, text: &str) {
    assert!(!diagnostics.as_slice().is_empty(), "refused without a diagnostic");
    judge_diagnostics(diagnostics.as_slice(), text);
}

/// A problem prints on one line, and its position is in the file. (A carriage return alone may end a line.)
fn judge_diagnostics(diagnostics: &[Diagnostic], text: &str) {
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    for diagnostic in diagnostics {
        judge_text(&diagnostic.to_string());
        let line = usize::try_from(diagnostic.line).unwrap_or(usize::MAX);
        assert!(line <= lines + 1, "{diagnostic}: the text has {lines} lines");
        assert!(diagnostic.line == 0 || diagnostic.column > 0, "{diagnostic}: columns start at 1");
    }
}
