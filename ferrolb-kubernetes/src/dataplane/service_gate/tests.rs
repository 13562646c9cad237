//! The life of one Service, moment by moment.

use lb_adapter::engine::DataplaneTarget;

use super::super::timing::POLL;
use super::*;

/// A Service and its gate, with a clock in milliseconds.
struct Story {
    gate: ServiceGate,
    target: DataplaneTarget,
    facts: NodeFacts,
    timing: Timing,
    now: Moment,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn target(policy: ExternalTrafficPolicy, demand: RouteDemand) -> DataplaneTarget {
    let mut target = DataplaneTarget::new(policy, demand);
    target.health_check_node_port = (policy == ExternalTrafficPolicy::Local).then_some(31_234);
    target.addresses = vec!["172.22.35.70".parse().unwrap()];
    target.tcp_port = Some(25);
    target.has_other_nodes = true;
    target
}

impl Story {
    /// A Service that appears at 1 s.
    fn of(target: DataplaneTarget) -> Self {
        let (timing, now) = (Timing::new(ms(1200)), Moment::default().after(ms(1000)));
        let gate = ServiceGate::new(&target, 1, now, &timing);
        Self { gate, target, facts: NodeFacts::default(), timing, now }
    }

    fn local() -> Self {
        Self::of(target(ExternalTrafficPolicy::Local, RouteDemand::Serving))
    }

    fn cluster() -> Self {
        Self::of(target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving))
    }

    /// A Local Service that is announced since its health port has answered.
    fn announced() -> Self {
        let mut story = Self::local();
        story.facts.health_ports = HealthPorts::Answering;
        story.forwards();
        assert_eq!(story.state(), "ready");
        story
    }

    fn wait(&mut self, time: Duration) -> &'static str {
        self.now = self.now.after(time);
        self.gate.tick(self.now, &self.facts, &self.timing);
        self.state()
    }

    fn observe(&mut self, found: Observation) -> &'static str {
        self.gate.observe(found, self.now, &self.facts, &self.timing, 1);
        self.state()
    }

    fn forwards(&mut self) -> &'static str {
        self.observe(Observation::Forwards)
    }

    fn fails(&mut self) -> &'static str {
        self.observe(Observation::DoesNot("refused".to_owned()))
    }

    /// Changes the endpoints, and with them the routes that the API wants.
    fn demand(&mut self, demand: RouteDemand) -> &'static str {
        self.target.demand = demand;
        self.target.fingerprint += 1;
        self.set_target()
    }

    fn set_target(&mut self) -> &'static str {
        self.gate.set_target(&self.target, 1, self.now, &self.timing);
        self.state()
    }

    fn state(&self) -> &'static str {
        match self.gate.status() {
            None => "idle",
            Some(DataplaneStatus::Ready) => "ready",
            Some(DataplaneStatus::Held(_)) => "held",
            Some(DataplaneStatus::Depreferenced(_)) => "depreferenced",
            Some(DataplaneStatus::Withdrawn(_)) => "withdrawn",
            Some(DataplaneStatus::Leaving) => "leaving",
        }
    }
}

#[test]
fn a_local_service_waits_for_its_health_port_which_is_polled_every_50_ms() {
    let mut story = Story::local();
    assert_eq!(story.state(), "held");
    let addresses = story.target.addresses.clone();
    let connect = ConnectTarget { addresses, port: 25, remote_endpoints: Vec::new() };
    assert_eq!(story.gate.check(), Some(Check::HealthPortAndConnect(31_234, connect)));
    assert_eq!(story.gate.next_wake(story.now, &story.timing), Some(story.now));
    for _ in 0..18 {
        story.gate.note_check();
        assert_eq!(story.fails(), "held");
        let next = story.now.after(POLL);
        assert_eq!(story.gate.next_wake(story.now, &story.timing), Some(next));
        story.wait(POLL);
    }
    assert_eq!(story.forwards(), "ready");
    assert_eq!(story.gate.next_check(), None, "from now on only the sweep checks it");
    assert_eq!(story.gate.check(), Some(Check::HealthPort(31_234)), "without connections to pods");
}

#[test]
fn a_health_port_alone_does_not_count_for_an_address_that_is_new() {
    let mut udp = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    udp.tcp_port = None;
    let mut story = Story::of(udp.clone());
    assert_eq!(story.gate.check(), Some(Check::HealthPort(31_234)));
    assert_eq!(story.forwards(), "held");
    story.wait(ms(700));
    story.facts.synced.ipv4 = Some(story.now);
    assert_eq!(story.forwards(), "ready");

    // A Service that existed before the process has had its address for longer.
    let (timing, now) = (Timing::new(ms(1200)), Moment::default());
    let mut gate = ServiceGate::new(&udp, 1, now, &timing).initial();
    gate.observe(Observation::Forwards, now, &NodeFacts::default(), &timing, 1);
    assert!(gate.is_announced());
}

