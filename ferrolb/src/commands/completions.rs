//! `ferrolb completions`: the completion script of a shell, made from the definitions of the command line.

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use crate::Failure;
use crate::cli::Cli;
use crate::output::write_stdout;

/// Arguments of `ferrolb completions`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: CompletionShell,
}

/// A shell with completions for all commands, options and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum CompletionShell {
    /// GNU Bash, with or without the package bash-completion.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// Prints the script.
///
/// # Errors
///
/// Stdout cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    let shell = match args.shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
    };

    // The generator panics if a write fails, so it gets a buffer.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ferrolb", &mut script);
    write_stdout(|out| out.write_all(&script))
}
