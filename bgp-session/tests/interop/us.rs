//! Our speaker in a process of its own, which can be killed. The test binary runs itself.

use std::env;
use std::time::Duration;

use bgp_session::{PeerConfig, RestartConfig, Route, RouteSet};
use test_peers::{Process, Router, wait_until};

use crate::site::*;

/// The variable with the part that the process plays.
const PART: &str = "FERROLB_TEST_PART";

/// The part of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Announces routes.
    Plain,
    /// Announces routes with graceful restart, and may have announced some before.
    Graceful,
    /// The same with another set of routes.
    GracefulNext,
    /// With long-lived graceful restart, after a second.
    LongLived,
}

impl Part {
    const ALL: [Self; 4] = [Self::Plain, Self::Graceful, Self::GracefulNext, Self::LongLived];

    fn config(self) -> PeerConfig {
        match self {
            Self::Plain => peer_config(),
            Self::Graceful | Self::GracefulNext => peer_config().graceful_restart().restarted(),
            Self::LongLived => {
                let mut restart = RestartConfig::default();
                restart.restart_time = Duration::from_secs(1);
                restart.long_lived = Some(Duration::from_secs(120));
                peer_config().graceful_restart_with(restart).restarted()
            }
        }
    }

    /// The IPv4 routes to announce. One of IPv6 is added.
    const fn routes(self) -> [&'static str; 2] {
        match self {
            Self::GracefulNext => [SMTP, "172.22.35.72/32"],
            _ => [SMTP, "172.22.35.71/32"],
        }
    }

    /// Starts the process on the node, with this part.
    pub(crate) fn start(self, site: &Site) -> Process {
        let program = env::current_exe().expect("the test's own path");
        Process::start(&site.node, &program, |command| {
            command.args(["--exact", "us::as_a_process", "--nocapture", "--test-threads=1"]);
            command.env(PART, format!("{self:?}"));
        })
    }
}

/// Not a test: runs in the other process, until it is killed.
#[test]
#[expect(clippy::print_stdout, reason = "what a failed test shows of the process")]
fn as_a_process() {
    let Ok(part) = env::var(PART) else { return };
    let part = Part::ALL.into_iter().find(|known| format!("{known:?}") == part);
    let part = part.expect("a part");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let speaker = listening().start().await.expect("a speaker");
        let mut events = speaker.events();
        let peer = speaker.add_peer(part.config()).await.expect("a peer");
        let routes = part.routes().map(|text| Route::new(prefix(text)));
        let ipv6 = Route::new(prefix("fd22:0:0:70::/64")).next_hop(address(NODE_IPV6));
        let routes: RouteSet = routes.into_iter().chain([ipv6]).collect();
        peer.set_routes(routes).await.expect("routes are taken");
        while let Some(event) = events.next().await {
            println!("{event:?}");
        }
    });
}

pub(crate) fn a_killed_process_of_ours_takes_its_routes_along_and_the_next_brings_them<
    R: Router,
>(
    site: &Site,
) {
    let router: R = site.router_of(node());
    for _ in 0..2 {
        let mut us = Part::Plain.start(site);
        for route in [SMTP, "172.22.35.71/32", "fd22:0:0:70::/64"] {
            only_path(&router, route);
        }
        us.kill();
        for route in [SMTP, "172.22.35.71/32", "fd22:0:0:70::/64"] {
            wait_until(SOON, "the end of the route", || router.path_count(route, 0));
        }
    }
}
