//! A LAN of network namespaces: one for each host, and one for the switch between them.
//!
//! The names are `ferrolb-PID-N-HOST`. So test processes do not collide, and the names show which
//! namespaces a killed test has left behind.

use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::Runtime;

use crate::requirements::program;

const PREFIX: &str = "ferrolb-";
const NAMESPACES: &str = "/run/netns";

/// An Ethernet with hosts on it, all of them network namespaces of this test.
#[derive(Clone, Debug)]
pub struct Lan {
    switch: Arc<Namespace>,
    ports: Arc<AtomicU32>,
}

/// A host on a [`Lan`], with its interface `lan0`.
///
/// Its namespace is removed when the last clone is gone; a [`crate::Process`] keeps one.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    addresses: Vec<IpAddr>,
    namespace: Arc<Namespace>,
    port: String,
    switch: Arc<Namespace>,
}

impl Lan {
    /// An Ethernet without hosts.
    ///
    /// # Panics
    ///
    /// If this process may not create namespaces, or the kernel has no bridges.
    #[must_use]
    pub fn new() -> Self {
        static LANS: AtomicU32 = AtomicU32::new(0);
        remove_left_over();

        let number = LANS.fetch_add(1, Ordering::Relaxed);
        let switch = Namespace::new(format!("{PREFIX}{}-{number}", std::process::id()));

        switch.ip("link add br0 type bridge forward_delay 0");
        switch.ip("link set br0 up");
        Self { switch: Arc::new(switch), ports: Arc::default() }
    }

    /// Plugs in a host with these addresses, each with its prefix length (`172.22.35.1/24`).
    ///
    /// # Panics
    ///
    /// If an address cannot be read or set.
    #[must_use]
    pub fn host(&self, name: &str, addresses: &[&str]) -> Host {
        let namespace = Namespace::new(format!("{}-{name}", self.switch.name));
        namespace.ip("link set lo up");

        let port = self.plug_in(&namespace, "lan0", addresses);
        let addresses = addresses.iter().map(|address| parse_address(address)).collect();
        let switch = Arc::clone(&self.switch);
        Host { name: name.to_owned(), addresses, namespace: Arc::new(namespace), port, switch }
    }

    /// Plugs in `router` and `node`, each with an IPv4 and an IPv6 address.
    ///
    /// # Panics
    ///
    /// If an address cannot be set.
    #[must_use]
    pub fn router_and_node(&self) -> (Host, Host) {
        let router = self.host("router", &["172.22.35.1/24", "fd22::1/64"]);
        (router, self.host("node", &["172.22.35.26/24", "fd22::26/64"]))
    }

    /// Plugs in `router` and `node` with the link-local addresses `fe80::1` and `fe80::26`. Each also has an
    /// address that no session uses.
    ///
    /// # Panics
    ///
    /// If an address cannot be set.
    #[must_use]
    pub fn unnumbered_router_and_node(&self) -> (Host, Host) {
        let router = self.host("router", &["fe80::1/64", "172.22.35.1/32"]);
        (router, self.host("node", &["fe80::26/64", "172.22.36.26/32"]))
    }

    /// Connects a host of another LAN with this one, by an interface of that name.
    ///
    /// # Panics
    ///
    /// If an address cannot be read or set.
    pub fn join(&self, host: &Host, interface: &str, addresses: &[&str]) {
        let _ = self.plug_in(&host.namespace, interface, addresses);
    }

