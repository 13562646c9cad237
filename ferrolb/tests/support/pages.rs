//! Pages whose commands are run as printed: each block of `sh`, and after it a block of `text` with the expected output.
//!
//! In an expected output, `...` on a line of its own stands for any lines, and within a line for any text. Times and the
//! width of columns may differ, and blank lines at the end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A deadline longer than a session takes to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

/// A block of commands, and what it prints.
#[derive(Debug)]
pub(crate) struct Step {
    /// The heading of its section.
    pub(crate) section: String,
    pub(crate) commands: String,
    /// The lines of the block `text` that follows, if one does before the next block of commands.
    pub(crate) expected: Option<Vec<String>>,
}

/// The blocks of a page, in order.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut section = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<_> =
            lines.by_ref().take_while(|it| *it != "```").map(str::to_owned).collect();
        match language {
            "sh" => {
                let commands = block.join("\n");
                steps.push(Step { section: section.clone(), commands, expected: None });
            }
            "text" => {
                let step = steps.last_mut().expect("commands before the first output");
                assert!(step.expected.is_none(), "a second output of {:?}", step.commands);
                step.expected = Some(block);
            }
            other => panic!("a block of {other:?}, expected sh or text"),
        }
    }
    steps
}

/// A shell that runs the steps of a page, one after the other.
pub(crate) struct Shell {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    /// Starts a shell in a directory, in which `ferrolb` is this program.
    ///
    /// `make` runs what it would run, but with the program that is already built. With `contained`, all processes end with the
    /// shell, daemons included, which needs root.
    pub(crate) fn start(ferrolb: &str, directory: &Path, contained: bool) -> Self {
        let mut command = if contained {
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--kill-child", "bash"]);
            command
        } else {
            Command::new("bash")
        };
        for (name, _) in std::env::vars() {
            if name.starts_with("FERROLB_") || name.starts_with("MAKE") {
                command.env_remove(name);
            }
        }

        let programs = Path::new(ferrolb).parent().unwrap().display();
        let path = format!("{programs}:/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut process = command
            .env("PATH", path)
            .env("ROOT", root)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut shell = Self { process, input, output };
        shell.run(
            r#"exec 2>&1
make() { (cd "$ROOT" && $(command make -n "$@" | sed -n 's/.* -- /ferrolb /p') --port 0); }"#,
        );
        shell
    }

    /// Runs a step. One command whose output is not as expected yet is repeated for a while.
    pub(crate) fn take(&mut self, step: &Step) {
        let Some(expected) = &step.expected else {
            self.run(&step.commands);
            return;
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut found = self.run(&step.commands);
            while found.last().is_some_and(String::is_empty) {
                found.pop();
            }
            if matches(expected, &found) {
                return;
            }
            assert!(
                !step.commands.contains('\n') && Instant::now() < deadline,
                "{}:\n{}\nprinted:\n{}\nand not:\n{}",
                step.section,
                step.commands,
                found.join("\n"),
                expected.join("\n"),
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Runs commands, and returns the lines that they print.
    fn run(&mut self, commands: &str) -> Vec<String> {
        const END: &str = "=== the end of the step";
        writeln!(self.input, "{commands}\nprintf '\\n%s\\n' '{END}'").unwrap();
        self.input.flush().unwrap();
        let mut found = Vec::new();
        loop {
            let mut line = String::new();
            let octets = self.output.read_line(&mut line).unwrap();
            assert!(
                octets > 0,
                "the shell ended in:\n{commands}\nwhich printed:\n{}",
                found.join("\n")
            );
            let line = line.trim_end();
            if line == END {
                // The line break before the mark.
                found.pop();
                return found;
            }
            found.push(line.to_owned());
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns true if all lines are as expected.
fn matches(expected: &[String], found: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return found.is_empty() };
    if first == "..." {
        return (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]));
    }
    found
        .split_first()
        .is_some_and(|(line, others)| line_matches(first, line) && matches(rest, others))
}

fn line_matches(expected: &str, found: &str) -> bool {
    let (expected, found) = (plain(expected), plain(found));
    let mut parts = expected.split("...");
    let Some(mut rest) = found.strip_prefix(parts.next().unwrap()) else { return false };
    let mut open_end = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        open_end = part.is_empty();
    }
    open_end || rest.is_empty()
}

/// The line with single blanks, and with zeros in place of each date and time.
fn plain(line: &str) -> String {
    let word = |word: &str| {
        let is_date = word.matches('-').count() == 2 && word.len() == 10;
        let is_time = word.matches(':').count() >= 2;
        if !((is_date || is_time) && word.starts_with(|it: char| it.is_ascii_digit())) {
            return word.to_owned();
        }
        let mut zeros: String =
            word.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
        while zeros.contains("00") {
            zeros = zeros.replace("00", "0");
        }
        zeros
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn outputs_are_compared_line_by_line() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let agree = |expected: &str, found: &str| matches(&lines(expected), &lines(found));
    assert!(agree("a  b", "a b   "));
    assert!(agree("...\nb", "a\na\nb") && agree("...\nb", "b") && agree("a\n...", "a"));
    assert!(
        !agree("a", "a\nb") && !agree("a\nb", "a") && !agree("...\nb", "b\nc") && !agree("a", "")
    );
    assert!(
        agree("BIRD 2... ready", "BIRD 2.0.12 ready") && agree("a...", "a") && agree("a...", "abc")
    );
    assert!(!agree("BIRD 2...", "BIRD 3.0") && !agree("a... c", "a b") && !agree("a...c", "abcd"));
    assert!(agree("up 12:00:00.000", "up 9:31:54.2") && !agree("up 12:00:00", "up 12:00"));
    assert!(agree("2026-01-02T03:04:05.678Z x", "2030-11-30T15:33:01.228010Z x"));
    assert!(agree("2026-01-02 12:00:00Z x", "2030-11-30 09:31:01Z x") && !agree("a-b-c", "a-b-d"));
    assert!(!agree("192.0.2.1:179", "192.0.2.2:179"));
}
