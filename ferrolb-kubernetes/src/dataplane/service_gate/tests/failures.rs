//! Dataplanes that fail and come back, and processes that start.

use super::*;

#[test]
fn a_health_port_that_fails_twice_lowers_the_preference() {
    let mut story = Story::announced();
    story.wait(ms(5000));
    assert_eq!(story.fails(), "ready");
    story.wait(ms(1000));
    assert_eq!(story.fails(), "depreferenced");
    story.wait(ms(50));
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn kube_proxy_has_time_to_follow_a_change_before_its_port_counts() {
    let mut story = Story::announced();
    story.wait(ms(60_000));
    story.demand(RouteDemand::Serving);
    for _ in 0..10 {
        story.wait(ms(100));
        assert_eq!(story.fails(), "ready");
    }
    story.wait(ms(700));
    story.fails();
    story.wait(ms(1000));
    assert_eq!(story.fails(), "depreferenced");
}

#[test]
fn a_port_that_flaps_has_to_hold_longer_each_time() {
    let mut story = Story::announced();
    let mut waits = Vec::new();
    for _ in 0..9 {
        story.wait(ms(10_000));
        story.fails();
        story.wait(ms(1000));
        assert_eq!(story.fails(), "depreferenced");
        let mut waited = 0;
        story.wait(ms(100));
        while story.forwards() != "ready" {
            story.wait(ms(100));
            waited += 100;
        }
        waits.push(waited);
    }
    assert_eq!(waits, [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 32_000, 32_000]);

    // After ten minutes without a failure it counts as well again.
    story.wait(ms(600_000));
    story.fails();
    story.wait(ms(1000));
    story.fails();
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn a_dead_kube_proxy_lowers_the_preference_where_its_rules_are_out_of_date() {
    let mut story = Story::announced();
    story.facts.proxy_ok = Some(story.now.after(ms(1000)));
    story.wait(ms(3000));
    story.facts.proxy_failing = Some(story.now);
    assert_eq!(story.wait(ms(1)), "ready", "its rules are still right");
    assert_eq!(story.demand(RouteDemand::Serving), "ready");
    assert_eq!(story.wait(ms(1)), "depreferenced", "and now they are not");

    let mut story = Story::announced();
    story.facts.proxy_ok = Some(story.now.after(ms(1000)));
    story.wait(ms(3000));
    story.facts.proxy_failing = Some(story.now);
    assert_eq!(story.wait(ms(29_999)), "ready");
    assert_eq!(story.wait(ms(1)), "depreferenced");
    story.facts.proxy_failing = None;
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn a_route_is_withdrawn_after_the_report_and_only_while_another_node_serves() {
    let mut story = Story::announced();
    story.wait(ms(5000));
    story.fails();
    story.wait(ms(1000));
    assert_eq!(story.fails(), "depreferenced");
    story.wait(ms(10_000));
    let may_withdraw =
        |story: &Story| story.gate.may_withdraw(story.now, &story.facts, &story.timing);
    assert!(!may_withdraw(&story), "the other nodes have not been told");
    story.facts.reported = Some(story.now);
    assert!(may_withdraw(&story));
    story.gate.set_served_elsewhere(false, story.now);
    assert_eq!(story.state(), "depreferenced");
    story.gate.set_served_elsewhere(true, story.now);
    assert_eq!(story.state(), "withdrawn");
    story.gate.set_served_elsewhere(false, story.now);
    assert_eq!(story.state(), "depreferenced");

    story.gate.set_served_elsewhere(true, story.now);
    story.target.has_other_nodes = false;
    assert_eq!(story.set_target(), "depreferenced", "the last endpoint elsewhere is gone");
    assert!(!may_withdraw(&story));
}

#[test]
fn terminating_endpoints_are_announced_if_kube_proxy_had_the_time_to_follow() {
    let mut story = Story::of(target(ExternalTrafficPolicy::Local, RouteDemand::Terminating));
    story.facts.health_ports = HealthPorts::Answering;
    assert_eq!(story.fails(), "held");
    assert_eq!(story.wait(ms(1200)), "ready", "the planner lowers the preference");
}

#[test]
fn a_service_that_existed_before_the_process_needs_no_connection() {
    let timing = Timing::new(ms(1200));
    let target = target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving);
    let now = Moment::default().after(ms(10_000));
    let mut gate = ServiceGate::new(&target, now, &timing).initial();
    assert!(gate.is_unchecked());
    gate.tick(now, &NodeFacts::default(), &timing);
    assert!(!gate.is_announced());

    let mut facts =
        NodeFacts { proxy_ok: Some(now), proxy_since: Some(now), ..NodeFacts::default() };
    facts.synced.ipv4 = Some(now);
    gate.tick(now, &facts, &timing);
    assert!(!gate.is_announced(), "kube-proxy may have just started");
    facts.synced.ipv4 = Some(Moment::default());
    gate.tick(now, &facts, &timing);
    assert!(gate.is_announced());
}

#[test]
fn a_service_that_existed_before_is_the_last_choice_if_its_checks_do_not_succeed_in_time() {
    let timing = Timing::new(ms(1200));
    let mut target = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    let mut gate = ServiceGate::new(&target, Moment::default(), &timing).initial();
    gate.end_first_checks(Moment::default());
    assert!(matches!(gate.status(), Some(DataplaneStatus::Depreferenced(_))));

    target.gate = DataplaneGate::Require;
    let mut gate = ServiceGate::new(&target, Moment::default(), &timing).initial();
    gate.end_first_checks(Moment::default());
    assert!(matches!(gate.status(), Some(DataplaneStatus::Held(_))));
}

#[test]
fn a_local_service_that_existed_before_needs_no_answer_of_its_port_if_kube_proxy_has_run() {
    let timing = Timing::new(ms(1200));
    let target = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    let now = Moment::default().after(ms(10_000));
    let mut facts =
        NodeFacts { proxy_ok: Some(now), proxy_since: Some(now), ..NodeFacts::default() };
    facts.synced.ipv4 = Some(Moment::default());

    let mut gate = ServiceGate::new(&target, now, &timing).initial();
    gate.tick(now, &facts, &timing);
    assert!(gate.is_announced());
    let mut gate = ServiceGate::new(&target, now, &timing);
    gate.tick(now, &facts, &timing);
    assert!(!gate.is_announced(), "its address is new");
}

#[test]
fn a_new_address_without_a_connection_is_doubtful_also_while_it_is_the_last_choice() {
    let mut udp = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    udp.tcp_port = None;
    let mut story = Story::of(udp);
    story.facts.health_ports = HealthPorts::Answering;
    story.fails();
    assert_eq!(story.wait(ms(3000)), "depreferenced");

    assert_eq!(story.demand(RouteDemand::Serving), "depreferenced");
    assert_eq!(story.forwards(), "depreferenced", "the port is open before the address is known");
    story.wait(ms(600));
    story.facts.synced.ipv4 = Some(story.now);
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn a_new_address_is_connected_to_until_it_is_proven() {
    let mut story = Story::local();
    story.facts.health_ports = HealthPorts::Answering;
    story.fails();
    assert_eq!(story.wait(ms(3000)), "depreferenced");
    story.demand(RouteDemand::Serving);
    let Some(Check::HealthPortAndConnect(31_234, _)) = story.gate.check() else { panic!() };
    story.gate.set_served_elsewhere(true, story.now);
    story.demand(RouteDemand::Serving);
    let Some(Check::HealthPortAndConnect(31_234, _)) = story.gate.check() else { panic!() };
    assert_eq!(story.forwards(), "ready");

    let mut story = Story::cluster();
    story.facts.proxy_failing = Some(story.now);
    story.fails();
    assert_eq!(story.wait(ms(3000)), "depreferenced");
    story.demand(RouteDemand::Serving);
    story.facts.proxy_failing = None;
    assert_eq!(story.wait(ms(2000)), "depreferenced", "no connection has been accepted");
    assert_eq!(story.forwards(), "ready");

    // The address of one that was announced before is known to work.
    let mut story = Story::announced();
    story.wait(ms(5000));
    story.fails();
    story.wait(ms(1000));
    assert_eq!(story.fails(), "depreferenced");
    story.demand(RouteDemand::Serving);
    assert_eq!(story.gate.check(), Some(Check::HealthPort(31_234)));
}

#[test]
fn the_reason_tells_whether_a_service_can_be_checked() {
    let reason = |story: &Story| match story.gate.status() {
        Some(DataplaneStatus::Held(reason)) => reason.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&Story::local()), "not checked yet");

    let mut udp = target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving);
    udp.tcp_port = None;
    assert_eq!(
        reason(&Story::of(udp)),
        "it cannot be checked, and kube-proxy has not had the time to follow the last change"
    );
}
