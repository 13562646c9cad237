//! Requests that fail, and their errors.

use std::{net::IpAddr, time::Duration};

use bgp_session::{Asn, BgpIdentifier, PeerConfig, Speaker, SpeakerError};

use crate::world::{ROUTER, node, router, towards_node};

fn peer() -> PeerConfig {
    PeerConfig::new("192.0.2.1".parse::<IpAddr>().unwrap(), ROUTER)
}

async fn refusal(config: PeerConfig) -> String {
    node().await.add_peer(config).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_refused_value_is_named_with_what_was_expected() {
    assert_eq!(
        refusal(peer().hold_time(Duration::from_secs(2))).await,
        "peer 192.0.2.1: hold_time is 2s, expected 0, or 3 to 65535 whole seconds"
    );
    assert_eq!(
        refusal(peer().local_address("::1".parse().unwrap())).await,
        "peer 192.0.2.1: local_address is ::1, expected the same IP version as the peer's"
    );

    let long = refusal(peer().password("p".repeat(81))).await;
    assert_eq!(long, "peer 192.0.2.1: password is 81 octets, expected 1 to 80 octets");
    assert!(refusal(peer().password("")).await.contains("0 octets"));
    assert!(refusal(peer().families([])).await.contains("at least one address family"));
    assert!(refusal(peer().ttl(0)).await.contains("1 to 255"));

    let nowhere = PeerConfig::new("0.0.0.0".parse::<IpAddr>().unwrap(), ROUTER);
    assert!(refusal(nowhere).await.contains("unicast address"));
    let nobody = PeerConfig::new("192.0.2.1".parse::<IpAddr>().unwrap(), Asn(0));
    assert!(refusal(nobody).await.contains("RFC 7607"));
    assert!(refusal(peer().local_asn(Asn(0))).await.contains("local_asn is 0, expected an AS"));

    let no_one = refusal(peer().identifier(BgpIdentifier::new(0, 0, 0, 0))).await;
    assert!(no_one.contains("identifier is 0.0.0.0, expected a nonzero"), "{no_one}");
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let config = peer().password("s3cret");
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[tokio::test]
async fn one_address_is_one_peer() {
    let router = router("127.0.0.1:0").await;
    let _peer = router.add_peer(towards_node("127.0.0.50")).await.unwrap();
    let mapped = PeerConfig::new("::ffff:127.0.0.50".parse::<IpAddr>().unwrap(), ROUTER).passive();
    let error = router.add_peer(mapped).await.unwrap_err();
    assert!(matches!(error, SpeakerError::PeerExists { .. }), "{error}");
}

#[tokio::test]
async fn the_error_names_a_listening_address_that_is_taken() {
    let router = router("127.0.0.1:0").await;
    let address = router.listen_addr().unwrap();
    let builder = Speaker::builder(ROUTER, BgpIdentifier::new(10, 0, 0, 1)).listen(address);
    let error = builder.start().await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}")), "{error}");
}

#[tokio::test]
async fn a_speaker_without_as_or_identifier_does_not_start() {
    let zero_as = Speaker::builder(Asn(0), BgpIdentifier::new(10, 0, 0, 1)).start().await;
    assert!(zero_as.unwrap_err().to_string().starts_with("asn is 0"));
    let zero_id = Speaker::builder(ROUTER, BgpIdentifier::new(0, 0, 0, 0)).start().await;
    assert!(zero_id.unwrap_err().to_string().starts_with("identifier is 0.0.0.0"));
}

#[tokio::test]
async fn nothing_can_be_added_after_a_shutdown() {
    let node = node().await;
    node.shutdown("").await;
    assert!(matches!(node.add_peer(peer()).await, Err(SpeakerError::SpeakerShutDown)));
}
