//! A shell with the features that the page needs: pipes, `>`, `until`, `grep`, `ferrolb`, and `kubectl` by [`super::kubectl`].

use std::path::Path;
use std::time::{Duration, Instant};

use super::kubectl::Kubectl;

/// A word, or an operator between commands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Pipe,
    Into,
}

/// A shell with a directory of its own.
pub(crate) struct Shell {
    kubectl: Kubectl,
    folder: tempfile::TempDir,
}

impl Shell {
    pub(crate) fn new(kubectl: Kubectl) -> Self {
        Self { kubectl, folder: tempfile::tempdir().unwrap() }
    }

    /// The content of a file that a command has written.
    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs a line of the page, which must succeed.
    pub(crate) async fn run(&self, line: &str) -> String {
        let output = match line.strip_prefix("until ") {
            Some(until) => {
                let condition = until.strip_suffix("; do sleep 1; done");
                self.until(condition.unwrap_or_else(|| panic!("{line}"))).await
            }
            None => self.pipeline(line).await,
        };
        output.unwrap_or_else(|error| panic!("{line}\n{error}"))
    }

    async fn until(&self, condition: &str) -> Result<String, String> {
        let begin = Instant::now();
        loop {
            match self.pipeline(condition).await {
                Ok(output) => return Ok(output),
                Err(error) if begin.elapsed() > Duration::from_secs(60) => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    async fn pipeline(&self, line: &str) -> Result<String, String> {
        let tokens = tokens(line)?;
        let (tokens, file) = match tokens.as_slice() {
            [before @ .., Token::Into, Token::Word(file)] => (before, Some(file)),
            all => (all, None),
        };

        let mut text = String::new();
        for command in tokens.split(|token| *token == Token::Pipe) {
            let mut words = Vec::new();
            for token in command {
                let Token::Word(word) = token else {
                    return Err(format!("{token:?} is misplaced"));
                };
                words.push(word.as_str());
            }
            text = self.command(&words, text).await?;
        }

        let Some(file) = file else { return Ok(text) };
        std::fs::write(self.folder.path().join(file), text).map_err(|error| error.to_string())?;
        Ok(String::new())
    }

    async fn command(&self, words: &[&str], input: String) -> Result<String, String> {
        match words {
            ["kubectl", words @ ..] => self.kubectl.run(words, &input, self.folder.path()).await,
            ["grep", flags, pattern] => grep(flags, pattern, &input),
            ["grep", pattern] => grep("-", pattern, &input),
            ["ferrolb", words @ ..] => ferrolb(words, self.folder.path()),
            other => Err(format!("the page needs a command that is not known here: {other:?}")),
        }
    }
}

fn grep(flags: &str, pattern: &str, input: &str) -> Result<String, String> {
    let (mut inverted, mut quiet) = (false, false);
    for flag in flags.chars().skip(1) {
        match flag {
            'v' => inverted = true,
            'q' => quiet = true,
            other => return Err(format!("grep: -{other} is not known here")),
        }
    }
    let found: Vec<_> = input.lines().filter(|line| line.contains(pattern) != inverted).collect();
    if found.is_empty() {
        return Err(format!("grep: nothing in {input:?}"));
    }
    Ok(if quiet { String::new() } else { found.join("\n") + "\n" })
}

/// Runs `ferrolb`, without the API server.
fn ferrolb(words: &[&str], folder: &Path) -> Result<String, String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ferrolb"));
    let output = command.args(words).current_dir(folder).env_remove("RUST_LOG").output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stdout) + &text(&output.stderr))
    }
}

/// The words of a line. Quoted blanks do not separate words, and nothing is expanded.
fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next() {
                        Some(end) if end == letter => break,
                        Some(within) => word.push(within),
                        None => return Err(format!("{letter} is not closed")),
                    }
                }
            }
            ' ' | '|' | '>' => {
                tokens.extend(word.take().map(Token::Word));
                match letter {
                    '|' => tokens.push(Token::Pipe),
                    '>' => tokens.push(Token::Into),
                    _ => {}
                }
            }
            '$' | '`' | ';' | '&' | '<' | '\\' | '*' => {
                return Err(format!("{letter} is not known here"));
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    tokens.extend(word.map(Token::Word));
    Ok(tokens)
}

#[test]
fn a_line_is_split_as_a_shell_splits_it() {
    let word = |text: &str| Token::Word(text.to_owned());
    let found = tokens("a -p '{\"b\": 1}' | c \"d e\" > f").unwrap();
    let expected = [word("a"), word("-p"), word("{\"b\": 1}"), Token::Pipe, word("c"), word("d e")];
    assert_eq!(found[..6], expected);
    assert_eq!(found[6..], [Token::Into, word("f")]);
    assert!(tokens("a $(b)").is_err() && tokens("a 'b").is_err());
}
