//! A row of `/v1/nodes` from the BGPNodeStatus that a speaker has written.
//!
//! Owns the reading of that object. [`super::node_status`] writes it.

use ferrolb_api::{DrainStage, Node, NodePeer, Problem, Severity, Timestamp};
use serde_json::Value;

/// A node as its speaker last reported it.
#[derive(Clone, Debug)]
pub(super) struct ReportedNode {
    node: Node,
    /// The times at which the sessions came up or went down, in the order of the peers.
    changed_at: Vec<Option<Timestamp>>,
}

impl ReportedNode {
    /// Reads the status of the object of this name.
    pub(super) fn of(name: &str, status: &Value) -> Self {
        let sessions = status["sessions"].as_array().map_or(&[][..], Vec::as_slice);
        let node = Node {
            name: text(&status["node"]).unwrap_or_else(|| name.to_owned()),
            reported_at: time(&status["heartbeatTime"]),
            silent: false,
            version: text(&status["version"]),
            drain: match status["drain"].as_str() {
                Some("Graceful") => DrainStage::Marked,
                Some("Withdrawn") => DrainStage::Drained,
                _ => DrainStage::Serving,
            },
            services: number(&status["services"]),
            peers: sessions.iter().map(peer).collect(),
            problems: problems(name, status),
        };
        Self { node, changed_at: sessions.iter().map(|it| time(&it["since"])).collect() }
    }

    /// Returns the row at this time. The sessions of a silent speaker are not known.
    pub(super) fn row(&self, now: Timestamp, is_silent: bool) -> Node {
        let mut node = self.node.clone();
        node.silent = is_silent;
        for (peer, changed_at) in node.peers.iter_mut().zip(&self.changed_at) {
            let age = changed_at.map(|at| now.duration_since(at).as_secs_f64().max(0.0));
            peer.state_seconds = age.filter(|_| !is_silent);
        }
        node
    }
}

fn peer(session: &Value) -> NodePeer {
    let is_established = session["established"].as_bool() == Some(true);
    NodePeer {
        name: text(&session["peer"]).unwrap_or_default(),
        endpoint: text(&session["address"]).unwrap_or_default(),
        state: text(&session["state"]).unwrap_or_else(|| "Idle".to_owned()),
        disabled: session["disabled"].as_bool() == Some(true),
        state_seconds: None,
        prefixes: if is_established {
            number(&session["prefixes"]).saturating_sub(number(&session["unsendable"]))
        } else {
            0
        },
        reason: text(&session["lastError"]).filter(|_| !is_established),
        bfd: text(&session["bfd"]),
    }
}

