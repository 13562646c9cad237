//! Probes of `ferrolb run`: a pod that no longer answers, though Kubernetes calls it ready, takes its node's route away.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bgp_session::{Origin, PathAttributes};

use crate::run::{ALL, Router, manifests_for, run};
use crate::world::{Manifests, wait_until};

const SMTP: &str = "172.22.35.70/32";
const REST: [&str; 2] = [ALL[0], ALL[2]];

/// A server at the pod's address, in its own thread.
struct Pod {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
    /// The server does not answer while this lock is held.
    silence: Arc<Mutex<()>>,
}

impl Pod {
    fn start() -> Self {
        let listener = TcpListener::bind("127.22.35.80:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let silence = Arc::new(Mutex::new(()));
        let (answer, count) = (Arc::clone(&status), Arc::clone(&asked));
        let silent = Arc::clone(&silence);

        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = [0; 512];
                let read = stream.read(&mut request).unwrap_or(0);
                if !request[..read].starts_with(b"GET /healthz HTTP/1.1\r\n") {
                    continue;
                }
                // Requests counted after a change of the status get the new status.
                let status = answer.load(Ordering::SeqCst);
                count.fetch_add(1, Ordering::SeqCst);
                drop(silent.lock());
                let _ = stream.write_all(format!("HTTP/1.1 {status} So\r\n\r\n").as_bytes());
            }
        });
        Self { address, status, asked, silence }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The reference files with this pod for smtp, and with these annotations about its probe.
fn manifests(router: &Router, pod: &Pod, annotations: &[(&str, &str)]) -> Manifests {
    let manifests = manifests_for(router);
    let address = pod.address.ip().to_string();
    manifests.replace("endpoints.yaml", "10.244.2.15", &address);
    let pool = "- name: default\n      protocol: bgp\n";
    manifests.replace("config.yaml", pool, &format!("{pool}      allow-health: true\n"));
    let probe = format!("http:{}/healthz", pod.address.port());
    let all = [("probe", probe.as_str()), ("probe-interval", "100ms"), ("probe-timeout", "30s")];
    let all = all.iter().chain(annotations);
    let lines: String =
        all.map(|(key, value)| format!("    ferrolb.io/{key}: '{value}'\n")).collect();
    let known = "    metallb.universe.tf/address-pool: default\n";
    manifests.replace("services.yaml", known, &format!("{known}{lines}"));
    manifests
}

fn smtp_at(router: &Router) -> Option<PathAttributes> {
    let table = router.speaker.loc_rib();
    let found = table.iter().find(|(prefix, _)| prefix.to_string() == SMTP);
    found.map(|(_, paths)| (*paths.best().unwrap().attributes).clone())
}

#[test]
fn the_route_is_withdrawn_while_the_pod_does_not_answer() {
    let (router, pod) = (Router::start(), Pod::start());
    let manifests = manifests(&router, &pod, &[("probe-rise", "2"), ("probe-fall", "3")]);
    let run = run(&manifests);
    wait_until("the table", || router.has_all());

    let since = router.since();
    let before = pod.asked();
    pod.answers(503);
    wait_until("the withdrawal", || router.table() == REST);
    assert!(pod.asked() - before >= 3, "only after as many failures in a row as it is told");
    run.error(|line| line.contains("the probe fails") && line.contains("HTTP status 503"));

    let before = pod.asked();
    pod.answers(204);
    wait_until("the table as it was", || router.has_all());
    assert!(pod.asked() - before >= 2, "only after as many answers in a row as it is told");
    assert_eq!(router.since(), since, "it is the session of the beginning");

    // Without the annotation there are no probes, and earlier results have no effect.
    pod.answers(503);
    wait_until("the withdrawal", || router.table() == REST);
    let text = manifests.read("services.yaml");
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("ferrolb.io/")).collect();
    manifests.write("services.yaml", &without.join("\n"));
    wait_until("the table as it was", || router.has_all());
}

#[test]
fn a_recovered_pod_is_held_down_with_a_depreferenced_route() {
    let (router, pod) = (Router::start(), Pod::start());
    pod.answers(500);
    let held = [("when-unhealthy", "depreference"), ("hold-down", "2s"), ("probe-rise", "1")];
    let manifests = manifests(&router, &pod, &held);
    let run = run(&manifests);

    // At startup the first attempt decides.
    wait_until("the route", || smtp_at(&router).is_some());
    let attributes = smtp_at(&router).unwrap();
    let worse = |attributes: &PathAttributes| {
        attributes.origin == Origin::Incomplete && attributes.med == Some(u32::MAX)
    };
    assert!(worse(&attributes), "{attributes:?}");
    assert_eq!(attributes.as_path.to_string(), "64636 64636");

    let began = Instant::now();
    pod.answers(200);
    run.error(|line| line.contains("the probe succeeds again, but the Service is held down"));
    assert!(smtp_at(&router).is_some_and(|it| worse(&it)), "it is not trusted yet");
    wait_until("the route as it should be", || smtp_at(&router).is_some_and(|it| !worse(&it)));
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(smtp_at(&router).unwrap().as_path.to_string(), "64636");

    // A closed port is a failure as well.
    let port = pod.address.port().to_string();
    manifests.replace("services.yaml", &format!("http:{port}/healthz"), "tcp:1");
    wait_until("a worse route", || smtp_at(&router).is_some_and(|it| worse(&it)));
    run.error(|line| line.contains("the probe fails") && line.contains("refused"));
}

#[test]
fn a_session_starts_after_the_first_probe_attempt() {
    let (router, pod) = (Router::start(), Pod::start());
    let manifests = manifests(&router, &pod, &[]);
    let silence = pod.silence.lock().unwrap();
    let process = run(&manifests);
    wait_until("the first try", || pod.asked() > 0);

    let (since, begin) = (router.since(), Instant::now());
    while begin.elapsed() < Duration::from_millis(500) {
        assert!(router.table().is_empty(), "{:?}", router.table());
        assert_eq!(router.since(), since, "a session began");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(silence);
    wait_until("the table", || router.has_all());

    // The session does not wait for the end of a slow attempt.
    drop(process);
    let silence = pod.silence.lock().unwrap();
    let process = run(&manifests);
    process.error(|line| line.contains("sessions start without 1 Services"));
    wait_until("the rest", || router.table() == REST);

    drop(silence);
    wait_until("the table", || router.has_all());
}
