use std::time::Duration;

use bgp_session::bfd::{BfdStatus, State};
use bgp_session::{Asn, BgpIdentifier, PeerConfig, Speaker};

use super::*;
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::ProbeStatus;

/// Returns a sample of a speaker whose peer does not exist.
async fn sample() -> Sample {
    let speaker = Speaker::builder(Asn(64_636), BgpIdentifier::new(172, 22, 35, 25));
    let speaker = speaker.start().await.unwrap();
    let peer = PeerConfig::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1)), Asn(64_635))
        .hold_time(Duration::from_secs(90));
    let peer = speaker.add_peer(peer).await.unwrap();
    let mut session = SessionSample::new("tor", "172.22.35.1:179", peer.status());
    session.prefixes = 2;
    session.pending = 2;
    let mut bfd = BfdStatus::default();
    (bfd.state, bfd.stats.sent, bfd.stats.received) = (State::Up, 9, 8);
    (bfd.stats.ups, bfd.stats.failures) = (2, 1);
    bfd.detection_time = Duration::from_millis(900);
    session.status.bfd = Some(bfd);
    let pool = PoolSample {
        name: "default".to_owned(),
        ipv4: PoolUsage::new(2, 64),
        services: 3,
        ..PoolSample::default()
    };
    let smtp = ServiceKey::new("mail", "smtp");
    Sample {
        node: Some("kube1".to_owned()),
        config: ConfigSample::new(true, false, None),
        pools: vec![pool],
        sessions: vec![session],
        probes: vec![
            ProbeSample::new(ServiceKey::new("mail", "imap"), ProbeStatus::HeldDown),
            ProbeSample::new(smtp.clone(), ProbeStatus::Up),
            ProbeSample::new(
                ServiceKey::new("mail", "pop"),
                ProbeStatus::Down("refused".to_owned()),
            ),
        ],
        announced: vec![AnnouncedAddress::new(smtp, "172.22.35.70".parse().unwrap())],
        api: ApiSample::new(7, 0, [("services", 1)].into()),
        ..Sample::default()
    }
}

