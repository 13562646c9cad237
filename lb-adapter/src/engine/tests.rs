//! What the engine remembers and tells.

use crate::manifest::{Source, parse};

use super::*;

#[test]
fn a_status_that_cannot_be_kept_is_told_once_and_again_only_when_it_is_another() {
    let text = |status: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{namespace: metallb-system, name: \
             config}}, data: {{config: ''}}}}\n---\n{{apiVersion: v1, kind: Service, metadata: \
             {{name: a}}, spec: {{type: ClusterIP, ports: [{{port: 80}}]}}, status: \
             {{loadBalancer: {{ingress: [{{ip: {status}}}]}}}}}}"
        )
    };
    let mut engine = Engine::new(planner::Options::default(), None);
    let mut events = |status: &str| {
        let source = Source { name: "a.yaml".to_owned(), octets: text(status).into_bytes() };
        let effects = engine.load(parse("manifests", &[source]).unwrap());
        effects.events.iter().map(|event| event.message.clone()).collect::<Vec<_>>()
    };
    let first = ["took back 192.0.2.1: the Service is not of type LoadBalancer"];
    assert_eq!(events("192.0.2.1"), first);
    assert_eq!(events("192.0.2.1"), [""; 0]);
    assert_eq!(events("192.0.2.2").len(), 1);
    assert_eq!(events("192.0.2.1"), first);
}
