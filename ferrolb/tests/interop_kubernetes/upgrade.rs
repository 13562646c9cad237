//! An upgrade of the speakers, one node after the other, with routers that support graceful restart (RFC 4724).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::json;
use test_peers::{Bird, Path, Router, wait_until};
use tokio::io::AsyncWriteExt as _;

use crate::cluster::wait;
use crate::programs::NODES;
use crate::site::{EVERYWHERE, Site, nodes_of};

/// A route through every node, and a route through only one node, which probes its pod.
const KEPT: [(&str, &[&str]); 2] =
    [("172.22.35.64/32", EVERYWHERE), ("172.22.35.70/32", &["kube2"])];

/// The first of these routes that lacks a node or a best path at the router. An error if the router does not answer.
fn lacking(router: &impl Router) -> Result<Option<String>, String> {
    for (prefix, nodes) in KEPT {
        let paths = router.paths(prefix)?;
        let found = (used(&paths), nodes_of(&paths));
        let wanted = (true, Ok(nodes.iter().copied().collect()));
        if found != wanted {
            return Ok(Some(format!("{prefix} through {found:?}")));
        }
    }
    Ok(None)
}

fn used(paths: &[Path]) -> bool {
    paths.iter().any(|path| path.used)
}

/// The latest lines of the log about sessions.
fn session_log(log: &str) -> String {
    let words = ["ADJCHANGE", "raceful", "session", "BFD"];
    let lines: Vec<_> =
        log.lines().filter(|line| words.iter().any(|word| line.contains(word))).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A monitor that polls a router, and notes every missing route.
struct RouterMonitor {
    stop: Arc<AtomicBool>,
    polling: JoinHandle<Observations>,
}

/// The observations of a monitor.
#[derive(Default)]
struct Observations {
    /// The number of answers of the router.
    looks: u32,
    /// The missing routes.
    lacks: Vec<String>,
    /// The errors of queries without an answer.
    unanswered: Vec<String>,
}

impl RouterMonitor {
    fn start<R: Router + 'static>(router: &Arc<R>) -> Self {
        let (stop, router) = (Arc::new(AtomicBool::new(false)), Arc::clone(router));
        let stopped = Arc::clone(&stop);
        let polling = std::thread::spawn(move || {
            let (mut observations, mut last) = (Observations::default(), None);
            while !stopped.load(Ordering::Relaxed) {
                match lacking(&*router) {
                    Ok(lack) => {
                        observations.looks += 1;
                        if let Some(lack) = lack.as_ref().filter(|_| lack != last) {
                            let (look, log) = (observations.looks, session_log(&router.log()));
                            observations.lacks.push(format!("look {look}: {lack}; {log}"));
                        }
                        last = lack;
                    }
                    Err(why) => observations.unanswered.push(why),
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            observations
        });
        Self { stop, polling }
    }

    /// Stops polling.
    ///
    /// # Panics
    ///
    /// If a route was missing at any time, or if the router has hardly answered.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let Observations { looks, lacks, unanswered } = self.polling.join().unwrap();
        assert!(lacks.is_empty(), "of {looks} looks: {}", lacks.join("\n"));
        assert!(looks >= 30, "with {looks} looks that is no watch: {unanswered:?}");
        let failed = unanswered.len();
        let few = u64::try_from(failed).unwrap() * 10 <= u64::from(looks);
        assert!(few, "{failed} questions beside {looks} looks had no answer: {unanswered:?}");
    }
}

pub(crate) async fn one_after_the_other<R: Router + 'static>(site: &mut Site<R>) {
    begin(site).await;
    let services = site.programs.cluster.services();
    let monitor = RouterMonitor::start(&site.router);
    for (number, (node, address)) in NODES.into_iter().enumerate() {
        if site.has_bfd() {
            // Otherwise the router would not notice.
            wait("BFD", async || site.router.bfd_up(address.into())).await;
            site.expect_bfd(node, "Up").await;
        }
        if site.has_bfd() {
            terminate_unnoticed(site, node).await;
        } else {
            site.programs.terminate_speaker(node).await;
        }
        wait_for_end(site, node).await;
        if site.has_bfd() {
            wait("BFD to notice", async || match site.router.bfd_up(address.into()) {
                Ok(()) => Err("it is up".to_owned()),
                Err(_) => Ok(()),
            })
            .await;
        }
        // The new process announces the new routes, and no longer the deleted ones. Only its
        // End-of-RIB removes these from the router.
        let name = format!("during-{number}");
        let address = format!("172.22.35.{}", 80 + number);
        site.programs.cluster.endpoints(&name, &[("kube1", true)]).await;
        site.programs.cluster.create(&name, json!({"loadBalancerIP": address})).await;
        let address = format!("{address}/32");
        if number > 0 {
            let gone = format!("during-{}", number - 1);
            services.delete(&gone, &DeleteParams::default()).await.unwrap();
        }
        site.programs.start_speaker(node);
        let [web, smtp] = KEPT;
        let now = [web, smtp, (&*address, EVERYWHERE)];
        site.expect(&format!("{node} with a new version"), &now).await;
    }
    monitor.end();
}

/// Checks in BIRD's log, which is complete, that BIRD removed none of the routes until the end.
pub(crate) async fn logged_by_bird(
    site: &mut Site<Bird>,
    story: impl AsyncFnOnce(&mut Site<Bird>),
) {
    site.router.ask("debug all { states, routes }").unwrap();
    story(site).await;
    let log = site.router.log();
    let of_kept = |line: &&str| KEPT.iter().any(|(prefix, _)| line.contains(prefix));
    let mut lines = log.lines().filter(of_kept).filter(|line| line.contains(".ipv4 > "));
    assert!(lines.clone().any(|line| line.contains("> added")), "no word of routes: {log}");
    let removed = lines.find(|line| line.contains("> removed"));
    assert_eq!(removed, None, "{log}");
}

