//! What processes use, and the machine that they run on, from `/proc`.

use std::fs::read_to_string;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;

/// The CPU time of a group of processes since the start of the meter.
#[derive(Debug)]
pub(crate) struct Meter {
    processes: Vec<u32>,
    before: Duration,
}

impl Meter {
    /// Starts to measure.
    pub(crate) fn start(processes: Vec<u32>) -> Self {
        let before = cpu_time(&processes);
        Self { processes, before }
    }

    /// The CPU time since the start, of all threads.
    pub(crate) fn cpu_time(&self) -> Duration {
        cpu_time(&self.processes).saturating_sub(self.before)
    }

    /// The peak of resident memory of all processes together, in MB (10^6 octets).
    pub(crate) fn peak_mb(&self) -> f64 {
        let peaks = self.processes.iter().filter_map(|process| {
            peak_kib(&read_to_string(format!("/proc/{process}/status")).ok()?)
        });
        peaks.sum::<u64>() as f64 * 1_024.0 / 1e6
    }
}

fn cpu_time(processes: &[u32]) -> Duration {
    processes.iter().map(|process| cpu_time_of(*process)).sum()
}

/// The CPU time of a process: in nanoseconds where the kernel counts them for each thread, otherwise in ticks of 10 ms.
/// Threads that have ended only count in ticks.
fn cpu_time_of(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    let times = threads.flatten().map(|thread| {
        let schedstat = read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    });
    times.sum::<Option<Duration>>().filter(|time| !time.is_zero()).unwrap_or_else(|| {
        let stat = read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        ticks(cpu_ticks(&stat).map_or(0, |[own, _children]| own))
    })
}

fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / clock_ticks_per_second().max(1) as f64)
}

/// User and system time in the text of `/proc/PID/stat`: of the process, and of its children that have ended.
fn cpu_ticks(stat: &str) -> Option<[u64; 2]> {
    // The name, in parentheses, may be anything. The times are the fields from the 12th after it on.
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<u64> =
        fields.split_whitespace().skip(11).map_while(|field| field.parse().ok()).collect();
    let [user, system, children_user, children_system, ..] = *fields else { return None };
    Some([user + system, children_user + children_system])
}

/// The peak of resident memory in the text of `/proc/PID/status`.
fn peak_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The CPU time of all processes of the machine, to know how much of it others used.
#[derive(Debug)]
pub(crate) struct Machine {
    busy: Duration,
    own: Duration,
    /// The CPU time of children that have ended.
    children: Duration,
    at: Instant,
}

impl Machine {
    pub(crate) fn now() -> Self {
        let stat = read_to_string("/proc/stat").unwrap_or_default();
        let busy = ticks(busy_ticks(&stat).unwrap_or_default());
        let stat = read_to_string("/proc/self/stat").unwrap_or_default();
        let children = ticks(cpu_ticks(&stat).map_or(0, |[_own, children]| children));
        Self { busy, own: cpu_time_of(std::process::id()), children, at: Instant::now() }
    }

    /// The share of all cores that other programs used since then. `measured` is the CPU time of the measured processes, which
    /// have ended.
    pub(crate) fn used_by_others(&self, measured: Duration) -> f64 {
        let now = Self::now();
        // Grandchildren are not among the children, and the clients that ask daemons are not among the measured.
        let children = now.children.saturating_sub(self.children).max(measured);
        let ours = now.own.saturating_sub(self.own) + children;
        let others = (now.busy - self.busy).saturating_sub(ours);
        let elapsed = (now.at - self.at).as_secs_f64() * cores() as f64;
        if elapsed > 0.0 { others.as_secs_f64() / elapsed } else { 0.0 }
    }
}

/// The busy time of all cores in the text of `/proc/stat`: everything but idle and waiting for I/O. Guest time is part of user
/// time.
fn busy_ticks(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> =
        fields.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = *fields else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

/// The number of cores.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The machine and its load, in words, without any name.
pub(crate) fn machine() -> String {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.and_then(|rest| Some(rest.split_once(':')?.1.trim())).unwrap_or("unknown CPU");
    let release = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim().split('-').next().unwrap_or_default();
    format!("{} cores ({model}), Linux {release}", cores())
}

/// The load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_move_the_fields() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 10 0 0 0 7 5 4 3 20 0 1 0 100 1000 10";
        assert_eq!(cpu_ticks(stat), Some([12, 7]));
        assert_eq!(cpu_ticks("42 (bird"), None);
    }

    #[test]
    fn the_peak_is_read_from_its_own_line() {
        assert_eq!(peak_kib("Name:\tbird\nVmPeak:\t 99 kB\nVmHWM:\t 31744 kB\n"), Some(31_744));
        assert_eq!(peak_kib("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn busy_time_leaves_out_idle_and_io_wait() {
        assert_eq!(busy_ticks("cpu  1 2 4 1000 500 8 16 32 64 0\ncpu0 1 1\n"), Some(63));
        assert_eq!(busy_ticks(""), None);
    }

    #[test]
    fn a_meter_sees_the_work_of_this_process() {
        let meter = Meter::start(vec![std::process::id()]);
        let mut number = 1_u64;
        while meter.cpu_time().is_zero() {
            for factor in 0..100_000_u64 {
                number = std::hint::black_box(number.wrapping_mul(factor | 1));
            }
        }
        assert!(meter.peak_mb() > 0.1, "{number}");
    }
}
