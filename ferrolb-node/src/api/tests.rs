//! Answers of a process whose facts are fixed.

use std::sync::Arc;

use ferrolb_api::{ConfigurationState, Program, Service, ServiceState, Severity};
use lb_adapter::engine::Engine;
use lb_adapter::manifest::{self, Options, Source};
use lb_adapter::model::ServiceKey;
use lb_adapter::planner::PlannerOptions;

use super::*;
use crate::actions::Controls;
use crate::log::Log;
use crate::sessions::Sessions;

/// A process without a single open session, or a standby if it has no engine.
struct Fixed {
    identity: Identity,
    engine: Option<Engine>,
    sessions: Option<Sessions>,
    configuration: ferrolb_api::Configuration,
}

impl Process for Fixed {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn controls(&mut self) -> Controls<'_> {
        Controls { identity: &self.identity, sessions: self.sessions.as_mut(), drain: None }
    }

    fn engine(&self) -> Option<&Engine> {
        self.engine.as_ref()
    }

    fn sessions(&self) -> Option<&Sessions> {
        self.sessions.as_ref()
    }

    fn configuration(&self) -> ferrolb_api::Configuration {
        self.configuration.clone()
    }

    fn leader(&self) -> Option<String> {
        Some("ferrolb-controller-7".to_owned())
    }

    fn is_leader(&self) -> Option<bool> {
        self.sessions.is_none().then_some(self.engine.is_some())
    }

    fn metrics(&self) -> String {
        String::new()
    }
}

fn process(engine: Option<Engine>, speaks: bool) -> Fixed {
    let identity = Identity::new(Program::Speaker, Some("n1".to_owned()), Log::fixed("info"));
    let sessions = speaks.then(|| Sessions::new(Arc::default(), identity.events().clone()));
    Fixed {
        identity,
        engine,
        sessions,
        configuration: ferrolb_api::Configuration {
            state: ConfigurationState::Valid,
            source: "test".to_owned(),
            loaded_at: None,
            errors: Vec::new(),
        },
    }
}

/// The engine of the node n1 with this many Services with the policy `Local`, whose endpoints are on n2 but for the last one's.
fn engine(services: usize) -> Engine {
    let mut text = String::from(
        "apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 127.0.0.1}]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor1, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: default, namespace: metallb-system}
spec: {addresses: [198.18.0.0/16]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: metallb-system}
",
    );
    for number in 0..services {
        let node = if number + 1 == services { "n1" } else { "n2" };
        text.push_str(&format!(
            "---
apiVersion: v1
kind: Service
metadata: {{name: s{number:04}, namespace: web}}
spec: {{type: LoadBalancer, externalTrafficPolicy: Local, ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: s{number:04}, namespace: web, labels: {{kubernetes.io/service-name: s{number:04}}}}}
addressType: IPv4
endpoints: [{{addresses: [10.0.0.1], nodeName: {node}, conditions: {{ready: true}}}}]
"
        ));
    }
    let source = Source { name: "all.yaml".to_owned(), octets: text.into_bytes() };
    let manifests = manifest::parse_with(&Options::default(), "all.yaml", &[source]).unwrap();
    let mut engine = Engine::new(PlannerOptions::default(), Some("n1".to_owned()));
    engine.load(manifests);
    engine
}

fn services(process: &Fixed, problems: bool, from: Option<&str>) -> (Vec<Service>, Option<String>) {
    let from = from.map(|text| {
        let (namespace, name) = text.split_once('/').unwrap();
        ServiceKey::new(namespace, name)
    });
    let page = ServicePage { problems, from, limit: 10 };
    match reply_to(process, Query::Services(page)) {
        Ok(Answer::Services(list)) => (list.services, list.next),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_search_for_problems_examines_a_bounded_number_of_services_for_each_answer() {
    let process = process(Some(engine(2_300)), true);
    let (first, next) = services(&process, false, None);
    assert_eq!(first.len(), 10);
    assert_eq!(next.as_deref(), Some("web/s0010"));
    assert_eq!(first[0].state, ServiceState::NotAnnounced);
    assert!(!first[0].problem.as_ref().unwrap().needs_action, "other nodes have the endpoints");

    let (mut found, mut from, mut answers) = (Vec::new(), None, 0);
    loop {
        let (services, next) = services(&process, true, from.as_deref());
        found.extend(services);
        answers += 1;
        match next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    assert_eq!(answers, 3, "each has examined at most 1,000");
    let [service] = &found[..] else { panic!("{found:?}") };
    let problem = service.problem.as_ref().unwrap();
    assert_eq!((service.name.as_str(), problem.gate.as_str()), ("s2299", "session"));
    assert!(problem.reason.contains("the session has not been started"), "{problem:?}");
}

#[test]
fn a_standby_answers_about_its_status_and_says_who_leads_for_the_rest() {
    let standby = process(None, false);
    let Ok(Answer::Status(status)) = reply_to(&standby, Query::Status) else { panic!() };
    assert_eq!(status.leader, Some(false));
    assert_eq!(status.services, ferrolb_api::ServiceCount::default());
    for query in [Query::Peers, Query::Nodes, Query::Pools, Query::Bfd] {
        let Err(Refused::Unavailable(error)) = reply_to(&standby, query) else { panic!() };
        assert_eq!(
            error.error,
            "this controller does not lead: the leader is ferrolb-controller-7"
        );
    }
}

#[test]
fn a_status_lists_errors_before_warnings() {
    let mut process = process(Some(engine(1)), true);
    process.configuration.state = ConfigurationState::Stale;
    process.configuration.errors = vec!["all.yaml:1:1: error: x".to_owned()];
    let Ok(Answer::Status(status)) = reply_to(&process, Query::Status) else { panic!() };
    let problems: Vec<_> =
        status.problems.iter().map(|it| (it.severity, it.subject.as_str())).collect();
    assert_eq!(problems, [(Severity::Error, "peer tor1"), (Severity::Warning, "configuration")]);
    assert_eq!((status.peers.expected, status.peers.established), (1, 0));
    assert_eq!((status.prefixes.planned, status.prefixes.sent), (1, 0));
    assert_eq!((status.services.total, status.services.announced), (1, 0));
}

#[test]
fn a_controller_without_sessions_lists_services_as_assigned() {
    let process = process(Some(engine(1)), false);
    let (services, next) = services(&process, false, None);
    assert_eq!((services[0].state, services[0].nodes), (ServiceState::Assigned, 0));
    assert_eq!((&services[0].problem, next), (&None, None));
    let Ok(Answer::Peers(peers)) = reply_to(&process, Query::Peers) else { panic!() };
    assert!(peers.peers.is_empty(), "it speaks no BGP");
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_instant_follows_the_clock_of_the_process() {
    let identity = Identity::new(Program::Run, None, Log::fixed("info"));
    let begin = tokio::time::Instant::now().into_std();
    let later = begin + std::time::Duration::from_secs(90);
    let passed = identity.time_of(later).duration_since(identity.time_of(begin));
    assert_eq!(passed.as_secs(), 90);
}