/// Kills the speaker once before it has a session, and once as soon as it has repeated its routes, with or without End-of-RIB.
/// A kill between the two is the limit shown by [`cut_before_the_first_route`].
pub(crate) async fn killed_again_while_it_comes_back<R: Router + 'static>(site: &mut Site<R>) {
    begin(site).await;
    let monitor = RouterMonitor::start(&site.router);
    for round in 0..3 {
        site.programs.kill_speaker("kube2");
        wait_for_end(site, "kube2").await;
        // Without a network, the speaker gets no further than its first request.
        site.programs.unplug("kube2");
        site.programs.start_speaker("kube2");
        tokio::time::sleep(Duration::from_millis(100)).await;
        site.programs.kill_speaker("kube2");
        site.programs.plug("kube2");
        // A new route arrives together with the repeated ones.
        let (name, address) = (format!("new-{round}"), format!("172.22.35.{}", 80 + round));
        site.programs.cluster.endpoints(&name, &[("kube1", true)]).await;
        site.programs.cluster.create(&name, json!({"loadBalancerIP": address})).await;
        site.programs.start_speaker("kube2");
        wait("the routes again", async || {
            let found = nodes_of(&site.router.paths(&format!("{address}/32"))?)?;
            if found.contains("kube2") { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }
    monitor.end();
}

async fn begin<R: Router>(site: &mut Site<R>) {
    site.programs.cluster.endpoints("web", &[("kube1", true)]).await;
    site.programs.cluster.create("web", json!({})).await;
    let (node, address) = NODES[1];
    let port = answer_slowly(site.programs.on(node, || TcpListener::bind((address, 0)).unwrap()));
    let pod = json!({"addresses": [address], "nodeName": node, "conditions": {"ready": true}});
    site.programs.cluster.slice("smtp", vec![pod]).await;
    let probe = json!({"ferrolb.io/probe": format!("http:{port}")});
    let smtp = json!({"loadBalancerIP": "172.22.35.70", "externalTrafficPolicy": "Local"});
    site.programs.cluster.create_with("smtp", probe, smtp).await;
    site.expect("both Services", &KEPT).await;
    wait("them to be chosen", async || lacking(&*site.router)?.map_or(Ok(()), Err)).await;
}

/// Starts a pod that answers probes only after a session could have started. Returns its port.
fn answer_slowly(listener: TcpListener) -> u16 {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(500)).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
            });
        }
    });
    port
}

/// Ends a speaker while the router is too busy to notice. The router must not find the end of BFD before that of the session.
async fn terminate_unnoticed<R: Router>(site: &mut Site<R>, node: &'static str) {
    let router = Arc::clone(&site.router);
    let busy = async {
        let paused = router.daemon().pause();
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(paused);
    };
    tokio::join!(busy, site.programs.terminate_speaker(node));
}

/// Waits until the router has noticed the end of the session.
async fn wait_for_end<R: Router>(site: &Site<R>, node: &str) {
    wait("the end of the session", async || match site.session(node)?.state.as_str() {
        "Established" => Err("still Established".to_owned()),
        _ => Ok(()),
    })
    .await;
}

/// Opens a session like a restarted speaker, and ends it before the first route.
fn hello_and_goodbye(address: Ipv4Addr) {
    let marker = [0xff; 16];
    // MP-BGP IPv4, four octets of AS 64636, and graceful restart: restarted, 120 s, IPv4 with its forwarding state.
    let capabilities = [
        &[1_u8, 4, 0, 1, 0, 1][..],
        &[65, 4, 0, 0, 0xfc, 0x7c],
        &[64, 6, 0x80, 120, 0, 1, 1, 0x80],
    ]
    .concat();
    let mut open = vec![4, 0xfc, 0x7c, 0, 90];
    open.extend(address.octets());

    let length = u8::try_from(capabilities.len()).unwrap();
    open.extend([length + 2, 2, length]);
    open.extend(&capabilities);
    let message = |kind: u8, body: &[u8]| {
        let length = u16::try_from(19 + body.len()).unwrap();
        [&marker[..], &length.to_be_bytes(), &[kind], body].concat()
    };
    let converse = || -> std::io::Result<()> {
        let mut stream = TcpStream::connect("172.22.35.1:179")?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(&message(1, &open))?;
        // Wait for the router's OPEN, and for the KEEPALIVE that acknowledges ours.
        for expected in [1, 4] {
            let mut header = [0; 19];
            stream.read_exact(&mut header)?;
            assert_eq!(header[18], expected, "{header:?}");
            let mut body = vec![0; usize::from(u16::from_be_bytes([header[16], header[17]])) - 19];
            stream.read_exact(&mut body)?;
        }
        stream.write_all(&message(4, &[]))
    };

    // A router may not be ready for the next session yet.
    wait_until(Duration::from_secs(20), "a session", || converse().map_err(|it| it.to_string()));
}

/// The limit of graceful restart: a router drops stale routes when another session ends (RFC 4724, section 4.2). So a speaker
/// repeats its routes as soon as a session starts, as the other stories show.
pub(crate) async fn cut_before_the_first_route<R: Router + 'static>(site: &mut Site<R>) {
    begin(site).await;
    site.programs.kill_speaker("kube2");
    wait_for_end(site, "kube2").await;
    assert_eq!(lacking(&*site.router), Ok(None));
    site.programs.on("kube2", || hello_and_goodbye(NODES[1].1));
    let [(web, _), _] = KEPT;
    site.expect("the end of what is stale", &[(web, &["kube1", "kube3"])]).await;
    site.programs.start_speaker("kube2");
    site.expect("what there was", &KEPT).await;
}
