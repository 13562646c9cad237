//! `ferrolb man`: a man page for each command, made from the definitions of the command line.
//!
//! Owns the sections with the examples and exit codes, which keep their lines. The library writes all others.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

use crate::Failure;
use crate::cli::Cli;
use crate::output::write_stdout;

/// Arguments of `ferrolb man`.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct ManArgs {
    /// The directory of the pages, such as /usr/local/share/man/man1. It is created if it does not exist.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// Writes the pages, and prints their paths.
///
/// # Errors
///
/// A page or stdout cannot be written.
pub fn run(args: &ManArgs) -> Result<(), Failure> {
    let directory = &args.directory;
    fs::create_dir_all(directory).map_err(|error| unwritable(directory, &error))?;

    // The command `help` needs no page.
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();

    let mut pages = Pages { directory, paths: Vec::new() };
    pages.write(&cli, None)?;
    write_stdout(|out| pages.paths.iter().try_for_each(|path| writeln!(out, "{}", path.display())))
}

/// The pages that are being written.
struct Pages<'a> {
    directory: &'a Path,
    /// The paths of the complete pages.
    paths: Vec<PathBuf>,
}

impl Pages<'_> {
    /// Writes the page of a command, and those of its own commands.
    fn write(&mut self, command: &Command, parent: Option<&Command>) -> Result<(), Failure> {
        let source = concat!("ferrolb ", env!("CARGO_PKG_VERSION"));
        // A page has no date, so that it depends on the sources alone. An empty date would be lost.
        let man = Man::new(command.clone()).date(" ").source(source).manual("FerroLB");
        let path = self.directory.join(man.get_filename());

        let mut page = Vec::new();
        render(&man, command, parent, &mut page).map_err(|error| unwritable(&path, &error))?;
        fs::write(&path, page).map_err(|error| unwritable(&path, &error))?;
        self.paths.push(path);

        for subcommand in visible_subcommands(command) {
            self.write(subcommand, Some(command))?;
        }
        Ok(())
    }
}

fn visible_subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Unusable(format!("{}: {error}", path.display()))
}

/// Writes a page.
fn render(
    man: &Man,
    command: &Command,
    parent: Option<&Command>,
    page: &mut dyn Write,
) -> io::Result<()> {
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if visible_subcommands(command).next().is_some() {
        man.render_subcommands_section(page)?;
    }

    let after_help = command.get_after_long_help().or_else(|| command.get_after_help());
    let mut sections = Roff::new();
    if let Some(text) = after_help {
        add_after_help(&mut sections, &text.to_string());
    }
    if let Some(parent) = parent {
        sections.control("SH", ["SEE ALSO"]);
        sections.text([bold(page_name(parent)), roman("(1)")]);
    }
    page.write_all(sections.to_roff().as_bytes())
}

fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Adds the text at the end of the help: paragraphs with examples and exit codes become sections, and all others
/// become notes.
fn add_after_help(sections: &mut Roff, text: &str) {
    let mut current = "";
    for paragraph in text.split("\n\n") {
        let (heading, body) = match paragraph.split_once('\n') {
            Some(("Examples:", body)) => ("EXAMPLES", body),
            Some(("Exit codes:", body)) => ("EXIT STATUS", body),
            _ => ("NOTES", paragraph),
        };

        if heading == current {
            sections.control("PP", []);
        } else {
            sections.control("SH", [heading]);
            current = heading;
        }
        add_lines(sections, body);
    }
}

/// Adds a paragraph. Indented lines stay as they are, all others are filled.
fn add_lines(sections: &mut Roff, body: &str) {
    let mut is_literal = false;
    for line in body.lines() {
        if line.starts_with(' ') != is_literal {
            is_literal = !is_literal;
            sections.control(if is_literal { "nf" } else { "fi" }, []);
        }
        sections.text([Inline::from(line)]);
    }

    if is_literal {
        sections.control("fi", []);
    }
}
