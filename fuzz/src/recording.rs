//! Recordings: each line of any text is a step that takes effect or is refused with reasons, and the same text has the same answers.

use ferrolb::commands::replay;
use lb_adapter::planner::PlannerOptions;
use lb_adapter::recording::{Replay, is_step, lines};
use serde_json::Value;

use crate::judge::judge_text;

/// The input is a recording.
pub fn check(input: &[u8]) {
    let answers = answers(input);
    let mut count = 0;
    for (line, answer) in lines(input).zip(answers.lines()) {
        count += 1;
        judge_answer(line, answer, count);
    }
    assert_eq!((count, answers.lines().count()), (lines(input).count(), count));
    assert_eq!(self::answers(input), answers, "the same recording, other answers");
    judge_refused(input);
}

fn begin(expects_sync: bool) -> Replay {
    Replay::new("metallb-system", PlannerOptions::default(), expects_sync)
}

/// The answers of `ferrolb replay`.
fn answers(recording: &[u8]) -> String {
    let mut out = Vec::new();
    replay::answer(recording, begin, &mut out).expect("a buffer takes everything");
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// An answer is JSON with the number of its line, and a line that is no step has a reason.
fn judge_answer(line: &[u8], answer: &str, number: usize) {
    let answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
    assert_eq!(answer["step"], number, "{answer}");
    let problems = answer["problems"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(is_step(line) || !problems.is_empty(), "no reason: {answer}");
    for problem in problems {
        judge_text(problem.as_str().expect("a reason is a text"));
    }
}

/// A line that is no step changes nothing: the recording without such lines ends in the same state.
fn judge_refused(recording: &[u8]) {
    let steps: Vec<&[u8]> = lines(recording).filter(|line| is_step(line)).collect();
    let state = |text: &[u8]| answers(text).lines().last().map(state_of);
    if steps.len() < lines(recording).count() && !steps.is_empty() {
        assert_eq!(state(&steps.join(&b'\n')), state(recording), "a line without a step acts");
    }
}

/// Returns the state in an answer, without what only concerns its step.
fn state_of(answer: &str) -> Value {
    let mut answer: Value = serde_json::from_str(answer).expect("an answer is JSON");
    let state = answer.as_object_mut().expect("an object");
    state.retain(|name, _| !["step", "ok", "problems"].contains(&name.as_str()));
    for service in state["services"].as_array_mut().expect("a list") {
        let service = service.as_object_mut().expect("an object");
        service.retain(|name, _| !["changed", "events"].contains(&name.as_str()));
    }
    answer
}

/// Recordings with every kind of step, and lines that are none.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let pool = r#"{"apply":{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool","metadata":{"name":"p","namespace":"metallb-system"},"spec":{"addresses":["192.0.2.0/30"]}}}"#;
    let peer = r#"{"apply":{"apiVersion":"metallb.io/v1beta2","kind":"BGPPeer","metadata":{"name":"tor","namespace":"metallb-system"},"spec":{"myASN":64512,"peerASN":64513,"peerAddress":"10.0.0.1"}}}"#;
    let advertisement = r#"{"apply":{"apiVersion":"metallb.io/v1beta1","kind":"BGPAdvertisement","metadata":{"name":"all","namespace":"metallb-system"}}}"#;
    let node = r#"{"apply":{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"},"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.2"}]}}}"#;
    let service = r#"{"apply":{"apiVersion":"v1","kind":"Service","metadata":{"name":"s","namespace":"d"},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}}}"#;
    let slice = r#"{"apply":{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"s-1","namespace":"d","labels":{"kubernetes.io/service-name":"s"}},"addressType":"IPv4","endpoints":[{"addresses":["10.1.0.1"],"nodeName":"a"}]}}"#;
    let session = r#"{"session":{"node":"a","peer":"tor","up":true,"families":["ipv4-unicast"],"unsendable":[{"prefix":"192.0.2.0/32","reason":"no next hop"}],"unlisted":2}}"#;
    let probe =
        r#"{"probe":{"node":"a","namespace":"d","name":"s","found":"down","reason":"refused"}}"#;
    let dataplane =
        r#"{"dataplane":{"node":"a","namespace":"d","name":"s","found":"held","reason":"wait"}}"#;
    let gone = r#"{"delete":{"kind":"Service","namespace":"d","name":"s"}}"#;
    let map = r#"{"apply":{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"config","namespace":"metallb-system"},"data":{"config":"address-pools: [{name: a, protocol: bgp, addresses: [198.51.100.0/30]}]"}}}"#;
    let list = r#"{"apply":{"apiVersion":"v1","kind":"ServiceList","items":[{"metadata":{"name":"t","namespace":"d"},"spec":{"type":"LoadBalancer"}}]}}"#;

    let objects = [pool, peer, advertisement, node, service, slice].join("\n");
    [
        ("objects", objects.clone()),
        ("sync", [&objects, r#"{"sync":true}"#, gone].join("\n")),
        ("observations", [&objects, session, probe, dataplane, r#"{"restart":true}"#].join("\n")),
        (
            "config-map",
            [map, list, service, r#"{"delete":{"kind":"ConfigMap","name":"config"}}"#].join("\n"),
        ),
        ("refused", [service, "", "x", "[]", "{}", r#"{"sync":1}"#, gone, gone].join("\r\n")),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .to_vec()
}
