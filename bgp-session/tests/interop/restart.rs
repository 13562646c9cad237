//! Stories of restarts that lose no route: of our process, and of the router.

use bgp_session::{BgpIdentifier, Import, Route};
use test_peers::{Neighbor, Originated, Router, wait_until};

use crate::site::*;
use crate::us::Part;

const SMTP_IPV6: &str = "fd22:0:0:70::/64";

/// The node in the configuration of a router that retains its routes during a restart.
///
/// Only we dial: if two connections cross each other, some routers end the one whose session is up, and lose the
/// routes that were not repeated.
fn retaining() -> Neighbor {
    node().passive().graceful_restart(120)
}

pub(crate) fn our_process_is_killed_and_the_router_loses_no_route<R: Router>(site: &Site) {
    let router: R = site.router_of(retaining());
    // Neither for a moment.
    let kept = || -> Result<(), String> {
        for route in [SMTP, SMTP_IPV6] {
            let paths = router.paths(route)?;
            assert!(paths.len() == 1 && paths[0].used, "{route} is lost: {paths:?}");
        }
        Ok(())
    };
    let mut us = Part::Graceful.start(site);

    for route in [SMTP, "172.22.35.71/32", SMTP_IPV6] {
        only_path(&router, route);
    }
    for part in [Part::GracefulNext, Part::Graceful] {
        us.kill();
        wait_until(SOON, "the router's word of the loss", || {
            kept()?;
            let session = router.session(address(NODE))?;
            if session.state == "Established" { Err(format!("{session:?}")) } else { Ok(()) }
        });
        us = part.start(site);
        let (came, gone) = match part {
            Part::GracefulNext => ("172.22.35.72/32", "172.22.35.71/32"),
            _ => ("172.22.35.71/32", "172.22.35.72/32"),
        };
        wait_until(SOON, "what is new", || {
            kept()?;
            router.path_count(came, 1)
        });
        wait_until(SOON, "the end of what is not announced again", || {
            kept()?;
            router.path_count(gone, 0)
        });
    }
    kept().expect("the routes to the end");
}

pub(crate) fn another_configuration_ends_our_session_and_the_router_loses_no_route<R: Router>(
    site: &Site,
) {
    let router: R = site.router_of(retaining());
    site.on(|runtime| {
        let config = peer_config().graceful_restart();
        let (_speaker, peer) = runtime.block_on(site.dial(config.clone()));
        runtime.block_on(peer.announce(Route::new(prefix(SMTP)))).expect("a route is taken");
        only_path(&router, SMTP);

        // The router's configuration stays the same.
        let identifier = BgpIdentifier::new(172, 22, 35, 126);
        for (n, config) in [config.clone().identifier(identifier), config].into_iter().enumerate() {
            let updated = runtime.block_on(peer.update(config)).expect("a configuration is taken");
            assert!(updated.reset, "{updated:?}");

            wait_until(SOON, "the next session", || {
                let paths = router.paths(SMTP)?;
                assert!(paths.len() == 1 && paths[0].used, "the route is lost: {paths:?}");
                let up = peer.status().is_established();
                let again = peer.stats().established_transitions == n as u64 + 2;
                if up && again { Ok(()) } else { Err(format!("{:?}", peer.status())) }
            });
            // By the end of this pause the router has the End-of-RIB, and has dropped what was not announced again.
            std::thread::sleep(std::time::Duration::from_secs(1));
            only_path(&router, SMTP);
        }

        let reason = peer.status().last_down.expect("a reason").to_string();
        assert_eq!(reason, "ended by us: Cease: other configuration change");
    });
}

pub(crate) fn long_after_a_kill_our_routes_are_stale_at_the_router_but_there<R: Router>(
    site: &Site,
) {
    /// LLGR_STALE (RFC 9494).
    const LLGR_STALE: (u16, u16) = (65_535, 6);
    let router: R = site.router_of(retaining().long_lived(120));
    let mut us = Part::LongLived.start(site);
    only_path(&router, SMTP);

    us.kill();
    let stale = |wanted: bool| {
        wait_until(SOON, "the mark of what is stale, or its end", || {
            let paths = router.paths(SMTP)?;
            assert_eq!(paths.len(), 1, "the route is lost");
            let is_stale = paths[0].communities.contains(&LLGR_STALE);
            if is_stale == wanted { Ok(()) } else { Err(format!("{paths:?}")) }
        });
    };
    stale(true);
    let _us = Part::LongLived.start(site);
    stale(false);
}

pub(crate) fn the_router_is_killed_and_we_lose_no_route<R: Router>(site: &Site) {
    let originated = ["10.1.0.0/16", "fd99::/48"];
    let config = router_config(retaining());
    let config = originated.into_iter().fold(config, |c, text| c.route(Originated::new(text)));
    let mut router: R = site.router(config);

    site.on(|runtime| {
        let config = peer_config().graceful_restart().import(Import::Keep);
        let (speaker, mut peer) = runtime.block_on(site.dial(config));
        for route in originated {
            received(&speaker, route);
        }
        // No route is lost even for a moment.
        let kept = || {
            let table = speaker.loc_rib();
            for route in originated {
                assert!(table.best(&prefix(route)).is_some(), "{route} is lost");
            }
        };
        router.kill();
        runtime.block_on(ended(&mut peer));
        kept();
        let before = peer.stats();
        router.start_again();
        wait_until(SOON, "the routes again", || {
            kept();
            let now = peer.stats();
            let again = now.prefixes_announced_in - before.prefixes_announced_in;
            if again == 2 { Ok(()) } else { Err(format!("{now:?}")) }
        });
        // No old route is left.
        router.set_routes(vec![Originated::new("fd99::/48")]);
        wait_until(SOON, "the end of the other", || {
            let table = speaker.loc_rib();
            let gone = table.best(&prefix("10.1.0.0/16")).is_none();
            if gone && table.len() == 1 { Ok(()) } else { Err(format!("{table:?}")) }
        });
    });
}
