//! Stories of an operator's settings and actions: roles, a local AS, limits, resets, a drain.

use std::time::Duration;

use bgp_session::{
    Asn, DownReason, EndedBy, Exceeded, GracefulShutdown, Import, PeerConfig, PeerStatus,
    PrefixLimit, ReceivedPath, RemoteAs, Role, Route, RouteSet, SentPath,
};
use test_peers::{Exabgp, Neighbor, Originated, Router, RouterConfig, wait_until};

use crate::site::*;

pub(crate) fn roles_that_fit_are_agreed_on_and_others_refused<R: Router>(site: &Site) {
    let neighbor = node().role(test_peers::Role::Provider);
    let router: R = site.router(router_config(neighbor).route(Originated::new("10.8.0.0/13")));
    site.on(|runtime| {
        runtime.block_on(async {
            let speaker = site.start(speaker()).await;
            let mut peer = speaker.add_peer(peer_config().role(Role::PEER)).await.unwrap();
            let refused = |status: &PeerStatus| {
                let reason = status.last_failure.as_ref().map(ToString::to_string);
                reason.is_some_and(|reason| reason.to_lowercase().contains("role"))
            };
            let refused = tokio::time::timeout(SOON, peer.wait_for(refused)).await;
            let status = refused.unwrap_or_else(|_| panic!("no refusal: {:?}", peer.status()));
            let status = status.expect("a status");
            let told = status.last_failure.as_ref().and_then(DownReason::notification);
            let told = told.expect("a NOTIFICATION");
            // Role Mismatch.
            assert_eq!((told.code.0, told.subcode), (2, 11), "{told}");
            assert_eq!(status.stats.established_transitions, 0);
            speaker.shutdown("").await;
        });
        let config = peer_config().strict_role(Role::CUSTOMER).import(Import::Keep);
        let (speaker, peer) = runtime.block_on(site.dial(config));
        let terms = peer.status().negotiated.expect("the terms of a session");
        assert_eq!(terms.remote_role, Some(Role::PROVIDER));
        runtime.block_on(peer.announce(Route::new(prefix(SMTP)))).unwrap();
        only_path(&router, SMTP);
        // A provider's routes may go to us and to our customers only.
        let best = received(&speaker, "10.8.0.0/13");
        assert_eq!(best.only_to_customer.map(|asn| asn.0), Some(ROUTER_AS));
    });
}

pub(crate) fn too_many_prefixes_of_ours_end_the_session_there<R: Router>(site: &Site) {
    let router: R = site.router_of(node().maximum_prefixes(2));
    site.on(|runtime| {
        let (_speaker, mut peer) = runtime.block_on(site.dial(peer_config()));
        let routes = (70..72).map(|host| Route::new(prefix(&format!("172.22.35.{host}/32"))));
        runtime.block_on(peer.set_routes(routes.collect::<RouteSet>())).unwrap();
        only_path(&router, "172.22.35.71/32");
        // Two more, in two messages, because FRR checks before it counts.
        for (med, host) in [(1, "172.22.35.72/32"), (2, "172.22.35.73/32")] {
            runtime.block_on(peer.announce(Route::new(prefix(host)).med(med))).unwrap();
        }
        let reason = runtime.block_on(ended(&mut peer)).to_lowercase();
        assert!(reason.contains("ended by the peer"), "{reason}");
        assert!(reason.contains("maximum number of prefixes"), "{reason}");
    });
}

pub(crate) fn a_local_as_stands_in_the_path_with_or_without_the_speakers_own<R: Router>(
    site: &Site,
) {
    // The router knows the node by this number only.
    let shown = 65_100;
    let router: R = site.router_of(Neighbor::new(NODE, shown));
    for (sent, path) in
        [(SentPath::BothAses, vec![shown, NODE_AS]), (SentPath::LocalAsAlone, vec![shown])]
    {
        site.on(|runtime| {
            let config = peer_config().local_as(Asn(shown), sent, ReceivedPath::AsReceived);
            runtime.block_on(async {
                let (speaker, peer) = site.dial(config).await;
                peer.announce(Route::new(prefix(SMTP))).await.unwrap();
                assert_eq!(only_path(&router, SMTP).as_path, path);
                speaker.shutdown("").await;
            });
        });
        wait_until(SOON, "the route to go", || router.path_count(SMTP, 0));
    }
}

pub(crate) fn a_router_of_any_external_as_is_met<R: Router>(site: &Site) {
    let router: R = site.router_of(node());
    site.on(|runtime| {
        runtime.block_on(async {
            let config = quick(PeerConfig::new(address(ROUTER), RemoteAs::External));
            let (_speaker, peer) = site.dial(config).await;
            let agreed = peer.status().negotiated.expect("a session");
            assert_eq!(agreed.remote_asn, Asn(ROUTER_AS));
            peer.announce(Route::new(prefix(SMTP))).await.unwrap();
            only_path(&router, SMTP);
        });
    });
}

