//! Processes that are killed, stopped, or get another time of day. The test binary runs itself as the other process.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use bgp_session::{Import, PeerConfig, PeerHandle, Speaker};
use tokio::time::sleep;

use crate::world::{NODE, node, router, routes, soon, table, towards_node, towards_router};

/// The variable with the other process's task: a part, then addresses.
const PART: &str = "BGP_SESSION_TEST_PART";

/// Another process, ended with this value.
struct Other(Child);

impl Other {
    fn start(part: &str, more: &[(&str, String)]) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([
            "--exact",
            "processes::the_other_process",
            "--nocapture",
            "--test-threads=1",
        ]);
        command.env(PART, part).envs(more.iter().map(|(name, value)| (name, value)));
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Sends a signal by its name.
    fn signal(&self, name: &str) {
        // The shell's own: not every system has the program.
        let kill = format!("kill -{name} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test: the other process.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "that is how the processes speak to each other")]
async fn the_other_process() {
    let Ok(part) = env::var(PART) else { return };
    let [what, listen, from] = part.split(' ').collect::<Vec<_>>()[..] else { panic!("{part}") };
    let listen: SocketAddr = listen.parse().unwrap();
    let (_speaker, _peer): (Speaker, PeerHandle) = match what {
        "node" => {
            let node = node().await;
            let config = towards_router(listen, from).hold_time(Duration::from_secs(3));
            let peer = node.add_peer(config).await.unwrap();
            peer.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
            (node, peer)
        }
        "router" => {
            let router = router(&listen.to_string()).await;
            let peer = router.add_peer(towards_node(from)).await.unwrap();
            (router, peer)
        }
        other => panic!("no such part: {other}"),
    };

    loop {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        println!("now {}", now.as_secs());
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_node_that_is_killed_loses_its_routes_and_its_successor_brings_them_back() {
    let router = router("127.0.71.1:0").await;
    let mut at_router = router.add_peer(towards_node("127.0.0.71")).await.unwrap();
    let part = format!("node {} 127.0.0.71", router.listen_addr().unwrap());
    for session in 1..=2 {
        let mut node = Other::start(&part, &[]);
        soon("the session", at_router.established()).await.unwrap();
        table(&router, "its route", |table| table.len() == 1).await;
        assert_eq!(at_router.stats().established_transitions, session);
        node.kill();
        let down = at_router.wait_for(|status| !status.is_established());
        let reason = soon("its end", down).await.unwrap().last_down.unwrap().to_string();
        let said = ["without a NOTIFICATION", "was reset"];
        assert!(said.iter().any(|words| reason.contains(words)), "{reason}");
        table(&router, "no route", |table| table.is_empty()).await;
    }
}

#[tokio::test]
async fn a_router_that_is_killed_is_found_again_with_all_routes() {
    let probe = router("127.0.72.1:0").await;
    let listen = probe.listen_addr().unwrap();
    probe.shutdown("").await;
    let part = format!("router {listen} 127.0.0.72");
    let node = node().await;
    let mut at_node = node.add_peer(towards_router(listen, "127.0.0.72")).await.unwrap();
    at_node.set_routes(routes(&["172.22.35.70/32", "172.22.35.71/32"])).await.unwrap();
    for session in 1..=2 {
        let mut router = Other::start(&part, &[]);
        soon("the session", at_node.established()).await.unwrap();
        let told =
            |status: &bgp_session::PeerStatus| status.stats.prefixes_announced_out == 2 * session;
        while !told(&at_node.status()) {
            soon("the routes", sleep(Duration::from_millis(5))).await;
        }
        router.kill();
        let down = at_node.wait_for(|status| !status.is_established());
        soon("its end", down).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_hangs_is_ended_by_the_hold_timer_and_comes_back() {
    let router = router("127.0.73.1:0").await;
    let mut at_router = router.add_peer(towards_node("127.0.0.73")).await.unwrap();
    let node = Other::start(&format!("node {} 127.0.0.73", router.listen_addr().unwrap()), &[]);
    soon("the session", at_router.established()).await.unwrap();
    node.signal("STOP");
    let down = at_router.wait_for(|status| !status.is_established());
    let reason = soon("its end", down).await.unwrap().last_down.unwrap().to_string();
    assert_eq!(reason, "ended by us: Hold timer expired, the peer was silent");
    node.signal("CONT");
    soon("the session again", at_router.established()).await.unwrap();
}

/// The path of libfaketime, if it is installed.
fn libfaketime() -> Option<PathBuf> {
    let directories = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let places = directories.map(|directory| directory.join("faketime/libfaketimeMT.so.1"));
    places.into_iter().find(|path| path.is_file())
}

#[tokio::test]
async fn the_time_of_day_may_jump_by_a_day_either_way_and_no_session_notices() {
    let Some(library) = libfaketime() else {
        // `make test` installs it.
        return;
    };
    let directory = env::temp_dir().join(format!("bgp-session-clock-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();

    let file = directory.join("time");
    let leap = |offset: &str| fs::write(&file, offset).unwrap();
    leap("+0");
    let router = router("127.0.74.1:0").await;
    let config = PeerConfig::new("127.0.0.74".parse::<IpAddr>().unwrap(), NODE)
        .passive()
        .import(Import::Keep)
        .hold_time(Duration::from_secs(3));
    let mut at_router = router.add_peer(config).await.unwrap();
    let text = |path: &PathBuf| path.display().to_string();
    let environment = [
        ("LD_PRELOAD", text(&library)),
        ("FAKETIME_TIMESTAMP_FILE", text(&file)),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let part = format!("node {} 127.0.0.74", router.listen_addr().unwrap());
    let mut node = Other::start(&part, &environment);
    let said = BufReader::new(node.0.stdout.take().unwrap());
    let times = std::thread::spawn(move || {
        let seconds = said.lines().map_while(Result::ok);
        seconds
            .filter_map(|line| line.strip_prefix("now ")?.parse::<u64>().ok())
            .collect::<Vec<_>>()
    });
    soon("the session", at_router.established()).await.unwrap();

    // The hold time is three seconds. After a jump forward, a timer that follows the wall clock would expire; after a jump
    // back, it would not expire for a day.
    for (offset, wait) in [("+0", 300), ("+1d", 1_000), ("-1d", 4_000), ("+0", 500)] {
        leap(offset);
        sleep(Duration::from_millis(wait)).await;
        assert!(at_router.status().is_established(), "after {offset}");
    }
    assert_eq!(at_router.stats().established_transitions, 1);

    node.kill();
    fs::remove_dir_all(&directory).unwrap();
    let times = times.join().unwrap();
    let day = 86_400;
    let leaps = times.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) > day / 2).count();
    assert_eq!(leaps, 3, "the node's clock was moved: {times:?}");
}
