//! MetalLB's end-to-end scenarios that need a session: the effects of a peer's fields on the router, and the metrics.

use std::time::{Duration, Instant};

use bgp_session::{BgpIdentifier, PeerHandle, Route};

use crate::ask::{get, start, value};
use crate::run::{ALL, Router, manifests_for, run};
use crate::world::{Manifests, Process, wait_until};

/// Runs an action of the router on its session.
fn tell<T>(router: &Router, action: impl AsyncFnOnce(PeerHandle) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = router.speaker.peer(router.node().peer).unwrap();
    runtime.block_on(action(handle))
}

/// Replaces a line of the peer in the configuration.
fn set(manifests: &Manifests, from: &str, to: &str) {
    let line = |text: &str| format!("      {text}\n");
    manifests.replace("config.yaml", &line(from), &line(to));
}

#[test]
fn a_dynamic_asn_accepts_only_routers_of_its_kind() {
    for (mode, problem) in
        [("external", None), ("internal", Some("the peer is in AS 64635, expected ours"))]
    {
        let router = Router::start();
        let manifests = manifests_for(&router);
        manifests.replace("config.yaml", "peer-asn: 64635", &format!("dynamic-asn: {mode}"));
        let run = run(&manifests);
        match problem {
            None => wait_until("the table", || router.has_all()),
            Some(problem) => {
                run.error(|line| line.contains("no session") && line.contains(problem));
                assert!(!router.node().is_established());
            }
        }
    }
}

#[test]
fn the_router_sees_the_configured_router_id() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    set(&manifests, "hold-time: 30s", "router-id: 10.10.10.10");
    let _run = run(&manifests);
    wait_until("the table", || router.has_all());
    let identifier = router.node().negotiated.unwrap().remote_identifier;
    assert_eq!(identifier, BgpIdentifier::new(10, 10, 10, 10));
}

#[test]
fn changed_timers_apply_to_the_next_session() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    set(&manifests, "hold-time: 30s", "hold-time: 60s\n      keepalive-time: 20s");
    let run = run(&manifests);
    wait_until("the table", || router.has_all());
    assert_eq!(router.node().negotiated.unwrap().hold_time, Duration::from_secs(60));

    let [old, new] = [("60s", "20s"), ("9s", "3s")]
        .map(|(hold, keepalive)| format!("hold-time: {hold}\n      keepalive-time: {keepalive}"));
    set(&manifests, &old, &new);
    run.error(|line| line.contains("hold_time"));
    tell(&router, async |node| node.reset("for the new timers").await).unwrap();
    wait_until("the new hold time", || {
        let negotiated = router.node().negotiated;
        router.has_all() && negotiated.is_some_and(|it| it.hold_time == Duration::from_secs(9))
    });
}

#[test]
fn a_session_that_is_reset_is_back_within_the_connect_time() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    set(&manifests, "hold-time: 30s", "connect-time: 10s");
    let _run = run(&manifests);
    wait_until("the table", || router.has_all());
    let since = router.since();
    let begin = Instant::now();
    tell(&router, async |node| node.reset("cleared by hand").await).unwrap();
    wait_until("a new session", || router.since() > since && router.has_all());
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn routes_announced_by_the_router_are_not_accepted() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let (_run, url) = start(&manifests);
    wait_until("the table", || router.has_all());
    let updates = r#"metallb_bgp_updates_total_received{peer="127.22.35.1"#;
    let received = || value(&get(&url, "/metrics"), updates);
    // The End-of-RIB of the router is the first one.
    wait_until("the router's first update", || received() >= 1.0);
    let (before, since) = (received(), router.since());

    let route = Route::new("10.99.0.0/24".parse().unwrap());
    tell(&router, async |node| node.announce(route).await).unwrap();
    wait_until("the announcement", || received() > before);
    assert_eq!(router.since(), since, "the session stays up");
    assert!(!get(&url, "/objects").contains("10.99.0.0"));
    assert_eq!(router.table(), ALL);
}

#[test]
fn metrics_follow_services_and_sessions() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let services = manifests.read("services.yaml");
    manifests.write("services.yaml", "");
    let (_run, url): (Process, String) = start(&manifests);
    let port = router.address().port();
    let peer = format!("{{peer=\"127.22.35.1:{port}\"}}");
    let is = |name: &str, labels: &str, expected: f64| {
        wait_until(&format!("{name}{labels} {expected}"), || {
            let metrics = get(&url, "/metrics");
            let begin = format!("{name}{labels} ");
            metrics.lines().any(|line| line.starts_with(&begin))
                && value(&metrics, &begin) == expected
        });
    };

    let pool = r#"{pool="default"}"#;
    is("metallb_bgp_session_up", &peer, 1.0);
    is("metallb_bgp_announced_prefixes_total", &peer, 0.0);
    is("metallb_allocator_addresses_total", pool, 64.0);
    is("metallb_allocator_addresses_in_use_total", pool, 0.0);

    manifests.write("services.yaml", &services);
    wait_until("the table", || router.has_all());
    is("metallb_bgp_announced_prefixes_total", &peer, 3.0);
    is("metallb_allocator_addresses_in_use_total", pool, 2.0);
    let smtp = r#"{service="mail/smtp",protocol="bgp",node="kube1",ip="172.22.35.70"}"#;
    is("metallb_speaker_announced", smtp, 1.0);
    is("ferrolb_bgp_propagation_seconds_count", "", 1.0);
    is("ferrolb_services_pending", "", 0.0);

    let metrics = get(&url, "/metrics");
    let header = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(metrics.contains(header), "{metrics}");
    let propagated = value(&metrics, "ferrolb_bgp_propagation_seconds_sum ");
    assert!(propagated > 0.0 && propagated < 10.0, "{propagated}");
    assert_eq!(value(&metrics, "ferrolb_bgp_session_hold_time_seconds{"), 30.0);
    assert_eq!(value(&metrics, "ferrolb_bgp_session_down_seconds{"), 0.0);
    for counter in [
        "updates_total",
        "opens_sent",
        "opens_received",
        "keepalives_sent",
        "keepalives_received",
        "total_sent",
        "total_received",
    ] {
        let begin = format!("metallb_bgp_{counter}{peer} ");
        assert!(value(&metrics, &begin) >= 1.0, "{begin}");
    }

    // The configuration is stale from an error until its correction.
    is("metallb_k8s_client_config_loaded_bool", "", 1.0);
    is("metallb_k8s_client_config_stale_bool", "", 0.0);
    let config = manifests.read("config.yaml");
    set(&manifests, "hold-time: 30s", "bfd-profile: missing");
    is("metallb_k8s_client_config_stale_bool", "", 1.0);
    is("metallb_bgp_session_up", &peer, 1.0);
    manifests.write("config.yaml", &config);
    is("metallb_k8s_client_config_stale_bool", "", 0.0);

    manifests.replace("services.yaml", "address-pool: default", "address-pool: missing");
    is("ferrolb_services_pending", "", 1.0);

    tell(&router, async |node| node.disable("for good").await).unwrap();
    is("metallb_bgp_session_up", &peer, 0.0);
    assert!(value(&get(&url, "/metrics"), "ferrolb_bgp_session_down_seconds{") > 0.0);
}