#[test]
fn a_cluster_service_waits_for_a_connection() {
    let mut story = Story::cluster();
    let addresses = story.target.addresses.clone();
    assert_eq!(
        story.gate.check(),
        Some(Check::Connect(ConnectTarget { addresses, port: 25, remote_endpoints: Vec::new() }))
    );
    story.gate.note_check();
    assert_eq!(story.fails(), "held");
    assert_eq!(story.gate.next_check(), Some(story.now.after(POLL)), "without syncs, time decides");
    story.wait(POLL);
    assert_eq!(story.forwards(), "ready");
    assert_eq!(story.gate.check(), None, "users' pods are not connected to any more");
}

#[test]
fn a_connection_follows_each_sync_if_kube_proxy_reports_them() {
    let mut story = Story::cluster();
    story.facts.synced.ipv4 = Some(story.now);
    story.gate.note_check();
    story.fails();
    assert_eq!(story.gate.next_check(), Some(story.now.after(ms(1000))));
    story.wait(ms(300));
    story.gate.note_sync(story.now);
    assert_eq!(story.gate.next_check(), Some(story.now));
    assert_eq!(story.forwards(), "ready");
    story.gate.note_sync(story.now);
    assert_eq!(story.gate.next_check(), None, "it is announced");
}

#[test]
fn a_service_that_cannot_be_observed_waits_for_a_sync_or_a_fixed_time() {
    let mut udp = target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving);
    udp.tcp_port = None;
    let mut story = Story::of(udp.clone());
    assert_eq!(story.gate.check(), None);
    assert_eq!(story.wait(ms(1199)), "held");
    assert_eq!(story.wait(ms(1)), "ready");

    // A sync that ended before the change reached kube-proxy may lack it.
    let mut story = Story::of(udp.clone());
    story.facts.synced.ipv4 = Some(story.now.after(ms(499)));
    assert_eq!(story.wait(ms(600)), "held");
    story.facts.synced.ipv6 = Some(story.now);
    assert_eq!(story.wait(ms(1)), "held", "the sync of the other family shows nothing");
    story.facts.synced.ipv4 = Some(story.now);
    assert_eq!(story.wait(ms(1)), "ready");

    let mut portless = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    portless.health_check_node_port = None;
    let mut story = Story::of(portless);
    assert_eq!(story.wait(ms(1200)), "ready");

    udp.gate = DataplaneGate::Require;
    let mut story = Story::of(udp);
    assert_eq!(story.wait(ms(60_000)), "held", "nothing shows that there is a dataplane");
    story.facts.proxy_ok = Some(story.now);
    assert_eq!(story.wait(ms(1)), "ready");
}

