//! TCP MD5 passwords (RFC 2385) on both sides.
#![cfg(target_os = "linux")]

use std::time::Duration;

use bgp_session::{AoKey, DownReason, Speaker, SpeakerError, TransportError};

use crate::world::{both_up, node, router, soon, towards_node, towards_router};

async fn shut_down(speakers: [&Speaker; 2]) {
    for speaker in speakers {
        speaker.shutdown("").await;
    }
}

#[tokio::test]
async fn the_same_password_on_both_sides_gives_a_session() {
    for (listen, from) in [("127.0.0.1:0", "127.0.0.40"), ("[::1]:0", "::1")] {
        let router = router(listen).await;
        let config = towards_node(from).password("s3cret");
        let mut at_router = router.add_peer(config).await.unwrap();
        let node = node().await;
        let config = towards_router(router.listen_addr().unwrap(), from).password("s3cret");
        let mut at_node = node.add_peer(config).await.unwrap();
        both_up(&mut at_router, &mut at_node).await;
        shut_down([&node, &router]).await;
    }
}

#[tokio::test]
async fn another_password_gets_no_answer() {
    let router = router("127.0.0.1:0").await;
    let config = towards_node("127.0.0.41").password("s3cret");
    let at_router = router.add_peer(config).await.unwrap();
    let node = node().await;
    for password in [Some("guess"), None] {
        let mut config = towards_router(router.listen_addr().unwrap(), "127.0.0.41")
            .connect_timeout(Duration::from_millis(300));
        if let Some(password) = password {
            config = config.password(password);
        }
        let mut at_node = node.add_peer(config).await.unwrap();
        let failed = at_node.wait_for(|status| status.last_failure.is_some());
        let reason = soon("a failure", failed).await.unwrap().last_failure.unwrap();
        // TCP does not report the cause. The only hint is that a password is set.
        let expected = match password {
            Some(_) => TransportError::TimedOutSigned,
            None => TransportError::TimedOut,
        };
        assert_eq!(reason, DownReason::Transport(expected), "{reason}");
        at_node.shutdown("").await.unwrap();
    }
    assert_eq!(at_router.stats().received.total(), 0);
}

#[tokio::test]
async fn a_removed_peer_takes_its_password_along() {
    let router = router("127.0.0.1:0").await;
    let config = towards_node("127.0.0.42");
    let secret = router.add_peer(config.clone().password("s3cret")).await.unwrap();
    secret.shutdown("").await.unwrap();
    let mut at_router = router.add_peer(config).await.unwrap();
    let node = node().await;
    let config = towards_router(router.listen_addr().unwrap(), "127.0.0.42");
    let mut at_node = node.add_peer(config).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;
}

/// If the kernel has no TCP-AO, the peer is refused at once, because a later attempt would fail too.
#[tokio::test]
async fn keys_of_tcp_ao_work_or_the_refusal_explains_why_not() {
    let keys = || [AoKey::new(1, "s3cret"), AoKey::new(2, "next").receive_id(3)];
    for (listen, from) in [("127.0.0.1:0", "127.0.0.43"), ("[::1]:0", "::1")] {
        let router = router(listen).await;
        let mut at_router = match router.add_peer(towards_node(from).ao_keys(keys())).await {
            Ok(peer) => peer,
            Err(error) => {
                let expected = "this kernel has no TCP-AO, which needs Linux 6.7 or later, built with \
                                CONFIG_TCP_AO";
                assert!(format!("{error:#}").ends_with(expected), "{error:#}");
                assert!(matches!(error, SpeakerError::Socket { .. }), "{error:?}");
                assert!(router.peers().is_empty());
                continue;
            }
        };
        let node = node().await;
        let keys = [AoKey::new(1, "s3cret"), AoKey::new(3, "next").receive_id(2)];
        let config = towards_router(router.listen_addr().unwrap(), from).ao_keys(keys);
        let mut at_node = node.add_peer(config).await.unwrap();
        both_up(&mut at_router, &mut at_node).await;
    }
}

#[tokio::test]
async fn keys_with_a_common_identifier_are_refused() {
    let node = node().await;
    let config = towards_node("127.0.0.44");
    for (keys, expected) in [
        (
            vec![AoKey::new(1, "a"), AoKey::new(1, "b")],
            "a different SendID and RecvID for each key",
        ),
        (vec![AoKey::new(1, "")], "a secret of 1 to 80 octets"),
    ] {
        let error = node.add_peer(config.clone().ao_keys(keys)).await.unwrap_err().to_string();
        assert!(error.ends_with(expected) && !error.contains("\"a\""), "{error}");
    }
    let both = config.password("s3cret").ao_keys([AoKey::new(1, "a")]);
    let error = node.add_peer(both).await.unwrap_err().to_string();
    assert!(error.ends_with("either a password or TCP-AO keys"), "{error}");
}

#[tokio::test]
async fn a_link_local_address_without_its_interface_is_refused() {
    let node = node().await;
    let error = node.add_peer(towards_node("fe80::1")).await.unwrap_err().to_string();
    assert!(error.ends_with("the index of its interface, as in fe80::1%2"), "{error}");
}
