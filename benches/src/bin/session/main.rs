//! The benchmark of sessions: our speaker and others on one machine, in network namespaces. `make bench-session`.
//!
//! It starts real daemons and our speaker as a process of its own, lets them take turns, and reports the wall time, the CPU
//! time and the peak of memory of each. See the README of this crate for the conditions and the results.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints progress and tables")]

mod held;
mod interrupt;
mod plan;
mod plot;
mod report;
mod routes;
mod sample;
mod scenario;
mod site;
mod speaker;
mod subject;
mod text;
mod usage;
mod view;
mod wire_peer;

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Parser, Subcommand};

use crate::plan::Turn;
use crate::report::Report;
use crate::routes::Table;
use crate::sample::Sample;
use crate::site::Site;
use crate::speaker::SpeakerArgs;
use crate::subject::Contestant;

/// Measures sessions of our speaker and of others. It needs root, for network namespaces.
#[derive(Debug, Parser)]
#[command(name = "session", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the tables of earlier runs, and write their plots.
    Report(ReportArgs),
    /// Run our speaker. The benchmark does so itself.
    #[command(hide = true)]
    Speaker(SpeakerArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Small tables and one round.
    #[arg(long)]
    quick: bool,
    /// The number of rounds. Default: 3, or 1 with --quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only scenarios whose line in --list contains this.
    #[arg(long, default_value = "")]
    scenario: String,
    /// Only these contestants.
    #[arg(long, value_enum, value_delimiter = ',')]
    contestant: Vec<Contestant>,
    /// Append each result to this file, as a line of JSON.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Skip what the file of --output already has.
    #[arg(long, requires = "output")]
    resume: bool,
    /// The directory for the plots.
    #[arg(long, default_value = "target/bench-session")]
    plots: PathBuf,
    /// Print the scenarios, and measure nothing.
    #[arg(long)]
    list: bool,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// Files that --output has written.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The directory for the plots.
    #[arg(long, default_value = "target/bench-session")]
    plots: PathBuf,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse() {
        Cli { command: Some(Command::Speaker(args)), .. } => speaker::run(args),
        Cli { command: Some(Command::Report(args)), .. } => report(&args),
        Cli { run, .. } => measure(&run),
    };
    if let Err(error) = outcome {
        eprintln!("session: {error}");
        return ExitCode::FAILURE;
    }
    if interrupt::requested() { ExitCode::from(130) } else { ExitCode::SUCCESS }
}

fn report(args: &ReportArgs) -> Result<(), Box<dyn Error>> {
    let mut samples = Vec::new();
    for file in &args.files {
        samples.extend(read_samples(file)?);
    }
    finish(&samples, &args.plots)
}

fn measure(args: &RunArgs) -> Result<(), Box<dyn Error>> {
    let scenarios = plan::scenarios(args.quick, &args.scenario);
    if args.list {
        for scenario in scenarios {
            println!("{}: {}", scenario.title(), scenario.case());
        }
        return Ok(());
    }

    let contestants = installed(&args.contestant);
    let rounds = args.rounds.unwrap_or(if args.quick { 1 } else { 3 });
    let turns = plan::turns(&scenarios, &contestants, rounds);
    let mut run = Run::new(args)?;
    interrupt::watch()?;
    println!("{}; load average {} at the start", usage::machine(), usage::load());

    for (number, turn) in turns.iter().enumerate() {
        if interrupt::requested() {
            break;
        }
        run.take(turn, &format!("[{}/{}]", number + 1, turns.len()))?;
    }

    println!("load average {} at the end\n", usage::load());
    finish(&run.samples, &args.plots)
}

/// Prints the tables and writes the plots.
fn finish(samples: &[Sample], plots: &Path) -> Result<(), Box<dyn Error>> {
    let report = Report::new(samples);
    print!("{}", report.markdown());
    std::fs::create_dir_all(plots)?;
    for (name, svg) in plot::all(&report)? {
        std::fs::write(plots.join(name), svg)?;
    }
    println!("The plots are in {}.", plots.display());
    Ok(())
}

/// The wanted contestants that are installed. Names their versions, and those that are missing.
fn installed(wanted: &[Contestant]) -> Vec<Contestant> {
    let wanted = if wanted.is_empty() { &Contestant::ALL[..] } else { wanted };
    let mut found = Vec::new();
    for contestant in wanted {
        match contestant.version() {
            Some(version) => {
                println!("{} {version}", contestant.name());
                found.push(*contestant);
            }
            None => println!("{} is not installed and left out", contestant.name()),
        }
    }
    found
}

fn read_samples(file: &Path) -> Result<Vec<Sample>, Box<dyn Error>> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let samples = text.lines().map(serde_json::from_str).collect::<Result<_, _>>();
    Ok(samples.map_err(|error| format!("{}: {error}", file.display()))?)
}

/// A run of the benchmark: its namespaces, and its results so far.
struct Run {
    site: Site,
    samples: Vec<Sample>,
    output: Option<File>,
    recordings: HashMap<Table, Bytes>,
}

impl Run {
    fn new(args: &RunArgs) -> Result<Self, Box<dyn Error>> {
        let mut samples = Vec::new();
        if let Some(file) = args.output.as_deref().filter(|file| args.resume && file.exists()) {
            samples = read_samples(file)?;
        }
        let output = match &args.output {
            Some(file) => Some(File::options().create(true).append(true).open(file)?),
            None => None,
        };
        Ok(Self { site: Site::new(), samples, output, recordings: HashMap::new() })
    }

    /// Measures one contestant once, and prints the result.
    fn take(&mut self, turn: &Turn, place: &str) -> Result<(), Box<dyn Error>> {
        let Turn { scenario, contestant, round } = *turn;
        let mut earlier = self.samples.iter().filter(|sample| turn.is_of(sample));
        if earlier.any(|sample| sample.round == round || sample.failed.is_some()) {
            return Ok(());
        }

        let recorded = match scenario.recorded().map(|table| self.recording(table)) {
            Some(Err(error)) => {
                println!("{place} {}: BIRD's order is not known: {error}", scenario.case());
                return Ok(());
            }
            Some(Ok(octets)) => Some(octets),
            None => None,
        };

        let sample = scenario.measure(&self.site, contestant, round, recorded.as_ref());
        if sample.failed.as_deref() == Some(interrupt::REASON) {
            return Ok(());
        }
        println!("{place} {}", report::line(&sample));
        if let Some(output) = &mut self.output {
            writeln!(output, "{}", serde_json::to_string(&sample)?)?;
        }
        self.samples.push(sample);
        Ok(())
    }

    fn recording(&mut self, table: Table) -> Result<Bytes, String> {
        if let Some(octets) = self.recordings.get(&table) {
            return Ok(octets.clone());
        }
        let octets = scenario::record(&self.site, table)?;
        self.recordings.insert(table, octets.clone());
        Ok(octets)
    }
}
