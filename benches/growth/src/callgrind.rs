//! Runs this program under valgrind's callgrind, and reads what it has counted.

use std::env;
use std::io;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::works::Work;

/// The cost of a piece of work at one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// The instructions of a whole run.
    pub(crate) instructions: u64,
    /// The allocations and reallocations of a whole run.
    pub(crate) allocations: u64,
    /// How often a run does the work.
    pub(crate) times: u64,
}

/// A piece of work and a size of it.
pub(crate) type Task = (&'static Work, usize);

/// Counts the costs of pieces of work, in their order. As many run at the same time as there are cores, which counts do not
/// depend on.
pub(crate) fn costs(tasks: &[Task]) -> Result<Vec<Cost>, String> {
    let waiting = Mutex::new(tasks.iter().enumerate());
    let next = || waiting.lock().ok()?.next();

    let threads = thread::available_parallelism().map_or(1, usize::from);
    let counted = thread::scope(|scope| {
        let count = || {
            let mut costs = Vec::new();
            while let Some((position, (work, size))) = next() {
                costs.push((position, cost(work, *size)?));
            }
            Ok(costs)
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        let joined =
            threads.into_iter().map(|it| it.join().map_err(|_| "a thread panicked".to_owned()));
        joined.map(|counted| counted.flatten()).collect::<Result<Vec<_>, String>>()
    });

    let mut counted = counted?.concat();
    counted.sort_by_key(|(position, _)| *position);
    Ok(counted.into_iter().map(|(_, cost)| cost).collect())
}

/// Counts the cost of a piece of work at one size.
fn cost(work: &Work, size: usize) -> Result<Cost, String> {
    let program = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let mut command = Command::new("valgrind");
    command
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*measured_work*",
        ])
        .arg(program)
        .args(["run", work.name, &size.to_string()])
        .env("GLIBC_TUNABLES", PLAIN_STRING_FUNCTIONS);
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            "valgrind is missing: `make test-deps` installs it on Debian".to_owned()
        }
        _ => format!("valgrind does not start: {error}"),
    })?;

    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut numbers = stdout.split_whitespace().map(|word| word.parse().ok());
    let (times, allocations) = (numbers.next().flatten(), numbers.next().flatten());
    match (times, allocations, collected(&stderr)) {
        (Some(times), Some(allocations), Some(instructions)) if output.status.success() => {
            Ok(Cost { instructions, allocations, times })
        }
        _ => Err(format!("{} with {size} {}: {}\n{stderr}", work.name, work.unit, output.status)),
    }
}

/// Reads the number of instructions from callgrind's log: `==7== Collected : 1234`.
fn collected(log: &str) -> Option<u64> {
    let line = log.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// Keeps glibc from choosing its `memcpy` and the like by the processor, since the variants take different numbers of
/// instructions: with these features off, it takes the one that every processor has.
const PLAIN_STRING_FUNCTIONS: &str = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512VL,-AVX512F,-EVEX,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2";
