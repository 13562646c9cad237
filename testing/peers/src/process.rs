//! A program on a host: started, watched, and killed by its own process id.

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

/// As much of a log as a failed test prints.
const TAIL_LINES: usize = 80;

/// As long as killed processes may take to be gone.
const GONE: Duration = Duration::from_secs(2);

/// A program that runs on a [`Host`], killed when dropped.
///
/// What it writes goes to a file, and is printed when the test panics.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
    directory: Arc<TempDir>,
    // Last, so that the namespace outlives what runs in it.
    _host: Host,
}

impl Process {
    /// Starts a program on a host, with the arguments, variables and directory that `prepare`
    /// adds to the command.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(host: &Host, program: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::start_in(new_directory(), host, program, prepare)
    }

    /// The same in a directory that outlives this run of the program.
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
        // Some daemons are several processes, which go together.
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

    /// A directory for this program's files, removed with it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it wrote so far, to both streams.
    #[must_use]
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether it has written these words, for [`crate::wait_until`].
    ///
    /// # Errors
    ///
    /// What it wrote.
    pub fn says(&self, words: &str) -> Result<(), String> {
        let output = self.output();
        if output.contains(words) { Ok(()) } else { Err(output) }
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Panics
    ///
    /// If it has ended before.
    pub fn terminate(&mut self) {
        self.assert_running();
        kill_process(self.id().expect("a process id"), Signal::TERM).expect("a signal can be sent");
    }

    /// Ends it and what it started without a last word (SIGKILL), and waits until all of them are gone: the next one
    /// wants their port.
    pub fn kill(&mut self) {
        // Not after its end is known, when the number may be somebody else's.
        let group = self.id().filter(|_| matches!(self.child.try_wait(), Ok(None)));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        // What it started is nobody's child now, and cannot be waited for.
        let begin = Instant::now();
        while group.is_some_and(is_running) && begin.elapsed() < GONE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Waits for it to end.
    ///
    /// # Panics
    ///
    /// If it is still there after `limit`.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait_until(limit, &what, || {
            let status = self.child.try_wait().expect("a child can be waited for");
            status.ok_or_else(|| "it runs".to_owned())
        })
    }

    /// Fails the test with the program's words if it has ended.
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
            // Nothing else is read: one that is a FIFO would never end.
            if is_log {
                let text = std::fs::read(&path).unwrap_or_default();
                print_tail(&format!("{}, {}", self.name, path.display()), &text);
            }
        }
    }
}

/// Whether any process of a group runs; one that waits to be reaped has nothing open any more.
fn is_running(group: Pid) -> bool {
    let group = group.as_raw_nonzero().to_string();
    let of_the_group = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name, in parentheses, may be anything: what follows the last one is state, parent and group.
        let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
        let mut fields = fields.split_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(&group) && state.is_some_and(|state| !["Z", "X"].contains(&state))
    };
    std::fs::read_dir("/proc").into_iter().flatten().flatten().any(of_the_group)
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
