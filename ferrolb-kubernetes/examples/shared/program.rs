//! A process of the binary `ferrolb` beside a benchmark, with its memory and its processor time. Linux only: it reads /proc.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A process that ends when this is dropped.
pub(crate) struct Program(Child);

/// The resident memory of a process, in MB of 10^6 octets.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: f64,
    pub(crate) peak: f64,
    /// The part that is the program itself.
    pub(crate) file: f64,
}

impl Program {
    /// Starts `ferrolb` with these arguments.
    pub(crate) fn start(
        binary: &Path,
        arguments: &[&str],
        kubeconfig: &Path,
        namespace: &str,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(binary);
        command.args(arguments).arg("--kubeconfig").arg(kubeconfig);
        command.args(["--namespace", namespace, "--log-level", "error"]);
        command.stdout(Stdio::null()).spawn().map(Self)
    }

    /// Returns the resident memory.
    pub(crate) fn memory(&self) -> std::io::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let [now, peak, file] = ["VmRSS:", "VmHWM:", "RssFile:"].map(|name| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
            kib.unwrap_or(f64::NAN) * 1024.0 / 1e6
        });
        Ok(Memory { now, peak, file })
    }

    /// Returns the processor time that the program has used, in seconds.
    pub(crate) fn processor_time(&self) -> std::io::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        // utime and stime, in hundredths of a second.
        let times = fields.split_whitespace().skip(11).take(2);
        let hundredths: f64 = times.filter_map(|time| time.parse::<f64>().ok()).sum();
        Ok(hundredths / 100.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Returns the binary that was built with the same profile as this example.
pub(crate) fn built_binary() -> std::io::Result<PathBuf> {
    let example = std::env::current_exe()?;
    let profile = example.ancestors().nth(2).unwrap_or_else(|| Path::new("."));
    Ok(profile.join("ferrolb"))
}