#[test]
fn mode_auto_gives_up_after_a_few_seconds_and_mode_require_never() {
    let mut story = Story::local();
    story.fails();
    assert_eq!(story.wait(ms(2999)), "held");
    // Nobody knows yet whether the cluster has health ports.
    assert_eq!(story.wait(ms(1)), "depreferenced");
    story.fails();
    assert!(story.gate.needs_health_ports());
    story.facts.health_ports = HealthPorts::Silent;
    assert_eq!(story.wait(ms(1)), "ready");

    let mut later = Story::local();
    later.facts.health_ports = HealthPorts::Silent;
    later.fails();
    assert_eq!(later.wait(ms(1199)), "held");
    assert_eq!(later.wait(ms(1)), "ready", "what is known need not be found out again");

    let mut required = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    required.gate = DataplaneGate::Require;
    let mut story = Story::of(required);
    story.facts.health_ports = HealthPorts::Silent;
    assert_eq!(story.wait(ms(3_600_000)), "held");
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn a_node_whose_kube_proxy_is_dead_announces_a_new_pod_with_a_low_preference() {
    let mut story = Story::local();
    story.facts.health_ports = HealthPorts::Answering;
    story.fails();
    assert_eq!(story.wait(ms(3000)), "depreferenced");
    for _ in 0..100 {
        story.wait(ms(50));
        assert_eq!(story.fails(), "depreferenced");
    }
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn a_cluster_service_is_announced_after_the_limit_unless_kube_proxy_has_failed() {
    let mut story = Story::cluster();
    story.fails();
    assert_eq!(story.wait(ms(3000)), "ready", "its pods may refuse connections from nodes");
    let mut story = Story::cluster();
    story.facts.proxy_failing = Some(story.now);
    story.fails();
    assert_eq!(story.wait(ms(3000)), "depreferenced");
    story.facts.proxy_failing = None;
    assert_eq!(story.wait(ms(1)), "depreferenced", "no connection has been accepted");
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn a_pod_that_moves_away_leaves_the_route_in_place_for_a_moment() {
    let mut story = Story::announced();
    assert_eq!(
        story.demand(RouteDemand::Terminating),
        "ready",
        "the planner lowers the preference"
    );
    assert_eq!(story.demand(RouteDemand::Elsewhere), "leaving");
    assert_eq!(story.wait(ms(1199)), "leaving");
    assert_eq!(story.wait(ms(1)), "idle");

    let mut story = Story::announced();
    assert_eq!(story.demand(RouteDemand::None), "idle", "no other node has an endpoint");
}

#[test]
fn a_withdrawn_or_held_service_does_not_linger() {
    let mut story = Story::local();
    assert_eq!(story.demand(RouteDemand::Elsewhere), "idle");
    assert_eq!(story.demand(RouteDemand::Serving), "held");
}

#[test]
fn endpoints_that_return_are_preferred_only_once_kube_proxy_has_followed() {
    // The port still answers for the pod that terminates: kube-proxy has not seen either change.
    let mut story = Story::announced();
    story.demand(RouteDemand::Terminating);
    story.wait(ms(300));
    assert_eq!(story.demand(RouteDemand::Serving), "depreferenced");
    assert_eq!(story.forwards(), "depreferenced");
    story.wait(ms(600));
    story.facts.synced.ipv4 = Some(story.now);
    assert_eq!(story.forwards(), "ready");

    // A port that has turned to 503 is up to date.
    let mut story = Story::announced();
    story.demand(RouteDemand::Elsewhere);
    assert_eq!(story.demand(RouteDemand::Serving), "depreferenced");
    assert_eq!(story.fails(), "depreferenced");
    assert_eq!(story.forwards(), "ready");

    // Without either, time decides.
    let mut story = Story::announced();
    story.demand(RouteDemand::None);
    story.wait(ms(100));
    assert_eq!(story.demand(RouteDemand::Serving), "held");
    assert_eq!(story.forwards(), "held");
    story.wait(ms(1200));
    assert_eq!(story.forwards(), "ready");
}

#[test]
fn rules_of_the_former_policy_do_not_count_for_the_new_one() {
    let mut story = Story::of(target(ExternalTrafficPolicy::Local, RouteDemand::Elsewhere));
    assert_eq!(story.state(), "idle");
    // Traffic from the node itself reaches any pod even with the policy Local.
    let before = story.now;
    story.target = target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving);
    story.target.fingerprint = 7;
    assert_eq!(story.set_target(), "held");
    story.gate.forget_former_port();
    assert_eq!(story.forwards(), "held");
    story.wait(ms(600));
    story.facts.synced.ipv4 = Some(before.after(ms(550)));
    assert_eq!(story.forwards(), "ready");

    // kube-proxy closes the health port of the former policy once it has written the rules.
    let mut story = Story::of(target(ExternalTrafficPolicy::Local, RouteDemand::Elsewhere));
    story.target = target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving);
    story.target.fingerprint = 7;
    story.set_target();
    let Some(Check::ClosedPortAndConnect(31_234, _)) = story.gate.check() else { panic!() };
    story.facts.synced.ipv4 = Some(story.now);
    story.gate.note_check();
    assert_eq!(story.fails(), "held");
    assert_eq!(story.gate.next_check(), Some(story.now.after(POLL)));
    assert_eq!(story.observe(Observation::ForwardsNow), "ready");

    // A node that serves goes on.
    let mut story = Story::announced();
    story.target = target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving);
    assert_eq!(story.set_target(), "ready");
}

#[test]
fn a_new_address_has_to_pass_the_gate_too() {
    let mut story = Story::announced();
    story.gate.set_target(&story.target, 2, story.now, &story.timing);
    assert_eq!(story.state(), "held");
}

#[test]
fn a_service_whose_prefix_the_node_announces_already_is_not_held_back() {
    let mut shared = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    shared.shares_routes = true;
    assert_eq!(Story::of(shared).state(), "ready");
}

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
fn a_kube_proxy_that_answers_but_does_not_sync_counts_as_dead_for_what_has_changed() {
    let mut story = Story::cluster();
    story.facts.proxy_ok = Some(story.now);
    story.facts.synced.ipv4 = Some(story.now);
    story.forwards();
    story.wait(ms(60_000));
    assert_eq!(story.demand(RouteDemand::Serving), "ready");
    let stuck = story.now.after(ms(10_000));
    assert_eq!(story.gate.next_wake(story.now, &story.timing), Some(stuck));
    assert_eq!(story.wait(ms(9999)), "ready");
    assert_eq!(story.wait(ms(1)), "depreferenced");
    assert_eq!(story.wait(ms(60_000)), "depreferenced");
    story.facts.synced.ipv4 = Some(story.now);
    assert_eq!(story.wait(ms(1)), "ready");
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
    let now = Moment::default();
    let mut gate = ServiceGate::new(&target, 1, now, &timing).initial();
    assert!(gate.is_unchecked());
    gate.tick(now, &NodeFacts::default(), &timing);
    assert!(!gate.is_announced());
    gate.tick(now, &NodeFacts { proxy_ok: Some(now), ..NodeFacts::default() }, &timing);
    assert!(gate.is_announced());
}