#[tokio::test]
async fn metallbs_names_and_labels_are_those_that_its_dashboards_use() {
    let text = encode(&sample().await, &Latency::new()).unwrap();
    for line in [
        r#"metallb_allocator_addresses_total{pool="default"} 64.0"#,
        r#"metallb_allocator_addresses_in_use_total{pool="default"} 2.0"#,
        "metallb_k8s_client_updates_total 7",
        "metallb_k8s_client_config_loaded_bool 1.0",
        "metallb_k8s_client_config_stale_bool 0.0",
        r#"metallb_speaker_announced{service="mail/smtp",protocol="bgp",node="kube1",ip="172.22.35.70"} 1.0"#,
        r#"metallb_bgp_session_up{peer="172.22.35.1:179"} 0.0"#,
        r#"metallb_bgp_updates_total{peer="172.22.35.1:179"} 0"#,
        r#"metallb_bgp_opens_sent{peer="172.22.35.1:179"} 0.0"#,
        r#"metallb_bgp_updates_total_received{peer="172.22.35.1:179"} 0.0"#,
        r#"metallb_bfd_session_up{peer="172.22.35.1",vrf="default"} 1.0"#,
        r#"metallb_bfd_control_packet_input{peer="172.22.35.1",vrf="default"} 8.0"#,
        r#"metallb_bfd_control_packet_output{peer="172.22.35.1",vrf="default"} 9.0"#,
        r#"metallb_bfd_session_up_events{peer="172.22.35.1",vrf="default"} 2.0"#,
        r#"metallb_bfd_session_down_events{peer="172.22.35.1",vrf="default"} 1.0"#,
        r#"metallb_bgp_announced_prefixes_total{peer="172.22.35.1:179"} 0.0"#,
        r#"metallb_bgp_pending_prefixes_total{peer="172.22.35.1:179"} 2.0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_problem_of_bfd_is_reported_until_the_session_is_up() {
    let mut sample = sample().await;
    let bfd = sample.sessions[0].status.bfd.as_mut().unwrap();
    bfd.problem = Some("cannot receive BFD at 10.77.0.11:3784: Address in use".to_owned());
    let text = encode(&sample, &Latency::new()).unwrap();
    assert!(!text.contains("ferrolb_bfd_problem_info{"), "a session that is up has no problem");
    sample.sessions[0].status.bfd.as_mut().unwrap().state = State::Down;
    let line = r#"ferrolb_bfd_problem_info{peer="172.22.35.1:179",name="tor",reason="cannot receive BFD at 10.77.0.11:3784: Address in use"} 1.0"#;
    let text = encode(&sample, &Latency::new()).unwrap();
    assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
}

#[tokio::test(start_paused = true)]
async fn the_time_without_a_session_grows_until_it_is_up() {
    let mut sample = sample().await;
    sample.pending_services = Some(3);
    let session = &mut sample.sessions[0];
    session.hold_time = Duration::from_secs(90);
    session.status.down_since = Some(tokio::time::Instant::now().into_std());
    session.status.peer.as_mut().unwrap().unsendable = 2;
    session.status.disabled = Some("maintenance".to_owned());

    tokio::time::advance(Duration::from_secs(91)).await;
    let text = encode(&sample, &Latency::new()).unwrap();
    for line in [
        r#"ferrolb_bgp_session_down_seconds{peer="172.22.35.1:179",name="tor"} 91.0"#,
        r#"ferrolb_bgp_session_hold_time_seconds{peer="172.22.35.1:179",name="tor"} 90.0"#,
        r#"ferrolb_bgp_unsendable_prefixes{peer="172.22.35.1:179",name="tor"} 2.0"#,
        r#"ferrolb_bgp_peer_disabled{peer="172.22.35.1:179",name="tor"} 1.0"#,
        "ferrolb_services_pending 3.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    sample.sessions[0].status.down_since = None;
    sample.pending_services = None;
    let text = encode(&sample, &Latency::new()).unwrap();
    let line = r#"ferrolb_bgp_session_down_seconds{peer="172.22.35.1:179",name="tor"} 0.0"#;
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(
        !text.contains("\nferrolb_services_pending "),
        "a speaker assigns no addresses\n{text}"
    );
}

#[tokio::test]
async fn the_text_that_a_peer_sends_is_no_label() {
    let mut sample = sample().await;
    let shutdown = bgp_session::CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
    let cease = bgp_session::Notification::cease_with_message(shutdown, "until noon");
    let peer = sample.sessions[0].status.peer.as_mut().unwrap();
    peer.last_down = Some(bgp_session::DownReason::Remote(cease));

    let text = encode(&sample, &Latency::new()).unwrap();
    assert!(!text.contains("until noon"), "{text}");
    let line = text.lines().find(|line| line.starts_with("ferrolb_bgp_last_down_info{")).unwrap();
    assert!(line.contains("ended by the peer: Cease: administrative shutdown"), "{line}");
}

#[tokio::test]
async fn the_label_of_an_ipv6_peer_has_no_brackets() {
    let mut sample = sample().await;
    sample.sessions[0].endpoint = "[fd00::21]:179".to_owned();
    let text = encode(&sample, &Latency::new()).unwrap();
    for line in [
        r#"metallb_bgp_session_up{peer="fd00::21:179"} 0.0"#,
        r#"metallb_bfd_session_up{peer="fd00::21",vrf="default"} 1.0"#,
        r#"ferrolb_bgp_session_up{peer="fd00::21:179",name="tor"} 0.0"#,
        r#"ferrolb_bfd_session_up{peer="fd00::21:179",name="tor"} 1.0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("[fd00"), "{text}");
}

#[tokio::test]
async fn ferrolbs_own_names_have_units_and_states() {
    let latency = Latency::new();
    latency.observe(0.0004);
    let text = encode(&sample().await, &latency).unwrap();
    for line in [
        r#"ferrolb_pool_addresses{pool="default",family="ipv4",state="free"} 62.0"#,
        r#"ferrolb_bgp_session_up{peer="172.22.35.1:179",name="tor"} 0.0"#,
        r#"ferrolb_bgp_session_state{peer="172.22.35.1:179",name="tor",state="Established"} 0.0"#,
        r#"ferrolb_bgp_messages_total{peer="172.22.35.1:179",name="tor",direction="out",type="open"} 0"#,
        r#"ferrolb_bfd_session_up{peer="172.22.35.1:179",name="tor"} 1.0"#,
        r#"ferrolb_bfd_detection_time_seconds{peer="172.22.35.1:179",name="tor"} 0.9"#,
        r#"ferrolb_probe_up{service="mail/smtp"} 1.0"#,
        r#"ferrolb_probe_up{service="mail/imap"} 0.0"#,
        r#"ferrolb_probe_held_down{service="mail/imap"} 1.0"#,
        r#"ferrolb_probe_up{service="mail/pop"} 0.0"#,
        r#"ferrolb_bgp_prefixes_unsendable_total{peer="172.22.35.1:179",name="tor"} 0"#,
        r#"ferrolb_kube_watch_restarts_total{resource="services"} 1"#,
        r#"ferrolb_bgp_update_latency_seconds_bucket{le="0.0005"} 1"#,
        r#"ferrolb_drain_stage{stage="serving"} 1.0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let states = text.lines().filter(|line| line.starts_with("ferrolb_bgp_session_state{"));
    assert_eq!(
        states.filter(|line| line.ends_with(" 1.0")).count(),
        1,
        "one state at a time\n{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}