/// Returns the conditions that are not as they should be, in words.
fn problems(name: &str, status: &Value) -> Vec<Problem> {
    let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let wrong = conditions.iter().filter(|condition| {
        let state = condition["status"].as_str();
        match condition["type"].as_str() {
            Some("Ready") => state != Some("True"),
            Some("Degraded") => state != Some("False"),
            _ => false,
        }
    });

    let mut problems: Vec<Problem> = Vec::new();
    for condition in wrong {
        let severity = match condition["type"].as_str() {
            Some("Ready") => Severity::Error,
            _ => Severity::Warning,
        };
        let text = text(&condition["message"]).or_else(|| text(&condition["reason"]));
        let text = text.unwrap_or_default();
        // A node that is not ready is degraded for the same reason.
        if !problems.iter().any(|problem| problem.text == text) {
            problems.push(Problem { severity, subject: format!("node {name}"), text, hint: None });
        }
    }
    problems
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Returns a count. The tree of an object that was watched has numbers as texts.
fn number(value: &Value) -> usize {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_becomes_a_row_whose_ages_count_from_the_reported_times() {
        let status = json!({
            "node": "kube1", "version": "0.1.0", "drain": "Graceful", "services": 3,
            "heartbeatTime": "2026-01-01T00:00:30Z",
            "sessions": [
                {"peer": "tor1", "address": "192.0.2.1:179", "state": "Established", "established": true,
                 "since": "2026-01-01T00:00:00Z", "bfd": "Up", "prefixes": 4, "unsendable": 1, "lastError": "old"},
                {"peer": "tor2", "address": "192.0.2.2:179", "state": "Connect", "established": false,
                 "since": null, "prefixes": 4, "unsendable": 0, "lastError": "no route to the peer"},
                {"peer": "tor3", "address": "192.0.2.3:179", "state": "Idle", "established": false, "disabled": true},
            ],
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Established", "message": ""},
                {"type": "Degraded", "status": "True", "reason": "SessionDown", "message": "tor2: no route"},
            ],
        });
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        let report = ReportedNode::of("kube1", &status);
        let node = report.row(now, false);
        assert_eq!((node.name.as_str(), node.services, node.silent), ("kube1", 3, false));
        assert_eq!(node.drain, DrainStage::Marked);

        let [tor1, tor2, tor3] = &node.peers[..] else { panic!("{node:?}") };
        assert_eq!([tor1, tor2, tor3].map(|it| it.disabled), [false, false, true]);
        assert_eq!(
            (tor1.prefixes, tor1.state_seconds, tor1.reason.as_deref()),
            (3, Some(60.0), None)
        );
        assert_eq!(tor1.bfd.as_deref(), Some("Up"));
        assert_eq!((tor2.prefixes, tor2.state_seconds), (0, None));
        assert_eq!(tor2.reason.as_deref(), Some("no route to the peer"));

        let [problem] = &node.problems[..] else { panic!("{node:?}") };
        assert_eq!(
            (problem.severity, problem.text.as_str()),
            (Severity::Warning, "tor2: no route")
        );
        let silent = report.row(now, true);
        assert!(silent.silent && silent.peers[0].state_seconds.is_none());
    }

    /// The status as version 0.1.0 wrote it. It is never written again: a later version must go on reading it.
    fn status_of_0_1_0() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/bgp-node-status-0.1.0.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn the_status_of_version_0_1_0_is_read() {
        let now = "2026-12-01T00:01:00Z".parse().unwrap();
        let node = ReportedNode::of("kube1", &status_of_0_1_0()).row(now, false);

        assert_eq!((node.version.as_deref(), node.services), (Some("0.1.0"), 3));
        assert_eq!(node.reported_at, Some("2026-12-01T00:00:30Z".parse().unwrap()));
        assert_eq!(node.drain, DrainStage::Marked);
        let peers: Vec<_> =
            node.peers.iter().map(|it| (&*it.name, &*it.state, it.prefixes)).collect();
        assert_eq!(peers, [("tor1", "Established", 3), ("tor2", "Connect", 0)]);
        assert_eq!(node.peers[0].state_seconds, Some(60.0));
        assert_eq!(node.peers[1].reason.as_deref(), Some("no route to the peer"));
        let problems: Vec<_> = node.problems.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(problems, ["tor2: no route"]);
    }

    /// Adds a field to each object.
    fn add_fields(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.values_mut().for_each(add_fields);
                fields.insert("newer".to_owned(), json!({"than": "this version"}));
            }
            Value::Array(values) => values.iter_mut().for_each(add_fields),
            _ => {}
        }
    }

    /// A speaker that is newer than the controller reports more, and perhaps in other words.
    #[test]
    fn what_a_newer_speaker_adds_is_ignored() {
        let now = "2026-12-01T00:01:00Z".parse().unwrap();
        let row =
            |status: &Value| format!("{:?}", ReportedNode::of("kube1", status).row(now, false));
        let status = status_of_0_1_0();
        let mut newer = status.clone();
        add_fields(&mut newer);
        newer["conditions"]
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "Newer", "status": "True"}));
        assert_eq!(row(&newer), row(&status));

        newer["drain"] = json!("Paused");
        newer["sessions"][1]["state"] = json!("Resting");
        newer["services"] = json!({"IPv4": 1});
        let node = ReportedNode::of("kube1", &newer).row(now, false);
        assert_eq!(
            (node.drain, node.services, &*node.peers[1].state),
            (DrainStage::Serving, 0, "Resting")
        );
    }
}
