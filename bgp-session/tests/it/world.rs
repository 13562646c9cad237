//! The two speakers of most tests, and waiting with a deadline.

use std::{future::Future, net::SocketAddr, time::Duration};

use bgp_session::{
    Asn, BgpIdentifier, Import, LocRibSnapshot, PeerConfig, PeerHandle, Route, RouteSet, Speaker,
};

pub(crate) const ROUTER: Asn = Asn(64_635);
pub(crate) const NODE: Asn = Asn(64_636);

/// Long enough for a loaded machine. Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("timed out waiting for {what}"),
    }
}

pub(crate) async fn router(listen: &str) -> Speaker {
    let builder = Speaker::builder(ROUTER, BgpIdentifier::new(172, 22, 35, 1));
    builder.listen(listen.parse().unwrap()).start().await.unwrap()
}

pub(crate) async fn node() -> Speaker {
    Speaker::builder(NODE, BgpIdentifier::new(172, 22, 35, 25)).start().await.unwrap()
}

/// The router's side of a session with a node that dials from that address.
pub(crate) fn towards_node(address: &str) -> PeerConfig {
    let address: std::net::IpAddr = address.parse().unwrap();
    PeerConfig::new(address, NODE).passive().import(Import::Keep)
}

/// A node's side of a session with the router, with short pauses.
pub(crate) fn towards_router(address: SocketAddr, from: &str) -> PeerConfig {
    let quick = Duration::from_millis(50);
    PeerConfig::new(address, ROUTER).local_address(from.parse().unwrap()).idle_hold(quick, quick)
}

/// Waits until the session is Established at both ends.
pub(crate) async fn both_up(a: &mut PeerHandle, b: &mut PeerHandle) {
    soon("both ends Established", async {
        a.established().await.unwrap();
        b.established().await.unwrap();
    })
    .await;
}

/// Waits until the speaker's table satisfies `wanted`, and returns it.
pub(crate) async fn table(
    speaker: &Speaker,
    what: &str,
    wanted: impl Fn(&LocRibSnapshot) -> bool,
) -> LocRibSnapshot {
    let mut changed = speaker.loc_rib_changed();
    soon(what, async {
        loop {
            changed.borrow_and_update();
            let snapshot = speaker.loc_rib();
            if wanted(&snapshot) {
                return snapshot;
            }
            changed.changed().await.unwrap();
        }
    })
    .await
}

pub(crate) fn routes(prefixes: &[&str]) -> RouteSet {
    prefixes.iter().map(|prefix| Route::new(prefix.parse().unwrap())).collect()
}

/// The prefixes of a table, as text.
pub(crate) fn prefixes(table: &LocRibSnapshot) -> Vec<String> {
    table.iter().map(|(prefix, _)| prefix.to_string()).collect()
}
