//! The page of `ferrolb run`, whose router is a second speaker in this process.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bgp_session::{Asn, BgpIdentifier, Import, PeerConfig, PeerHandle, Speaker};
use test_peers::requested;

use crate::address_in;
use crate::browser::{Browser, DARK, LIGHT, PHONE};
use crate::world::{Manifests, Process, ferrolb};

const NODE: &str = "127.22.36.25";
const ROUTER: &str = "127.22.36.1";
/// The time in which the page must show that a session is gone.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The number of tries. Other processes may keep a busy machine from one of them.
const TRIES: usize = 3;

/// Starts a router that waits for the node.
async fn router() -> (Speaker, PeerHandle) {
    let listen: SocketAddr = format!("{ROUTER}:0").parse().unwrap();
    let identifier = BgpIdentifier::new(127, 22, 36, 1);
    let speaker = Speaker::builder(Asn(64635), identifier).listen(listen).start().await.unwrap();
    let node: IpAddr = NODE.parse().unwrap();
    let peer = PeerConfig::new(node, Asn(64636)).passive().import(Import::Keep);
    let peer = speaker.add_peer(peer).await.unwrap();
    (speaker, peer)
}

/// Starts `ferrolb run` for the reference example with this router.
fn start(manifests: &Manifests, port: u16, http: &str) -> Process {
    manifests.replace("nodes.yaml", "172.22.35.", "127.22.36.").replace(
        "config.yaml",
        "172.22.35.1\n",
        &format!("{ROUTER}\n      peer-port: {port}\n      hold-time: 30s\n"),
    );
    start_again(manifests, http)
}

fn start_again(manifests: &Manifests, http: &str) -> Process {
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let [dir, state] = [&dir, &state].map(|path| path.to_str().unwrap());
    let arguments = ["--node", "kube1", "--state-file", state, "--http", http, "--socket", "off"];
    Process::start(ferrolb(&[&["run", dir][..], &arguments].concat()))
}

fn address(run: &Process) -> String {
    let line = run.error(|line| line.contains("serving") && line.contains("address="));
    let begin = line.find("address=").unwrap() + "address=".len();
    let address = line[begin..].split_whitespace().next().unwrap();
    address_in(&format!("http://{address}/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_within_a_second_that_a_session_is_gone() {
    if !requested() {
        return;
    }
    let (speaker, peer) = router().await;
    let manifests = Manifests::reference();
    let run = start(&manifests, speaker.listen_addr().unwrap().port(), "127.0.0.1:0");
    let address = address(&run);
    let browser = Browser::start().await;
    browser.look(LIGHT).await;
    browser.open(&format!("{address}/#/")).await;
    browser.wait_for_text("Established").await;
    browser
        .wait("a stream of events", "document.getElementById('connection').innerText === 'Live'")
        .await;

    let mut times = Vec::new();
    while !times.iter().any(|time| *time < AT_ONCE) {
        assert!(times.len() < TRIES, "the page took {times:?}");
        times.push(time_to_show_a_loss(&browser, &peer).await);
        browser.wait_for_text("No problems.").await;
    }

    // What the loss left: the history, the last error, the timeline.
    browser.view("#/sessions").await;
    browser
        .wait("a bar with losses", "document.querySelectorAll('.history .bar-down').length >= 1")
        .await;
    let label: String = browser
        .eval("return document.querySelector('.history').getAttribute('aria-label');", vec![])
        .await;
    assert!(label.starts_with("up for "), "{label}");
    assert!(label.contains("down "), "{label}");
    browser.view("#/events?only=problems").await;
    browser
        .wait("errors in the timeline", "document.querySelectorAll('.event-error').length >= 1")
        .await;

    let detail = format!("#/peer/kube1/{ROUTER}:{}", speaker.listen_addr().unwrap().port());
    for look in [LIGHT, DARK, PHONE] {
        browser.look(look).await;
        for hash in ["#/sessions", &detail, "#/events"] {
            browser.view(hash).await;
            browser.wait("the view", "!document.querySelector('main .loading')").await;
            browser.assert_accessible(&format!("{hash}, {}", look.name)).await;
        }
    }

    browser.assert_no_errors().await;
    browser.assert_only_asks(&address).await;
    browser.end().await;
    drop((run, speaker));
}

/// Disables the peer at the router, and returns the time between the event of the process and the change of the page. The clock of
/// both is that of this machine.
async fn time_to_show_a_loss(browser: &Browser, peer: &PeerHandle) -> Duration {
    let watch = "window.seen = null;
        window.observer?.disconnect();
        window.observer = new MutationObserver(() => {
            const cell = document.querySelector('.matrix td');
            if (cell && !cell.innerText.includes('Established')) window.seen ??= Date.now();
        });
        window.observer.observe(document.querySelector('main'),
            { subtree: true, childList: true, characterData: true, attributes: true });
        return true;";
    let _: bool = browser.eval(watch, vec![]).await;

    let began = Instant::now();
    peer.disable("a line card is changed").await.unwrap();
    browser.wait("a session that is gone", "window.seen !== null").await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    browser.wait_for_text("a line card is changed").await;

    let time = "const done = arguments[0];
        fetch('v1/events').then((response) => response.json()).then(({ events }) => {
            const last = events.filter((event) => event.kind === 'session_down').pop();
            done(window.seen - Date.parse(last.time));
        });";
    let time: i64 = browser.eval_async(time).await;
    peer.enable().await.unwrap();
    browser.wait_for_text("Established").await;
    Duration::from_millis(u64::try_from(time).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_since_when_its_process_is_gone_and_finds_it_again() {
    if !requested() {
        return;
    }
    let (speaker, _peer) = router().await;
    let manifests = Manifests::reference();
    let run = start(&manifests, speaker.listen_addr().unwrap().port(), "127.0.0.1:0");
    let address = address(&run);
    let browser = Browser::start().await;
    browser.look(PHONE).await;
    browser.open(&format!("{address}/")).await;
    browser.wait_for_text("Established").await;

    drop(run);
    let lost = "document.getElementById('notices').innerText.includes('Not connected since ')";
    browser.wait("a notice", lost).await;
    let still = browser.text().await;
    assert!(still.contains("Established"), "what was known stays in view: {still}");
    browser.assert_accessible("a page without its process").await;

    let listen = address.trim_start_matches("http://").to_owned();
    let run = start_again(&manifests, &listen);
    browser.wait("the end of the notice", &format!("!{lost}")).await;
    browser
        .wait(
            "the new process's stream",
            "document.getElementById('connection').innerText === 'Live'",
        )
        .await;
    browser.wait_for_text("Established").await;
    browser.end().await;
    drop((run, speaker));
}
