//! The gates of a node, moment by moment.

use lb_adapter::engine::RouteDemand;
use lb_adapter::model::{DataplaneGate, ExternalTrafficPolicy};

use super::super::cluster_view::ClusterView;
use super::super::proxy_health::{PerFamily, ProxyHealth};
use super::*;

/// The gates of a node, with a clock in milliseconds.
struct Node {
    gate: NodeGate,
    now: Moment,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

fn target(policy: ExternalTrafficPolicy) -> DataplaneTarget {
    let mut target = DataplaneTarget::new(policy, RouteDemand::Serving);
    target.health_check_node_port = (policy == ExternalTrafficPolicy::Local).then_some(31_234);
    target.tcp_port = Some(25);
    target.has_other_nodes = true;
    target
}

impl Node {
    fn new() -> Self {
        let now = Moment::default().after(ms(1000));
        Self { gate: NodeGate::new(Timing::new(ms(1200))), now }
    }

    fn with_local(services: usize) -> Self {
        let mut node = Self::new();
        for number in 0..services {
            node.set(&format!("local-{number:04}"), &target(ExternalTrafficPolicy::Local));
        }
        node
    }

    fn set(&mut self, name: &str, target: &DataplaneTarget) {
        self.gate.set_target(&key(name), Some(target), Origin::New, self.now);
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Lets the time pass in steps of 10 ms, and answers each check. Returns the number of checks.
    fn run(&mut self, time: Duration, mut found: impl FnMut(&ServiceKey) -> Observation) -> usize {
        let end = self.now.after(time);
        let mut checks = 0;
        while self.now < end {
            self.wait(ms(10));
            for DueCheck { service, check, generation } in self.gate.due(self.now, 32) {
                checks += 1;
                let found = found(&service);
                let has_answered =
                    found == Observation::Forwards && !matches!(check, Check::Connect(_));
                self.gate.observe((&service, generation), found, has_answered, self.now);
            }
        }
        checks
    }

    fn changes(&mut self) -> Vec<(String, &'static str)> {
        let changes = self.gate.take_changes(usize::MAX).into_iter();
        changes.map(|(service, status)| (service.name.to_string(), word(status.as_ref()))).collect()
    }

    fn proxy(&mut self, is_healthy: bool) {
        let health = ProxyHealth { is_healthy, since_sync: PerFamily::default() };
        self.gate.set_proxy_health(Ok(health), self.now, self.now);
    }
}

fn word(status: Option<&DataplaneStatus>) -> &'static str {
    match status {
        None => "none",
        Some(DataplaneStatus::Ready) => "ready",
        Some(DataplaneStatus::Held(_)) => "held",
        Some(DataplaneStatus::Depreferenced(_)) => "depreferenced",
        Some(DataplaneStatus::Withdrawn(_)) => "withdrawn",
        Some(DataplaneStatus::Leaving) => "leaving",
    }
}

fn refused() -> Observation {
    Observation::DoesNot("refused".to_owned())
}

fn one(name: &str, state: &'static str) -> Vec<(String, &'static str)> {
    vec![(name.to_owned(), state)]
}

#[test]
fn a_service_is_checked_every_50_ms_until_it_forwards_and_the_wait_is_reported() {
    let mut node = Node::with_local(1);
    assert_eq!(node.changes(), one("local-0000", "held"));
    let checks = node.run(ms(1000), |_| refused());
    assert!((19..=21).contains(&checks), "{checks}");
    node.changes();
    node.run(ms(100), |_| Observation::Forwards);
    assert_eq!(node.changes(), one("local-0000", "ready"));
    let [end] = &node.gate.take_hold_times()[..] else { panic!() };
    assert!((ms(1000)..ms(1100)).contains(&end.held) && end.is_ready, "{end:?}");
}

#[test]
fn an_unchanged_problem_is_no_change() {
    let mut node = Node::with_local(1);
    node.run(ms(100), |_| refused());
    assert_eq!(node.changes(), one("local-0000", "held"));
    node.run(ms(1000), |_| refused());
    assert_eq!(node.changes(), []);
}

#[test]
fn thousands_of_refused_ports_are_checked_at_a_bounded_rate() {
    let mut node = Node::with_local(5000);
    // 32 at a time, in steps of 10 ms, are 3,200 a second at most.
    let at_first = node.run(ms(2900), |_| refused());
    assert!(at_first >= 5000, "{at_first}");
    node.gate.set_view(
        &[],
        &ClusterView { has_health_ports: true, ..ClusterView::default() },
        node.now,
    );
    node.run(ms(10_000), |_| refused());
    let later = node.run(ms(10_000), |_| refused());
    assert!((4000..=6000).contains(&later), "{later} checks in 10 s");
}

#[test]
fn announced_services_are_checked_one_after_the_other_at_two_a_second_at_most() {
    let mut node = Node::with_local(3);
    node.run(ms(5000), |_| Observation::Forwards);
    let mut seen = Vec::new();
    let checks = node.run(ms(10_000), |service| {
        seen.push(service.name.to_string());
        Observation::Forwards
    });
    assert!((5..=7).contains(&checks), "each every five seconds: {checks}");
    assert_eq!(seen[..3].iter().collect::<BTreeSet<_>>().len(), 3);

    let mut node = Node::with_local(1000);
    node.run(ms(5000), |_| Observation::Forwards);
    let checks = node.run(ms(10_000), |_| Observation::Forwards);
    assert!((19..=21).contains(&checks), "{checks}");
}

#[test]
fn a_service_whose_pods_are_elsewhere_shows_that_there_are_health_ports() {
    let mut node = Node::new();
    let mut elsewhere = target(ExternalTrafficPolicy::Local);
    elsewhere.demand = RouteDemand::Elsewhere;
    assert_eq!(node.gate.due(node.now, 32), [], "there is nothing to ask yet");
    node.set("local", &elsewhere);
    let mut checks = Vec::new();
    for _ in 0..6 {
        node.wait(ms(100));
        for DueCheck { service, generation, .. } in node.gate.due(node.now, 32) {
            checks.push(service.clone());
            let none = Observation::NoEndpoint("503".to_owned());
            node.gate.observe((&service, generation), none, true, node.now);
        }
    }
    assert_eq!(checks, [key("local")], "one answer is enough");
    assert_eq!(node.gate.facts().health_ports, HealthPorts::Answering);
    assert_eq!(node.changes(), []);
}

#[test]
fn a_failing_port_is_found_by_the_sweep_and_its_recovery_within_a_second() {
    let mut node = Node::with_local(2);
    node.run(ms(5000), |_| Observation::Forwards);
    node.changes();
    let broken = key("local-0001");
    node.run(
        ms(8000),
        |service| if *service == broken { refused() } else { Observation::Forwards },
    );
    assert_eq!(node.changes(), one("local-0001", "depreferenced"));
    node.run(ms(1000), |_| Observation::Forwards);
    assert_eq!(node.changes(), one("local-0001", "ready"));
}

#[test]
fn a_cluster_without_health_ports_is_found_out_once() {
    let mut node = Node::with_local(1);
    node.run(ms(2900), |_| refused());
    assert_eq!(node.gate.needs_view(node.now), None);
    node.run(ms(300), |_| refused());
    assert_eq!(node.gate.needs_view(node.now), Some(vec![]));
    assert_eq!(node.gate.needs_view(node.now), None, "one request at a time");
    node.changes();
    node.gate.set_view(&[], &ClusterView::default(), node.now);
    assert_eq!(node.changes(), one("local-0000", "ready"));
    assert_eq!(node.gate.facts().health_ports, HealthPorts::Silent);

    node.set("later", &target(ExternalTrafficPolicy::Local));
    node.run(ms(1300), |_| refused());
    assert_eq!(node.changes(), one("later", "ready"));
    node.run(ms(60_000), |_| refused());
    assert_eq!(node.changes(), [], "a port that is not served cannot fail");

    // The sweep goes on asking.
    node.run(ms(10_000), |_| Observation::Forwards);
    assert_eq!(node.gate.facts().health_ports, HealthPorts::Answering);
}

#[test]
fn a_node_with_a_dead_kube_proxy_learns_from_the_others_that_there_should_be_one() {
    let mut node = Node::with_local(1);
    node.run(ms(3100), |_| refused());
    assert!(node.gate.needs_view(node.now).is_some());
    node.changes();
    let view = ClusterView { has_health_ports: true, has_proxy: true, ..ClusterView::default() };
    node.gate.set_view(&[], &view, node.now);
    assert_eq!(node.changes(), [], "still depreferenced");
    for _ in 0..3 {
        node.gate.set_proxy_health(Err("refused".to_owned()), node.now, node.now);
        node.wait(ms(1000));
    }
    assert_eq!(node.gate.proxy_is_healthy(), Some(false));
}

#[test]
fn a_kube_proxy_that_has_never_answered_is_asked_for_only_now_and_then() {
    let mut node = Node::new();
    node.set("web", &target(ExternalTrafficPolicy::Cluster));
    node.run(ms(100), |_| Observation::Forwards);
    for _ in 0..4 {
        node.gate.set_proxy_health(Err("refused".to_owned()), node.now, node.now);
    }
    assert_eq!(node.gate.needs_view(node.now), Some(vec![]));
    node.gate.set_view(&[], &ClusterView::default(), node.now);
    assert_eq!(node.gate.facts().health_ports, HealthPorts::Unknown, "nobody asked for them");
    node.wait(ms(59_000));
    assert_eq!(node.gate.needs_view(node.now), None);
    node.wait(ms(1000));
    assert_eq!(node.gate.needs_view(node.now), Some(vec![]));
}

#[test]
fn a_stuck_kube_proxy_lowers_the_preference_of_what_changes_and_recovers() {
    let mut node = Node::new();
    let mut web = target(ExternalTrafficPolicy::Cluster);
    node.set("web", &web);
    node.set("rest", &target(ExternalTrafficPolicy::Cluster));
    node.proxy(true);
    node.run(ms(100), |_| Observation::Forwards);
    node.changes();
    for _ in 0..2 {
        node.wait(ms(1000));
        node.proxy(false);
    }
    assert_eq!(node.changes(), []);
    web.fingerprint += 1;
    node.set("web", &web);
    node.wait(ms(1000));
    node.proxy(false);
    assert_eq!(node.changes(), one("web", "depreferenced"));
    node.wait(ms(1500));
    node.proxy(true);
    assert_eq!(node.changes(), [], "its rules are those from before");
    node.wait(ms(1200));
    node.proxy(true);
    assert_eq!(node.changes(), one("web", "ready"));
}

#[test]
fn services_that_others_serve_are_withdrawn_and_return_when_they_do_not() {
    let mut node = Node::with_local(2);
    node.run(ms(200), |_| Observation::Forwards);
    node.run(ms(10_000), |_| refused());
    node.changes();
    node.run(ms(10_000), |_| refused());
    assert_eq!(node.gate.needs_view(node.now), None, "the report has not been written");
    node.gate.set_reported(Some(node.now));
    node.wait(ms(250));
    let services = node.gate.needs_view(node.now).unwrap();
    assert_eq!(services, [key("local-0000"), key("local-0001")]);
    let view = ClusterView { served: [key("local-0001")].into(), ..ClusterView::default() };
    node.gate.set_view(&services, &view, node.now);
    assert_eq!(node.changes(), one("local-0001", "withdrawn"));
    assert_eq!(node.gate.counts(), Counts { held: 0, depreferenced: 1, withdrawn: 1 });

    node.run(ms(2000), |_| refused());
    let services = node.gate.needs_view(node.now).unwrap();
    node.gate.set_view(&services, &ClusterView::default(), node.now);
    assert_eq!(node.changes(), one("local-0001", "depreferenced"));
}

#[test]
fn a_service_that_goes_away_takes_its_state_along() {
    let mut node = Node::with_local(2);
    node.run(
        ms(100),
        |service| {
            if service.name.ends_with('0') { Observation::Forwards } else { refused() }
        },
    );
    node.changes();
    node.gate.set_target(&key("local-0000"), None, Origin::New, node.now);
    node.gate.retain(&BTreeSet::new());
    let gone = ["local-0000", "local-0001"].map(|name| (name.to_owned(), "none"));
    assert_eq!(node.changes(), gone);
    assert_eq!(node.gate.counts(), Counts::default());
    assert_eq!(node.run(ms(10_000), |_| refused()), 0);
}

#[test]
fn the_same_sync_is_not_a_new_one() {
    let mut node = Node::new();
    let health = |millis| ProxyHealth {
        is_healthy: true,
        since_sync: PerFamily { ipv4: Some(ms(millis)), ipv6: None },
    };
    node.gate.set_proxy_health(Ok(health(500)), node.now, node.now);
    let synced = node.gate.facts().synced.ipv4;
    node.wait(ms(100));
    node.gate.set_proxy_health(Ok(health(597)), node.now, node.now);
    assert_eq!(node.gate.facts().synced.ipv4, synced);
    node.wait(ms(100));
    node.gate.set_proxy_health(Ok(health(10)), node.now, node.now);
    assert_ne!(node.gate.facts().synced.ipv4, synced);
}

#[test]
fn the_late_result_of_a_check_for_a_former_address_does_not_count() {
    let mut node = Node::new();
    let mut web = target(ExternalTrafficPolicy::Cluster);
    web.addresses = vec!["192.0.2.1".parse().unwrap()];
    node.set("web", &web);
    let [check] = &node.gate.due(node.now, 32)[..] else { panic!() };
    let former = check.generation;
    web.addresses = vec!["192.0.2.2".parse().unwrap()];
    node.set("web", &web);
    node.changes();
    node.gate.observe((&key("web"), former), Observation::Forwards, false, node.now);
    assert_eq!(node.changes(), []);

    let [check] = &node.gate.due(node.now, 32)[..] else { panic!() };
    let current = check.generation;
    node.gate.observe((&key("web"), current), Observation::Forwards, false, node.now);
    assert_eq!(node.changes(), one("web", "ready"));
}

#[test]
fn no_more_services_are_withdrawn_than_can_be_looked_up_again() {
    let mut node = Node::with_local(40);
    node.run(ms(1000), |_| Observation::Forwards);
    for _ in 0..2 {
        node.proxy(true);
        node.wait(ms(1000));
    }
    for _ in 0..40 {
        node.gate.set_proxy_health(Err("refused".to_owned()), node.now, node.now);
        node.wait(ms(1000));
    }
    node.wait(ms(12_000));
    node.gate.set_reported(Some(node.now));
    for _ in 0..4 {
        let services = node.gate.needs_view(node.now).unwrap();
        assert_eq!(services.len(), 16);
        let view =
            ClusterView { served: services.iter().cloned().collect(), ..ClusterView::default() };
        node.gate.set_view(&services, &view, node.now);
        assert_eq!(node.gate.counts(), Counts { held: 0, depreferenced: 24, withdrawn: 16 });
        node.wait(ms(2000));
    }

    // Without a view, nothing stays withdrawn.
    let services = node.gate.needs_view(node.now).unwrap();
    node.gate.lose_view(&services, node.now);
    assert_eq!(node.gate.counts(), Counts { held: 0, depreferenced: 40, withdrawn: 0 });
}

#[test]
fn a_service_that_waits_for_long_is_overdue_until_the_dataplane_forwards() {
    let mut node = Node::new();
    let mut strict = target(ExternalTrafficPolicy::Local);
    strict.gate = DataplaneGate::Require;
    node.set("smtp", &strict);
    let limit = ms(5000);
    let overdue = |node: &Node| {
        node.gate.overdue(node.now, limit).map(|(key, _)| key.name.to_string()).collect::<Vec<_>>()
    };
    assert!(overdue(&node).is_empty());
    let at = node.gate.next_overdue(node.now, limit);
    assert_eq!(at, Some(node.now.after(limit)));

    node.run(ms(5010), |_| Observation::DoesNot("no answer".to_owned()));
    assert_eq!(overdue(&node), ["smtp"]);
    assert_eq!(node.gate.next_overdue(node.now, limit), None);

    node.run(ms(3000), |_| Observation::Forwards);
    assert!(overdue(&node).is_empty(), "{:?}", node.changes());
}

#[test]
fn a_start_beside_a_kube_proxy_that_has_run_holds_nothing_back() {
    let policies = [ExternalTrafficPolicy::Local, ExternalTrafficPolicy::Cluster];
    let start = |node: &mut Node| {
        for (name, policy) in ["local", "cluster"].into_iter().zip(policies) {
            node.gate.set_target(&key(name), Some(&target(policy)), Origin::Initial, node.now);
        }
    };

    let mut node = Node::new();
    node.proxy(true);
    start(&mut node);
    assert!(!node.gate.has_unchecked());
    assert_eq!(node.gate.troubled().count(), 0);
    assert_eq!(node.gate.take_hold_times(), []);
    let ready = ["cluster", "local"].map(|name| (name.to_owned(), "ready"));
    assert_eq!(node.changes(), ready);

    // One that comes later has to wait for its own rules.
    node.set("new", &target(ExternalTrafficPolicy::Local));
    assert_eq!(node.changes(), one("new", "held"));

    // Without kube-proxy's word, each is checked.
    let mut node = Node::new();
    start(&mut node);
    assert!(node.gate.has_unchecked());
    let held = ["cluster", "local"].map(|name| (name.to_owned(), "held"));
    assert_eq!(node.changes(), held);
    node.proxy(true);
    assert!(!node.gate.has_unchecked());
    assert_eq!(node.changes(), ready);
}

#[test]
fn a_service_that_gets_a_gate_later_is_announced_only_if_it_was_before() {
    let mut node = Node::new();
    node.proxy(true);
    for (name, is_announced) in [("announced", true), ("new", false)] {
        let (target, origin) = (target(ExternalTrafficPolicy::Local), Origin::later(is_announced));
        node.gate.set_target(&key(name), Some(&target), origin, node.now);
    }
    assert_eq!(node.changes(), [("announced".to_owned(), "ready"), ("new".to_owned(), "held")]);
}

#[test]
fn a_change_during_a_check_does_not_end_the_checks_of_a_depreferenced_service() {
    let mut node = Node::with_local(1);
    node.run(ms(3500), |_| refused());
    assert_eq!(node.changes(), one("local-0000", "depreferenced"));
    node.wait(ms(1000));
    let [check] = &node.gate.due(node.now, 32)[..] else { panic!() };
    let former = check.generation;

    let mut local = target(ExternalTrafficPolicy::Local);
    local.health_check_node_port = Some(31_235);
    node.set("local-0000", &local);
    node.gate.observe((&key("local-0000"), former), refused(), false, node.now);
    node.changes();

    assert_eq!(node.run(ms(50), |_| Observation::Forwards), 1);
    assert_eq!(node.changes(), one("local-0000", "ready"));
}

#[test]
fn memory_is_freed_each_time_after_many_services_have_changed_and_settled() {
    let mut node = Node::with_local(1000);
    node.changes();
    assert!(!node.gate.pack_when_settled(), "all are held back");
    node.run(ms(3000), |_| Observation::Forwards);
    assert!(!node.gate.pack_when_settled(), "the engine does not know of the changes yet");
    node.changes();
    assert!(node.gate.pack_when_settled());
    assert!(!node.gate.pack_when_settled(), "nothing has changed since");

    node.set("one", &target(ExternalTrafficPolicy::Local));
    node.run(ms(3000), |_| Observation::Forwards);
    node.changes();
    assert!(!node.gate.pack_when_settled(), "one is not worth the time");
}
