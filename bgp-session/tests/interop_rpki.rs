//! Origin validation with the VRPs of a real StayRTR, in each version of RTR.
//!
//! They run when `FERROLB_TEST_INTEROP=1`, as root (`make interop`).

use std::{net::IpAddr, time::Duration};

use bgp_session::{
    Asn, BgpIdentifier, PeerConfig, Route, RouteSet, Speaker,
    policy::{Match, Policy, Rule},
    rpki::{RtrCache, RtrState, Validity, VrpTable},
};
use test_peers::{Lan, Stayrtr, requested};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);
const ORIGIN: u32 = 64_500;

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("timed out waiting for {what}"))
}

/// A router that refuses invalid routes, and a node in AS 64500 that announces two to it, on loopback.
async fn pair() -> (Speaker, impl Sized) {
    let refuse = Policy::accept_all().rule(Rule::reject(Match::Validity(Validity::Invalid)));
    let identifier = BgpIdentifier::new(192, 0, 2, 1);
    let listen = "127.0.0.1:0".parse().unwrap();
    let router = Speaker::builder(Asn(64_501), identifier).listen(listen).start().await.unwrap();
    let from: IpAddr = "127.0.0.2".parse().unwrap();
    let config = PeerConfig::new(from, Asn(ORIGIN)).passive().import_policy(refuse);
    let at_router = router.add_peer(config).await.unwrap();

    let node = Speaker::builder(Asn(ORIGIN), BgpIdentifier::new(192, 0, 2, 2));
    let node = node.start().await.unwrap();
    let to = router.listen_addr().unwrap();
    let at_node =
        node.add_peer(PeerConfig::new(to, Asn(64_501)).local_address(from)).await.unwrap();
    let routes = ["10.0.0.0/24", "10.1.0.0/24"].map(|text| Route::new(text.parse().unwrap()));
    at_node.set_routes(RouteSet::from(routes)).await.unwrap();
    (router, (at_router, node, at_node))
}

async fn has(router: &Speaker, expected: &[&str]) {
    let mut changed = router.loc_rib_changed();
    let reached = async {
        loop {
            changed.borrow_and_update();
            let held = router.loc_rib();
            if held.iter().map(|(prefix, _)| prefix.to_string()).eq(expected.iter().copied()) {
                return;
            }
            changed.changed().await.unwrap();
        }
    };
    soon(&format!("the routes {expected:?}"), reached).await;
}

#[test]
fn routes_follow_the_vrps_of_stayrtr_in_each_version() {
    if !requested() {
        return;
    }
    for version in [0, 1, 2] {
        let (cache_host, node_host) = Lan::new().router_and_node();
        let mut cache = Stayrtr::start(
            &cache_host,
            version,
            &[("10.0.0.0/24", 24, 1), ("2001:db8::/32", 48, ORIGIN)],
        );
        node_host.with_runtime(|runtime| {
            runtime.block_on(async {
                let (router, _kept) = pair().await;
                router.set_rtr_caches([RtrCache::new(cache.address())]);
                let mut vrps = router.vrps();
                soon("the VRPs", vrps.wait_for(|vrps| vrps.len() == 2)).await.unwrap();
                has(&router, &["10.1.0.0/24"]).await;

                // The cache notifies us, and sends the changes.
                cache.set(&[("10.1.0.0/16", 16, ORIGIN), ("2001:db8::/32", 48, ORIGIN)]);
                has(&router, &["10.0.0.0/24"]).await;
                let status = router.rtr_caches().remove(0);
                assert_eq!((status.vrps, status.state), (2, RtrState::Idle), "version {version}");
                assert!(status.is_used && status.serial > Some(0), "{status:?}");

                // Without the cache its data stay.
                cache.kill();
                let lost = async {
                    while router.rtr_caches()[0].last_failure.is_none() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                soon("the end of the cache", lost).await;
                assert_eq!(router.vrps().borrow().len(), 2);
                router.set_vrps(VrpTable::default());
                has(&router, &["10.0.0.0/24", "10.1.0.0/24"]).await;
                router.shutdown("").await;
            });
        });
    }
}
