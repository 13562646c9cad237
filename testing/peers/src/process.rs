//! A program on a host: starts it, watches it, and kills it by its own process id.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::lan::Host;
use crate::wait::wait_until;

/// The number of a log's lines that a failed test prints.
const TAIL_LINES: usize = 80;

/// The time in which killed processes must end.
const GONE: Duration = Duration::from_secs(2);

/// A program that runs on a [`Host`], killed when dropped.
///
/// Its output goes to a file, which is printed if the test panics.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    directory: Arc<TempDir>,
    // The last field, so that the namespace outlives its processes.
    _host: Host,
}

impl Process {
    /// Starts a program on a host. `prepare` adds arguments, variables and the working directory to the
    /// command.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(host: &Host, program: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_in(new_directory(), host, program, prepare)
    }

    /// Starts a program like [`Process::start`], in a directory that outlives it.
    pub(crate) fn start_in(
        directory: Arc<TempDir>,
        host: &Host,
        program: &Path,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let output = directory.path().join("output");
        let file = File::options().create(true).append(true).open(&output);
        let file = file.expect("an output file can be made");

        let mut command = host.command(program);
        prepare(&mut command);

        // Some daemons have several processes, which must end together.
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("an output file can be shared"))
            .stderr(file)
            .spawn()
            .expect("`ip netns exec` can be started");

        let program = program.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{program} on {}", host.name());
        Self { name, child, output, directory, _host: host.clone() }
    }

    /// A directory for this program's files, removed with the program.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its output so far, of both streams.
    #[must_use]
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns `Ok` if its output contains these words, for [`crate::wait_until`].
    ///
    /// # Errors
    ///
    /// The output.
    pub fn says(&self, words: &str) -> Result<(), String> {
        let output = self.output();
        if output.contains(words) { Ok(()) } else { Err(output) }
    }

    /// Sends it a SIGTERM.
    ///
    /// # Panics
    ///
    /// If it has already ended.
    pub fn terminate(&mut self) {
        self.assert_running();
        kill_process(self.id().expect("a process id"), Signal::TERM).expect("a signal can be sent");
    }

    /// Pauses it until the result is dropped (SIGSTOP, SIGCONT). The other programs of the host go on.
    ///
    /// # Panics
    ///
    /// If no signal can be sent.
    #[track_caller]
    pub fn pause(&self) -> Paused<'_> {
        self.suspend();
        Paused(self)
    }

    /// Stops it (SIGSTOP) until [`Process::resume`]. The kernel goes on accepting connections for it.
    ///
    /// # Panics
    ///
    /// If no signal can be sent.
    #[track_caller]
    pub fn suspend(&self) {
        kill_process(self.id().expect("a process id"), Signal::STOP).expect("a signal can be sent");
    }

    /// Ends what [`Process::suspend`] began.
    pub fn resume(&self) {
        if let Some(process) = self.id() {
            let _ = kill_process(process, Signal::CONT);
        }
    }

    /// Kills it and its children (SIGKILL), and waits until all of them have ended, since the next process needs
    /// their port.
    pub fn kill(&mut self) {
        // If the process is known to have ended, its number may already belong to another process.
        let group = self.id().filter(|_| matches!(self.child.try_wait(), Ok(None)));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }

        let _ = self.child.wait();

        // Its children are no longer ours, so we cannot wait for them as a parent does.
        let begin = Instant::now();
        while group.is_some_and(is_running) && begin.elapsed() < GONE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The ids of the program's processes, its own first: some daemons consist of several. Empty if it has ended.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let Some(group) = self.id() else { return Vec::new() };
        let mut ids = processes_of(group);
        ids.sort_by_key(|id| (*id != self.child.id(), *id));
        ids
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Waits for it to end.
    ///
    /// # Panics
    ///
    /// If it still runs after `limit`.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait_until(limit, &what, || {
            let status = self.child.try_wait().expect("a child can be waited for");
            status.ok_or_else(|| "it runs".to_owned())
        })
    }

    /// Fails the test with the program's output if it has ended.
    ///
    /// # Panics
    ///
    /// If it has ended.
    #[track_caller]
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
            panic!("{} ended ({status})", self.name);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            return;
        }

        for entry in std::fs::read_dir(self.directory.path()).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_log = path == self.output || path.extension().is_some_and(|e| e == "log");
            // Other files are not read: reading a FIFO would never end.
            if is_log {
                let text = std::fs::read(&path).unwrap_or_default();
                print_tail(&format!("{}, {}", self.name, path.display()), &text);
            }
        }
    }
}

/// A process that is paused until this is dropped.
#[derive(Debug)]
pub struct Paused<'a>(&'a Process);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// Returns true if any process of a group runs.
fn is_running(group: Pid) -> bool {
    !processes_of(group).is_empty()
}

/// The processes of a group that run. A zombie has closed everything, and does not count.
fn processes_of(group: Pid) -> Vec<u32> {
    let group = group.as_raw_nonzero().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let running = processes.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in parentheses, may be anything. State, parent and group follow the last parenthesis.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        (fields.nth(1) == Some(&group) && !["Z", "X"].contains(&state)).then_some(id)
    });
    running.collect()
}

/// A temporary directory to share with the runs of a program.
pub(crate) fn new_directory() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary directory can be made"))
}

fn print_tail(title: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "--- {title}\n{}\n---", tail.join("\n"));
}
