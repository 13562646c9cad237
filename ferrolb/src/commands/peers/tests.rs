//! The texts about fixed peers.

use ferrolb_api::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::commands::view::shown;

fn now() -> Timestamp {
    "2026-11-30T15:00:00Z".parse().unwrap()
}

fn bfd(state: &str, reason: Option<&str>) -> Value {
    json!({
        "node": "kube1", "peer": "tor1", "endpoint": "172.22.35.1:179", "state": state,
        "state_seconds": 97_200.0, "remote_state": state, "diagnostic": "No Diagnostic",
        "remote_diagnostic": "Neighbor Signaled Session Down", "reason": reason,
        "last_down_at": "2026-11-30T14:58:20Z",
        "transmit_interval_ms": 300, "receive_interval_ms": 300, "detection_time_ms": 900,
        "multiplier": 3, "remote_multiplier": 3, "discriminator": 7, "remote_discriminator": 9,
        "remote_is_independent": true, "packets_sent": 1204, "packets_received": 1203,
        "packets_discarded": 0, "ups": 2, "failures": 1,
    })
}

fn established() -> Value {
    json!({
        "node": "kube1", "name": "tor1", "endpoint": "172.22.35.1:179", "asn": 64635,
        "local_asn": 64636, "state": "Established", "disabled": false, "state_seconds": 97_200.5,
        "families": ["ipv4-unicast", "ipv6-unicast"],
        "prefixes": {"planned": 3, "sent": 2, "unsendable": 1}, "received": 12, "flaps": 1,
        "last_error": {
            "text": "the hold timer expired", "at": "2026-11-29T11:59:00Z",
            "hint": "check whether the router is overloaded",
        },
        "bfd": bfd("Up", None),
    })
}

fn down() -> Value {
    json!({
        "node": "kube2", "name": "tor2-of-the-third-rack", "endpoint": "[fd00:22:35::1]:179",
        "asn": 4_200_000_001_u32, "local_asn": 64636, "state": "Active", "disabled": false,
        "state_seconds": 65.0, "families": [], "prefixes": {"planned": 3, "sent": 0, "unsendable": 0},
        "received": 0, "flaps": 0,
        "last_error": {
            "text": "the router refused the OPEN: it expects another AS number than 64636 (Bad Peer AS)",
            "at": "2026-11-30T14:59:30Z",
            "hint": "set myASN to the AS number that the router's configuration has for this node",
        },
        "bfd": bfd("Down", Some("no packet has arrived yet")),
    })
}

fn disabled() -> Value {
    json!({
        "node": "kube3", "name": "tor1", "endpoint": "172.22.35.1:179", "local_asn": 64636,
        "state": "Idle", "disabled": true, "families": [],
        "prefixes": {"planned": 3, "sent": 0, "unsendable": 0}, "received": 0, "flaps": 0,
    })
}

fn peers(values: &[Value]) -> Vec<Peer> {
    values.iter().map(|value| serde_json::from_value(value.clone()).unwrap()).collect()
}

fn detailed() -> Peer {
    let open = |asn: u32, hold: u16, capabilities: Value| {
        json!({
            "at": "2026-11-29T11:59:59Z", "asn": asn, "identifier": "172.22.35.25",
            "hold_time_seconds": hold, "capabilities": capabilities,
        })
    };
    let counts = |open: u64, keepalive: u64| json!({"open": open, "update": 4, "notification": 1, "keepalive": keepalive, "route_refresh": 0});
    let mut peer = established();
    peer["detail"] = json!({
        "endpoints": {
            "local": "172.22.35.25:40021", "remote": "172.22.35.1:179", "outgoing": true,
        },
        "negotiated": {
            "internal": false, "local_asn": 64636, "local_identifier": "172.22.35.25",
            "remote_asn": 64635, "remote_identifier": "172.22.35.1", "hold_time_seconds": 90.0,
            "keepalive_time_seconds": 30.0, "send_hold_time_seconds": 480.0,
            "families": ["ipv4-unicast", "ipv6-unicast"],
            "capabilities": ["route refresh", "four-octet AS numbers"],
        },
        "open_sent": open(64636, 90, json!([
            {"code": 1, "text": "multiprotocol ipv4-unicast", "shared": true},
            {"code": 1, "text": "multiprotocol ipv6-unicast", "shared": true},
            {"code": 2, "text": "route refresh", "shared": true},
            {"code": 64, "text": "graceful restart, 120 s, ipv4-unicast", "shared": false},
            {"code": 65, "text": "four-octet AS number 64636", "shared": true},
        ])),
        "open_received": open(64635, 180, json!([
            {"code": 1, "text": "multiprotocol ipv4-unicast", "shared": true},
            {"code": 2, "text": "route refresh", "shared": true},
            {"code": 65, "text": "four-octet AS number 64635", "shared": true},
            {"code": 73, "text": "FQDN", "shared": false},
        ])),
        "notification_received": {
            "at": "2026-11-29T11:59:00Z", "code": 6, "subcode": 4,
            "text": "Cease: Administrative Reset", "message": "upgrade of tor1, back in 5 minutes",
        },
        "timers": [
            {"name": "HoldTimer", "left_seconds": 67.2}, {"name": "KeepaliveTimer", "left_seconds": 4.25},
        ],
        "messages": {
            "received": counts(2, 3201), "sent": counts(2, 3240), "octets_received": 61_000,
            "octets_sent": 62_500,
        },
        "connect_retry_counter": 0, "octets_waiting": 0, "established_transitions": 2,
        "last_down": {"text": "the router ended the session: Administrative Reset", "at": "2026-11-29T11:59:00Z"},
        "has_password": true,
    });
    peers(&[peer]).remove(0)
}