    /// Plugs a namespace in, and returns the name of the switch's end of the cable.
    fn plug_in(&self, namespace: &Namespace, interface: &str, addresses: &[&str]) -> String {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        let switch = &self.switch.name;
        namespace.ip(&format!("link add {interface} type veth peer name {port} netns {switch}"));

        // No link-local address: BIRD would add it to its IPv6 next hops. FRR without zebra knows no
        // interface, and takes a next hop with a link-local address for an error.
        namespace.ip(&format!("link set {interface} addrgenmode none"));

        for address in addresses {
            // Without duplicate address detection an IPv6 address can be used at once.
            let nodad = if address.contains(':') { " nodad" } else { "" };
            namespace.ip(&format!("address add {address} dev {interface}{nodad}"));
        }

        self.switch.ip(&format!("link set {port} master br0 up"));
        namespace.ip(&format!("link set {interface} up"));
        port
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// The host's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its addresses, in the order in which they were given.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// A command that runs on this host. Its process is the program itself, so a signal to the
    /// process reaches the program.
    #[must_use]
    pub fn command(&self, program_path: &Path) -> Command {
        let mut command = Command::new(program("ip"));
        command.args(["netns", "exec", &self.namespace.name]).arg(program_path);
        // `scripts/check-leftovers` finds the processes of a test by this variable.
        command.env("FERROLB_TEST_OWNER", std::process::id().to_string());
        command
    }

    /// Runs `work` on a thread of this host, and waits for it. Threads started there are on this
    /// host, too.
    ///
    /// # Panics
    ///
    /// If `work` does, or if the thread cannot enter the namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = std::fs::File::open(Path::new(NAMESPACES).join(&self.namespace.name))
            .expect("the host's namespace can be opened");
        let name = std::thread::current().name().unwrap_or(&self.name).to_owned();

        let result = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("a thread can enter the host's namespace");
                work()
            });
            thread.expect("a thread can be started").join()
        });
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs `work` like [`Host::enter`], with a runtime whose threads are on this host.
    ///
    /// # Panics
    ///
    /// As [`Host::enter`].
    pub fn with_runtime<T: Send>(&self, work: impl FnOnce(&Runtime) -> T + Send) -> T {
        self.enter(|| work(&runtime()))
    }

    /// Runs `ip` on this host, with arguments that have no spaces in them.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn ip(&self, arguments: &str) {
        self.namespace.ip(arguments);
    }

    /// Makes the host a router between its LANs.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn forward_packets(&self) {
        self.enter(|| {
            for file in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                std::fs::write(Path::new("/proc/sys/net").join(file), "1")
                    .expect("forwarding can be turned on");
            }
        });
    }

    /// Pulls the cable at the switch: the interface stays up, and everything that is sent is lost.
    pub fn unplug(&self) {
        self.switch.ip(&format!("link set {} nomaster", self.port));
    }

    /// Plugs the cable in again.
    pub fn plug(&self) {
        self.switch.ip(&format!("link set {} master br0", self.port));
    }
}

/// A runtime whose threads, and therefore its sockets, are on the host of the calling thread.
///
/// # Panics
///
/// If no thread can be started.
#[must_use]
pub fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

fn parse_address(address: &str) -> IpAddr {
    let (address, _) = address.split_once('/').expect("an address with its prefix length");
    address.parse().expect("an IP address")
}

/// A named network namespace, removed when dropped.
#[derive(Debug)]
struct Namespace {
    name: String,
}

impl Namespace {
    fn new(name: String) -> Self {
        run_ip(&["netns", "add", &name]);
        Self { name }
    }

    /// Runs `ip` on this namespace, with arguments that have no spaces in them.
    fn ip(&self, arguments: &str) {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments.split_whitespace());
        run_ip(&all);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Not `run_ip`: if the test is already unwinding, a second panic would abort it.
        let _ = Command::new(program("ip"))
            .args(["netns", "delete", &self.name])
            .stderr(Stdio::null())
            .status();
    }
}

fn run_ip(arguments: &[&str]) {
    let output = Command::new(program("ip")).args(arguments).output().expect("`ip` can be started");
    assert!(
        output.status.success(),
        "`ip {}` failed: {}. Interoperability tests need root and a kernel with network \
         namespaces, veth and bridges; a container needs --privileged",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
}

/// Removes the namespaces of test processes that were killed before they could remove them.
fn remove_left_over() {
    let Ok(entries) = std::fs::read_dir(NAMESPACES) else { return };
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        let Some(owner) = owner.filter(|pid| pid.parse::<u32>().is_ok()) else { continue };

        if !Path::new("/proc").join(owner).exists() {
            kill_all_in(&name);
            drop(Namespace { name });
        }
    }
}

fn kill_all_in(namespace: &str) {
    let Ok(output) = Command::new(program("ip")).args(["netns", "pids", namespace]).output() else {
        return;
    };
    for pid in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