pub(crate) fn a_router_that_sends_too_many_prefixes_is_told_and_left_alone<R: Router>(site: &Site) {
    let originated = (1..=6).map(|n| Originated::new(&format!("10.{n}.0.0/16")));
    let config = originated.fold(router_config(node()), RouterConfig::route);
    let router: R = site.router(config);
    site.on(|runtime| {
        let limit = PrefixLimit { exceeded: Exceeded::Stop, ..PrefixLimit::new(5) };
        let config = peer_config().import(Import::Keep).maximum_prefixes(limit);
        runtime.block_on(async {
            let (_speaker, mut peer) = site.add(config).await;
            let down = peer.wait_for(|status| status.last_down.is_some());
            let down = tokio::time::timeout(SOON, down).await.expect("an end").unwrap();
            let reason = down.last_down.unwrap();
            assert_eq!(reason.ended_by(), EndedBy::Us);
            assert!(reason.to_string().ends_with("(ipv4-unicast, limit 5)"), "{reason}");
            let said = || {
                let error = router.session(address(NODE))?.last_error;
                let words = error.to_lowercase();
                // ExaBGP may be about to write, and then sees the end of the connection first.
                let known = words.contains("max") && words.contains("prefix")
                    || R::NAME == Exabgp::NAME && words.contains("peer reset");
                if known { Ok(()) } else { Err(error) }
            };
            wait_until(SOON, "the router to know why", said);
            assert_eq!(peer.status().stats.established_transitions, 1);
        });
    });
}

pub(crate) fn a_reset_and_its_message_reach_the_routers_operator_and_the_session_comes_back<
    R: Router,
>(
    site: &Site,
) {
    let router: R = site.router_of(node().passive());
    site.on(|runtime| {
        runtime.block_on(async {
            let (_speaker, mut peer) = site.dial(peer_config()).await;
            peer.set_routes(RouteSet::from([Route::new(prefix(SMTP))])).await.unwrap();
            only_path(&router, SMTP);
            peer.reset("new filter").await.unwrap();
            let again = peer.wait_for(|status| status.stats.established_transitions == 2);
            tokio::time::timeout(SOON, again).await.expect("another session").unwrap();
            let log = || {
                let log = router.log();
                if log.contains("new filter") { Ok(()) } else { Err(log) }
            };
            wait_until(SOON, "the message in the router's log", log);
            only_path(&router, SMTP);
        });
    });
}

pub(crate) fn a_disabled_peer_is_told_why_and_gets_everything_again_when_enabled<R: Router>(
    site: &Site,
) {
    let router: R = site.router_of(node().passive());
    site.on(|runtime| {
        let (_speaker, mut peer) = runtime.block_on(site.dial(peer_config()));
        runtime.block_on(peer.announce(Route::new(prefix(SMTP)))).unwrap();
        only_path(&router, SMTP);
        runtime.block_on(peer.disable("rack 7 moves, back at noon")).unwrap();
        wait_until(SOON, "the withdrawal", || router.path_count(SMTP, 0));
        let words = router.session(address(NODE)).unwrap().last_error;
        assert!(words.contains("rack 7 moves, back at noon"), "{words}");

        let status = peer.status();
        assert_eq!(status.disabled_message, "rack 7 moves, back at noon");
        let opens = [&status.messages.open_sent, &status.messages.open_received];
        let asns = opens.map(|open| open.as_ref().expect("an OPEN").message.asn.0);
        assert_eq!(asns, [NODE_AS, ROUTER_AS], "both OPENs are known after the session");
        assert!(status.messages.notification_sent.is_some());
        runtime.block_on(peer.enable()).unwrap();
        runtime.block_on(established(&mut peer));
        only_path(&router, SMTP);
    });
}

pub(crate) fn a_drain_is_seen_by_the_router_step_by_step<R: Router>(site: &Site) {
    let router: R = site.router_of(node().passive());
    site.on(|runtime| {
        let (speaker, peer) = runtime.block_on(site.dial(peer_config()));
        let routes = RouteSet::from([Route::new(prefix(SMTP))]);
        runtime.block_on(peer.set_routes(routes)).unwrap();
        assert_eq!(only_path(&router, SMTP).communities, []);
        let how = GracefulShutdown::new()
            .marked_for(Duration::from_secs(4))
            .withdrawn_for(Duration::from_secs(2))
            .message("kernel upgrade");
        let draining = runtime.spawn(async move { speaker.drain(how).await });
        let marked = || {
            let path = router.path_count(SMTP, 1)?.remove(0);
            // GRACEFUL_SHUTDOWN (RFC 8326).
            if path.communities == [(65_535, 0)] { Ok(()) } else { Err(format!("{path:?}")) }
        };
        wait_until(SOON, "the mark", marked);
        wait_until(SOON, "the withdrawal", || router.path_count(SMTP, 0));
        assert!(router.established(address(NODE)).is_ok(), "the session outlives its routes");
        let log = || {
            let log = router.log();
            // ExaBGP fails to read it.
            if R::NAME == Exabgp::NAME || log.contains("kernel upgrade") {
                Ok(())
            } else {
                Err(log)
            }
        };
        wait_until(SOON, "the message in the router's log", log);
        runtime.block_on(draining).unwrap();
    });
}