#[test]
fn the_table_fits_80_columns_and_errors_are_below_their_rows() {
    let peers = peers(&[established(), down(), disabled()]);
    insta::assert_snapshot!(shown(ViewFormat::Text, |out, look| list::write(out, look, &peers, now())), @r"
    Peers
      NODE   PEER                    STATE        UP/DOWN  SENT  FLAPS  BFD
      kube1  tor1                    Established  1d 3h    2/3   1      Up
        last error: the hold timer expired, 1d 3h ago
        1 prefix cannot be sent: see ferrolb routes --peer tor1
      kube2  tor2-of-the-third-rack  Active       1m 5s    0/3   0      Down
        last error: the router refused the OPEN: it expects another AS number than
          64636 (Bad Peer AS), 30s ago
        to fix it: set myASN to the AS number that the router's configuration has
          for this node
        BFD: no packet has arrived yet
      kube3  tor1                    Disabled     never    0/3   0      -
    ");
}

#[test]
fn the_wide_table_has_one_line_for_each_peer() {
    let peers = peers(&[established(), down(), disabled()]);
    insta::assert_snapshot!(shown(ViewFormat::Wide, |out, look| list::write(out, look, &peers, now())), @r"
    Peers
      NODE   PEER                    AS          STATE        UP/DOWN  SENT  RCVD  FLAPS  BFD   ENDPOINT             LOCAL AS  FAMILIES                   UNSENDABLE  LAST ERROR
      kube1  tor1                    64635       Established  1d 3h    2/3   12    1      Up    172.22.35.1:179      64636     ipv4-unicast ipv6-unicast  1           the hold timer expired, 1d 3h ago
      kube2  tor2-of-the-third-rack  4200000001  Active       1m 5s    0/3   0     0      Down  [fd00:22:35::1]:179  64636     -                          0           the router refused the OPEN: it expects another AS number than 64636 (Bad Peer AS), 30s ago
      kube3  tor1                    any         Disabled     never    0/3   0     0      -     172.22.35.1:179      64636     -                          0           -
    ");
}

#[test]
fn the_details_have_both_opens_side_by_side() {
    let peer = detailed();
    insta::assert_snapshot!(shown(ViewFormat::Text, |out, look| detail::write(out, look, &peer, now())), @r#"
    Peer tor1 on kube1
      state                  Established for 1d 3h
      router                 172.22.35.1:179, AS 64635; our AS is 64636
      TCP                    172.22.35.25:40021 to 172.22.35.1:179, opened by us
      password               yes
      prefixes               2 of 3 sent, 12 received, 1 cannot be sent
      session                external, identifier 172.22.35.1, ours is 172.22.35.25
      families               ipv4-unicast, ipv6-unicast
      agreed on              route refresh, four-octet AS numbers
      hold time              90s (we proposed 90s, the router 180s), KEEPALIVE every
                             30s
      send hold time         480s
      timers                 HoldTimer 1m 7s left, KeepaliveTimer 4.2s left
      history                up 2 times, lost 1 time, 0 failed attempts to connect
      last ended             the router ended the session: Administrative Reset, 1d
                             3h ago
      NOTIFICATION received  Cease: Administrative Reset (6/4), with the text
                             "upgrade of tor1, back in 5 minutes", 1d 3h ago

    OPEN
      CODE        SENT                                   RECEIVED
      AS          64636                                  64635
      identifier  172.22.35.25                           172.22.35.25
      hold time   90s                                    180s
      time        1d 3h ago                              1d 3h ago
      1           multiprotocol ipv4-unicast             multiprotocol ipv4-unicast
      1           multiprotocol ipv6-unicast             -
      2           route refresh                          route refresh
      64          graceful restart, 120 s, ipv4-unicast  -
      65          four-octet AS number 64636             four-octet AS number 64635
      73          -                                      FQDN

    Messages
      TYPE           SENT   RECEIVED
      OPEN           2      2
      UPDATE         4      4
      NOTIFICATION   1      1
      KEEPALIVE      3240   3201
      ROUTE-REFRESH  0      0
      octets         62500  61000

    BFD
      state           Up for 1d 3h
      router's state  Up
      diagnostics     ours No Diagnostic, router's Neighbor Signaled Session Down
      intervals       send 300 ms, receive 300 ms, down after 900 ms
      packets         1204 sent, 1203 received, 0 discarded
      history         up 2 times, lost 1 time
      last lost       1m 40s ago
    "#);
}

#[test]
fn the_details_of_a_peer_that_was_never_up_are_short() {
    let mut peer = down();
    peer["detail"] = json!({
        "timers": [], "connect_retry_counter": 7, "octets_waiting": 0, "established_transitions": 0,
        "messages": serde_json::to_value(ferrolb_api::Messages::default()).unwrap(),
        "last_failure": peer["last_error"], "has_password": false,
    });
    let peer = peers(&[peer]).remove(0);
    insta::assert_snapshot!(shown(ViewFormat::Text, |out, look| detail::write(out, look, &peer, now())), @r"
    Peer tor2-of-the-third-rack on kube2
      state         Active for 1m 5s
      router        [fd00:22:35::1]:179, AS 4200000001; our AS is 64636
      password      no
      prefixes      0 of 3 sent, 0 received
      timers        none
      history       up 0 times, lost 0 times, 7 failed attempts to connect
      last failure  the router refused the OPEN: it expects another AS number than
                    64636 (Bad Peer AS), 30s ago
      to fix it     set myASN to the AS number that the router's configuration has
                    for this node

    Messages
      TYPE           SENT  RECEIVED
      OPEN           0     0
      UPDATE         0     0
      NOTIFICATION   0     0
      KEEPALIVE      0     0
      ROUTE-REFRESH  0     0
      octets         0     0

    BFD
      state           Down for 1d 3h
      reason          no packet has arrived yet
      router's state  Down
      diagnostics     ours No Diagnostic, router's Neighbor Signaled Session Down
      intervals       send 300 ms, receive 300 ms, down after 900 ms
      packets         1204 sent, 1203 received, 0 discarded
      history         up 2 times, lost 1 time
      last lost       1m 40s ago
    ");
}

#[test]
fn only_established_sessions_are_a_success() {
    assert_eq!(verdict(&peers(&[established()])), Ok(()));
    assert_eq!(verdict(&[]), Ok(()));
    for other in [down(), disabled()] {
        assert_eq!(verdict(&peers(&[established(), other])), Err(Failure::Unhealthy));
    }
}

#[test]
fn a_controller_shows_what_the_nodes_report() {
    let peer = |name: &str, state: &str, reason: Option<&str>| {
        json!({
            "name": name, "endpoint": "172.22.35.1:179", "state": state, "disabled": false,
            "state_seconds": 65.0, "prefixes": 3, "reason": reason, "bfd": "Up",
        })
    };
    let node = |name: &str, silent: bool, peers: Value| {
        json!({
            "name": name, "reported_at": "2026-11-30T14:55:00Z", "silent": silent,
            "version": "0.1.0", "drain": "serving", "services": 2, "peers": peers, "problems": [],
        })
    };
    let nodes = json!([
        node("kube1", false, json!([peer("tor1", "Established", None)])),
        node(
            "kube2",
            false,
            json!([
                peer("tor1", "Established", None),
                peer("tor2", "Active", Some("the router refused the TCP connection")),
            ])
        ),
        node("kube3", true, json!([peer("tor1", "Established", None)])),
        node("kube4", false, json!([])),
    ]);
    let nodes: Vec<ferrolb_api::Node> = serde_json::from_value(nodes).unwrap();
    let text = shown(ViewFormat::Text, |out, look| nodes::write(out, look, &nodes, now()));
    insta::assert_snapshot!(text, @r"
    Peers, as the nodes report them
      NODE   PEER  STATE        UP/DOWN  PREFIXES  BFD
      kube1  tor1  Established  1m 5s    3         Up
      kube2  tor1  Established  1m 5s    3         Up
      kube2  tor2  Active       1m 5s    3         Up
        the router refused the TCP connection
      kube3  tor1  Established  1m 5s    3         Up
        the speaker does not report: the last report was 5m 0s ago
      kube4  -
    ");
    let of = |number: usize| nodes::are_established(&nodes[number..=number]);
    assert_eq!([of(0), of(1), of(2), of(3)], [true, false, false, true]);
}
