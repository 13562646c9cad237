//! Facts about the machine and the process, as the kernel gives them.
//!
//! Reads files of `/proc`, `/sys` and `/etc` whose content is known to have no secrets. The environment of a process is not
//! among them.

use std::fs::File;
use std::io::Read as _;

/// Returns the facts about this machine.
pub(super) fn machine() -> String {
    sections(MACHINE.iter().map(|path| (*path).to_owned()))
}

/// Returns the facts about the process with this number.
pub(super) fn process(id: i32) -> String {
    let files = ["cmdline", "status", "limits", "cgroup", "oom_score_adj"];
    sections(files.iter().map(|file| format!("/proc/{id}/{file}")))
}

fn sections(paths: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for path in paths {
        let content = read(&path);
        text.push_str(&format!("== {path}\n{}\n\n", content.trim_end()));
    }
    text
}

/// Returns the beginning of a file, or the reason why it cannot be read.
fn read(path: &str) -> String {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut octets));
    match read {
        // The arguments of a process are separated by zeros.
        Ok(_) => String::from_utf8_lossy(&octets).replace('\0', " "),
        Err(error) => format!("({error})"),
    }
}

/// The most octets of a file.
const LONGEST: u64 = 64 * 1024;

const MACHINE: [&str; 25] = [
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/version",
    "/etc/os-release",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/cpu.max",
    "/proc/self/limits",
    "/proc/sys/net/core/optmem_max",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/net/ipv4/conf/all/rp_filter",
    "/proc/sys/net/ipv4/fib_multipath_hash_policy",
    "/proc/sys/net/ipv6/conf/all/forwarding",
    "/proc/sys/net/ipv6/conf/all/accept_ra",
    "/proc/net/dev",
    "/proc/net/if_inet6",
    "/proc/net/route",
    "/proc/net/snmp",
    "/proc/net/netstat",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_say_where_they_come_from_and_what_cannot_be_read() {
        let own = i32::try_from(std::process::id()).unwrap();
        let facts = process(own);
        assert!(facts.contains(&format!("== /proc/{own}/limits\n")), "{facts}");
        assert!(facts.contains("Max open files"), "{facts}");
        assert!(!facts.contains("environ"), "{facts}");
        assert!(machine().contains("== /proc/sys/kernel/osrelease\n"));

        // No process has this number.
        let facts = process(i32::MAX);
        assert!(facts.contains("cmdline\n(No such file or directory"), "{facts}");
    }
}
