//! Shell completions and man pages: they cover every command and option, and the programs that read them accept them.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use clap::{Arg, CommandFactory as _};
use ferrolb::cli::Cli;

use crate::world::{ferrolb, text};

/// The command line as the program sees it, with the options that all commands share.
fn built() -> clap::Command {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    cli
}

fn script(shell: &str) -> String {
    let output = ferrolb(&["completions", shell]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The output of a program with this text on stdin; `None` if the program is not installed.
fn fed(program: &str, arguments: &[&str], stdin: &str) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Not `eprintln!`, which the test runner would capture.
            let _ = writeln!(std::io::stderr(), "not checked, for lack of the program {program}");
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

fn assert_accepted(output: &Output, what: &str) {
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{what}: {said}");
}

#[test]
fn each_shell_accepts_its_completions() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = script(shell);
        for command in built().get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
        if let Some(output) = fed(shell, &[check], &script) {
            assert_accepted(&output, shell);
        }
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let script = script("bash");
    for (words, expected) in [
        (&["ferrolb", "dec"][..], "decode"),
        (&["ferrolb", "decode", "--two"], "--two-octet-as"),
        (&["ferrolb", "decode", "--peer", "i"], "ibgp"),
        (&["ferrolb", "completions", "z"], "zsh"),
        (&["ferrolb", "check", "--log-f"], "--log-format"),
    ] {
        let last = words.len() - 1;
        let ask = format!(
            "COMP_WORDS=({}); COMP_CWORD={last}; _ferrolb ferrolb {} {}; echo \"${{COMPREPLY[*]}}\"",
            words.join(" "),
            words[last],
            words[last - 1],
        );
        let Some(output) = fed("bash", &[], &format!("{script}\n{ask}\n")) else { return };
        assert_eq!(text(&output.stdout).trim(), expected, "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn fish_completes_commands_options_and_values() {
    let script = script("fish");
    for (line, expected) in [
        ("ferrolb dec", "decode"),
        ("ferrolb decode --two", "--two-octet-as"),
        ("ferrolb decode --peer i", "ibgp"),
    ] {
        let ask = format!("{script}\ncomplete --do-complete '{line}'\n");
        let Some(output) = fed("fish", &["--private"], &ask) else { return };
        let completed = text(&output.stdout);
        let words: Vec<_> = completed.lines().filter_map(|it| it.split('\t').next()).collect();
        assert!(words.contains(&expected), "{line}: {completed}{}", text(&output.stderr));
    }
}

#[test]
fn an_unknown_shell_is_refused_with_the_known_ones() {
    let output = ferrolb(&["completions", "tcsh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("bash, zsh, fish"), "{said}");
}

/// Writes the pages, and returns the directory.
fn pages() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    // The directory is created.
    let man1 = directory.path().join("share/man1");
    let output = ferrolb(&["man", man1.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let mut printed: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
    let mut written: Vec<_> = fs::read_dir(&man1)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    printed.sort();
    written.sort();
    assert_eq!(printed, written);
    directory
}

/// A page without roff's backslashes and fonts, on one line.
fn plain(page: &str) -> String {
    let page =
        ["\\fB", "\\fI", "\\fR"].iter().fold(page.to_owned(), |text, it| text.replace(it, ""));
    let lines: Vec<_> = page.lines().filter(|line| !line.starts_with('.')).collect();
    lines.join(" ").replace("\\*(Aq", "'").replace('\\', "")
}

fn assert_complete(directory: &Path, command: &clap::Command) {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = directory.join(format!("{name}.1"));
    let page = plain(&fs::read_to_string(&path).unwrap());
    let has = |what: &str| {
        let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(&what), "{name}.1 lacks {what}\n{page}");
    };

    has(&command.get_about().unwrap().to_string());
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        has_argument(argument, &has);
    }
    let after_help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    for line in after_help.lines().filter(|line| !line.ends_with(':')) {
        let trimmed = line.trim();
        assert!(page.contains(trimmed), "{name}.1 lacks {trimmed}");
    }

    for subcommand in command.get_subcommands() {
        has(&format!("{}(1)", subcommand.get_display_name().unwrap()));
        assert_complete(directory, subcommand);
    }
}

fn has_argument(argument: &Arg, has: &dyn Fn(&str)) {
    match argument.get_long() {
        Some(long) => has(&format!("--{long}")),
        None => has(argument.get_value_names().unwrap()[0].as_str()),
    }
    if let Some(help) = argument.get_long_help().or_else(|| argument.get_help()) {
        has(&help.to_string());
    }
    for value in argument.get_possible_values() {
        if argument.get_num_args().is_some_and(|range| range.takes_values()) {
            has(value.get_name());
        }
    }
}

#[test]
fn every_command_has_a_page_with_its_options_and_examples() {
    let directory = pages();
    assert_complete(&directory.path().join("share/man1"), &built());
}

#[test]
fn man_formats_each_page_without_a_warning() {
    let directory = pages();
    let mut checked = 0;
    for entry in fs::read_dir(directory.path().join("share/man1")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.extension(), Some(OsStr::new("1")));

        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]).arg(&path);
        man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100");
        let output = match man.output() {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let _ = writeln!(std::io::stderr(), "not checked, for lack of the program man");
                return;
            }
            Err(error) => panic!("man: {error}"),
        };
        let said = text(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
        checked += 1;
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let man1 = file.join("man1");
    let output = ferrolb(&["man", man1.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains(man1.to_str().unwrap()), "{}", text(&output.stderr));
}
