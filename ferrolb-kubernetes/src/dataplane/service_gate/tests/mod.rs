//! The life of one Service, moment by moment.

mod failures;

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
        let gate = ServiceGate::new(&target, now, &timing);
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
        self.gate.set_target(&self.target, self.now, &self.timing);
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
    let mut gate = ServiceGate::new(&udp, now, &timing).initial();
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

    // A port that has turned to 503 is up to date, and one that was not reached is not.
    let mut story = Story::announced();
    story.demand(RouteDemand::Elsewhere);
    assert_eq!(story.demand(RouteDemand::Serving), "depreferenced");
    story.fails();
    assert_eq!(story.forwards(), "depreferenced");
    assert_eq!(story.observe(Observation::NoEndpoint("503".to_owned())), "depreferenced");
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
    story.target.addresses = vec!["172.22.35.71".parse().unwrap()];
    assert_eq!(story.set_target(), "held");

    let mut story = Story::announced();
    story.target.addresses.push("fd00::70".parse().unwrap());
    assert_eq!(story.set_target(), "ready", "a second address takes nothing from the first");
    story.target.addresses.swap(0, 1);
    assert_eq!(story.set_target(), "ready");
    story.target.addresses.pop();
    assert_eq!(story.set_target(), "ready");
}

#[test]
fn only_what_is_checked_outdates_a_check_under_way() {
    let mut story = Story::local();
    let outdates =
        |story: &mut Story| story.gate.set_target(&story.target, story.now, &story.timing);
    story.target.fingerprint += 1;
    assert!(!outdates(&mut story));
    story.target.health_check_node_port = Some(31_235);
    assert!(outdates(&mut story));
    story.target.addresses = vec!["172.22.35.71".parse().unwrap()];
    assert!(outdates(&mut story));
}

#[test]
fn a_service_whose_pool_gets_a_gate_stays_announced() {
    let target = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    let (timing, now) = (Timing::new(ms(1200)), Moment::default());
    assert!(ServiceGate::new(&target, now, &timing).announced(now).is_announced());
}

#[test]
fn a_kube_proxy_that_has_come_back_needs_the_time_of_a_sync() {
    let mut story = Story::announced();
    story.target = target(ExternalTrafficPolicy::Cluster, RouteDemand::Serving);
    story.set_target();
    story.facts.proxy_ok = Some(story.now);
    story.wait(ms(3000));
    story.facts.proxy_failing = Some(story.now);
    assert_eq!(story.demand(RouteDemand::Serving), "ready");
    assert_eq!(story.wait(ms(1)), "depreferenced");
    story.wait(ms(10_000));
    story.facts.proxy_failing = None;
    story.facts.proxy_since = Some(story.now);
    assert_eq!(story.wait(ms(1)), "depreferenced", "its rules are those from before");
    assert_eq!(story.wait(ms(1199)), "ready");
}

#[test]
fn a_service_whose_prefix_the_node_announces_already_is_not_held_back() {
    let mut shared = target(ExternalTrafficPolicy::Local, RouteDemand::Serving);
    shared.shares_routes = true;
    assert_eq!(Story::of(shared).state(), "ready");
}

#[test]
fn a_service_that_is_announced_takes_little_memory() {
    assert!(size_of::<ServiceGate>() <= 80, "{}", size_of::<ServiceGate>());

    let mut story = Story::announced();
    assert!(story.gate.trouble.is_none());
    story.wait(ms(5000));
    story.fails();
    assert!(story.gate.trouble.is_some());
    story.forwards();
    assert!(story.gate.trouble.is_none());
}
