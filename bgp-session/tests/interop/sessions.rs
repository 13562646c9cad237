//! Stories of sessions: their beginning, the negotiated values, their end.

use std::time::Duration;

use bgp_session::bfd::{BfdProfile, State};
use bgp_session::{AfiSafi, Route, RouteSet};
use test_peers::{Router, wait_until};

use crate::site::*;

pub(crate) fn a_shutdown_and_its_message_reach_the_routers_operator<R: Router>(site: &Site) {
    let router: R = site.router_of(node().passive());
    site.on(|runtime| {
        let (speaker, peer) = runtime.block_on(site.dial(peer_config()));
        let routes = RouteSet::from([Route::new(prefix("172.22.35.70/32"))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        only_path(&router, "172.22.35.70/32");

        runtime.block_on(speaker.shutdown("new kernel, back at noon"));
        wait_until(SOON, "the withdrawal", || router.path_count("172.22.35.70/32", 0));
        let session = router.session(address(NODE)).unwrap();
        let words = session.last_error.to_lowercase();
        assert!(words.contains("administrative"), "{session:?}");
        assert!(words.contains("new kernel, back at noon"), "{session:?}");
        assert_ne!(session.state, "Established");
    });
}

pub(crate) fn a_capability_that_the_router_refuses_is_left_out<R: Router>(site: &Site) {
    let router: R = site.router_of(node().strict_capabilities());
    site.on(|runtime| {
        let (_speaker, peer) = runtime.block_on(site.dial(peer_config()));
        let negotiated = peer.status().negotiated.expect("the terms of a session");
        assert_eq!(negotiated.families, [AfiSafi::IPV4_UNICAST]);

        let routes = RouteSet::from([Route::new(prefix("172.22.35.70/32"))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        only_path(&router, "172.22.35.70/32");
    });
}

pub(crate) fn the_smaller_hold_time_holds_and_a_silent_link_ends_the_session<R: Router>(
    site: &Site,
) {
    let config = router_config(node()).hold_time(3);
    let router: R = site.router(config);
    site.on(|runtime| {
        let (_speaker, mut peer) = runtime.block_on(site.dial(peer_config()));
        let negotiated = peer.status().negotiated.expect("the terms of a session");
        assert_eq!(negotiated.hold_time, Duration::from_secs(3));
        let session = wait_until(SOON, "the session there", || router.established(address(NODE)));
        assert_eq!(session.hold_time, Some(3));

        site.node.unplug();
        let status = runtime.block_on(async {
            let down = peer.wait_for(|status| !status.is_established());
            tokio::time::timeout(SOON, down).await.expect("the hold timer expires").unwrap()
        });
        let reason = status.last_down.expect("a reason").to_string().to_lowercase();
        assert!(reason.contains("ended by us") && reason.contains("hold timer"), "{reason}");
        site.node.plug();
        runtime.block_on(established(&mut peer));
    });
}

pub(crate) fn a_router_that_was_killed_gets_everything_again<R: Router>(site: &Site) {
    let mut router: R = site.router_of(node());
    site.on(|runtime| {
        let (_speaker, mut peer) = runtime.block_on(site.dial(peer_config()));
        let routes = RouteSet::from([Route::new(prefix("172.22.35.70/32"))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        only_path(&router, "172.22.35.70/32");

        for stop in [R::kill, R::stop] {
            stop(&mut router);
            let lost = runtime.block_on(peer.wait_for(|status| !status.is_established()));
            assert!(lost.unwrap().last_down.is_some(), "a lost session has a reason");
            router.start_again();
            runtime.block_on(established(&mut peer));
            only_path(&router, "172.22.35.70/32");
        }
        assert_eq!(peer.stats().established_transitions, 3);
    });
}

pub(crate) fn a_router_that_dials_finds_a_passive_speaker<R: Router>(site: &Site) {
    site.on(|runtime| {
        // Listen first: OpenBGPD dials once when it starts, and then not for two minutes.
        let speaker = runtime.block_on(site.start(listening()));
        let mut peer = runtime.block_on(speaker.add_peer(peer_config().passive())).unwrap();
        let router: R = site.router_of(node());
        runtime.block_on(established(&mut peer));
        let routes = RouteSet::from([Route::new(prefix(SMTP))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        only_path(&router, SMTP);
        let endpoints = peer.status().endpoints.expect("the ends of the connection");
        assert_eq!(endpoints.local.port(), 179);
    });
}

pub(crate) fn a_password_signs_the_session_and_a_wrong_one_prevents_it<R: Router>(site: &Site) {
    let neighbor = node().passive().password("s3cret");
    let router: R = site.router_of(neighbor);
    site.on(|runtime| {
        // Segments with another key are dropped, so nothing answers. The timeout is shorter than the time to
        // connect again, which would hide that.
        let patience = Duration::from_millis(300);
        let wrong = peer_config().password("guess").connect_timeout(patience);
        runtime.block_on(async {
            let speaker = site.start(speaker()).await;
            let mut peer = speaker.add_peer(wrong).await.unwrap();
            let failed = peer.wait_for(|status| status.last_failure.is_some());
            let status = tokio::time::timeout(SOON, failed).await.expect("a failure").unwrap();
            assert_eq!(status.stats.established_transitions, 0);
            speaker.shutdown("").await;
        });
        let (_speaker, peer) = runtime.block_on(site.dial(peer_config().password("s3cret")));
        runtime.block_on(peer.announce(Route::new(prefix("172.22.35.70/32")))).unwrap();
        only_path(&router, "172.22.35.70/32");
    });
}

pub(crate) fn a_shutdown_by_the_router_and_its_message_reach_us<R: Router>(site: &Site) {
    let router: R = site.router_of(node());
    site.on(|runtime| {
        let (_speaker, mut peer) = runtime.block_on(site.dial(peer_config()));
        runtime.block_on(peer.announce(Route::new(prefix(SMTP)))).unwrap();
        only_path(&router, SMTP);
        router.shut_down(address(NODE), "moved to rack 7").expect("the router takes the command");
        let reason = runtime.block_on(ended(&mut peer));
        assert!(reason.contains("ended by the peer"), "{reason}");
        let words = reason.to_lowercase();
        assert!(words.contains("administrative shutdown"), "{reason}");
        assert!(words.contains("moved to rack 7"), "{reason}");
    });
}

pub(crate) fn ttl_security_takes_a_router_on_the_link_and_no_other<R: Router>(site: &Site) {
    // A router without it sends with some TTL, but not with the highest.
    let mut router: R = site.router_of(node().passive());
    site.on(|runtime| {
        let config = peer_config().ttl_security(1);
        runtime.block_on(async {
            let speaker = site.start(speaker()).await;
            let peer = speaker.add_peer(config.clone()).await.unwrap();
            // Either TCP fails, or the router's OPEN is lost on the way.
            wait_until(SOON, "a failure", || {
                let session = router.session(address(NODE))?;
                // FRR reports an accepted connection only in its log.
                let spoken = ["OpenSent", "OpenConfirm"].contains(&session.state.as_str())
                    || router.log().contains("sending OPEN");
                let status = peer.status();
                let over = spoken || status.last_failure.is_some();
                if over { Ok(()) } else { Err(format!("{status:?}, {session:?}")) }
            });
            assert_eq!(peer.stats().received.open, 0, "no OPEN arrived");
            speaker.shutdown("").await;
        });
        router.kill();
        let router: R = site.router_of(node().passive().ttl_security());
        let (_speaker, peer) = runtime.block_on(site.dial(config));
        runtime.block_on(peer.announce(Route::new(prefix(SMTP)))).unwrap();
        only_path(&router, SMTP);
    });
}

pub(crate) fn bfd_ends_the_session_of_a_silent_link<R: Router>(site: &Site) {
    let router: R = site.router_of(node().bfd());
    site.on(|runtime| {
        let profile = BfdProfile::new().interval(Duration::from_millis(50)).multiplier(3);
        let (_speaker, mut peer) = runtime.block_on(site.dial(peer_config().bfd(profile)));
        runtime.block_on(peer.announce(Route::new(prefix(SMTP)))).unwrap();
        only_path(&router, SMTP);
        wait_until(SOON, "BFD", || {
            let status = peer.bfd();
            let up = status.as_ref().is_some_and(|status| status.state == State::Up);
            if up { Ok(()) } else { Err(format!("{status:?}")) }
        });
        site.node.unplug();
        // Long before the hold time of 90 seconds.
        let reason = runtime.block_on(ended(&mut peer));
        assert!(reason.contains("BFD down"), "{reason}");
        wait_until(SOON, "the router's end of the route", || router.path_count(SMTP, 0));
        site.node.plug();
        runtime.block_on(established(&mut peer));
        only_path(&router, SMTP);
    });
}
