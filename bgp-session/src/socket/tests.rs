//! The options as the system reports them. Interoperability tests check them on the wire.

use std::net::IpAddr;

use bgp_core::Asn;

use super::*;
use crate::{AoAlgorithm, AoKey};

fn config(address: &str) -> PeerConfig {
    PeerConfig::new(address.parse::<IpAddr>().unwrap(), Asn(64_500))
}

#[tokio::test]
async fn a_dialling_socket_is_marked_prompt_and_bound() {
    let local = "127.0.0.9".parse().unwrap();
    let socket = dialling(&config("127.0.0.1").local_address(local).ttl(3)).unwrap();
    assert_eq!(socket.local_addr().unwrap().ip(), local);
    let options = SockRef::from(&socket);
    assert!(options.tcp_nodelay().unwrap());
    assert!(options.keepalive().unwrap());
    assert_eq!(options.tcp_keepalive_time().unwrap(), PROBE_TIME);
    assert_eq!(options.tcp_keepalive_interval().unwrap(), PROBE_TIME);
    assert_eq!(options.tcp_keepalive_retries().unwrap(), PROBES_MOST);
    assert_eq!(options.tos_v4().unwrap(), 0xC0);
    assert_eq!(options.ttl_v4().unwrap(), 3);
}

#[tokio::test]
async fn an_ipv6_socket_has_the_same_options_by_other_names() {
    let socket = dialling(&config("::1").ttl(255)).unwrap();
    let options = SockRef::from(&socket);
    assert_eq!(options.tclass_v6().unwrap(), 0xC0);
    assert_eq!(options.unicast_hops_v6().unwrap(), 255);
}

#[tokio::test]
async fn without_a_ttl_the_systems_own_is_left_alone() {
    let plain = TcpSocket::new_v4().unwrap();
    let dialling = dialling(&config("127.0.0.1")).unwrap();
    let ttl = |socket: &TcpSocket| SockRef::from(socket).ttl_v4().unwrap();
    assert_eq!(ttl(&dialling), ttl(&plain));
}

#[tokio::test]
async fn both_wildcard_addresses_share_a_port() {
    let v4 = listening("0.0.0.0:0".parse().unwrap()).unwrap();
    let port = v4.local_addr().unwrap().port();
    assert!(listening(SocketAddr::new("::".parse().unwrap(), port)).is_ok());
}

/// Nothing accepts, so that each connection waits. A SYN without room would go unanswered to the end.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_thousand_peers_may_connect_at_once() {
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let peers = most.trim().parse::<usize>().unwrap().min(1_000);
    let listener = listening("127.0.0.44:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();

    for peer in 1..=peers {
        // The connection goes on waiting after its end is closed, and takes no descriptor.
        let connecting = TcpStream::connect(address);
        let connected = tokio::time::timeout(Duration::from_secs(20), connecting).await;
        connected.unwrap_or_else(|_| panic!("peer {peer} got no answer")).unwrap();
    }
    for _ in 0..peers {
        listener.accept().await.unwrap();
    }
}

#[tokio::test]
async fn the_error_names_an_address_that_is_not_ours() {
    let foreign = "192.0.2.99".parse().unwrap();
    let error = dialling(&config("127.0.0.1").local_address(foreign)).unwrap_err();
    assert!(error.to_string().starts_with("cannot dial from 192.0.2.99: "), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_password_goes_on_and_comes_off_a_listener() {
    let transport = config("192.0.2.1").password("s3cret").transport;
    for (listen, peer, prefix_len) in [
        ("127.0.0.1:0", "127.0.0.2:179", None),
        ("[::1]:0", "[2001:db8::1]:179", None),
        ("127.0.0.1:0", "127.0.0.0:0", Some(8)),
        ("[::1]:0", "[2001:db8::]:0", Some(32)),
    ] {
        let listener = listening(listen.parse().unwrap()).unwrap();
        let scope = authentication::KeyScope { address: peer.parse().unwrap(), prefix_len };
        authentication::set(&listener, scope, &transport).unwrap();
        authentication::remove(&listener, scope, &transport).unwrap();
        let again = authentication::remove(&listener, scope, &transport);
        assert!(again.is_err(), "there was one to remove");
    }
}

/// If the kernel has TCP-AO, it accepts the keys. Otherwise the error explains what it lacks.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_error_explains_that_the_kernel_has_no_tcp_ao() {
    let keys = [AoKey::new(1, "s3cret"), AoKey::new(2, "other").algorithm(AoAlgorithm::Aes128Cmac)];
    for address in ["127.0.0.1", "::1"] {
        match dialling(&config(address).ao_keys(keys.clone())) {
            Ok(_) => {}
            Err(error) => assert_eq!(
                error.to_string(),
                "this kernel has no TCP-AO, which needs Linux 6.7 or later, built with CONFIG_TCP_AO"
            ),
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_device_a_timeout_and_a_code_point_are_set_for_both_versions_of_ip() {
    for address in ["127.0.0.1", "::1"] {
        let config =
            config(address).bind_device("lo").user_timeout(Duration::from_secs(7)).dscp(46);
        let socket = dialling(&config).unwrap();
        let options = SockRef::from(&socket);
        assert_eq!(options.device().unwrap(), Some(b"lo".to_vec()));
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(Duration::from_secs(7)));
        match config.address() {
            SocketAddr::V4(_) => assert_eq!(options.tos_v4().unwrap(), 46 << 2),
            SocketAddr::V6(_) => assert_eq!(options.tclass_v6().unwrap(), 46 << 2),
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_error_names_a_missing_interface() {
    let error = dialling(&config("127.0.0.1").bind_device("nowhere0")).unwrap_err();
    assert!(error.to_string().starts_with("cannot bind to the interface nowhere0: "), "{error}");
}

#[tokio::test]
async fn the_source_port_is_one_of_the_range_until_none_is_left() {
    for address in ["127.0.0.1", "::1"] {
        let config = config(address).local_address(address.parse().unwrap());
        let config = config.source_ports(61_200..=61_203);
        let mut sockets = Vec::new();
        for _ in 0..4 {
            let socket = dialling(&config).unwrap();
            assert!((61_200..=61_203).contains(&socket.local_addr().unwrap().port()));
            // A port that is only bound may be bound again; one that listens may not.
            sockets.push(socket.listen(1).unwrap());
        }
        let error = dialling(&config).unwrap_err();
        assert_eq!(error.to_string(), "every port of 61200 to 61203 is in use");
    }
}

#[tokio::test]
async fn an_accepted_connection_has_the_peers_time_to_live_and_not_the_listeners() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = listening(address.parse().unwrap()).unwrap();
        let local = listener.local_addr().unwrap();
        let config = PeerConfig::new(local.ip(), Asn(64_500));
        let ttl = |socket: SockRef<'_>| match local {
            SocketAddr::V4(_) => socket.ttl_v4().unwrap(),
            SocketAddr::V6(_) => socket.unicast_hops_v6().unwrap(),
        };
        let system = dialling(&config).unwrap();
        let system = ttl(SockRef::from(&system));
        for (config, expected) in
            [(config.clone(), system), (config.clone().ttl(1), 1), (config.ttl_security(1), 255)]
        {
            let _dialled = TcpStream::connect(local).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            assert_eq!(ttl(SockRef::from(&stream)), 255, "so that a SYN is answered so");
            accepted(&stream, &config).unwrap();
            assert_eq!(ttl(SockRef::from(&stream)), expected);
        }
    }
}
