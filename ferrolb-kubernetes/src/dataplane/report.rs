//! The report about a node's dataplane in its BGPNodeStatus.
//!
//! Owns the form of the field `dataplane`, for the speaker that writes it and for those that read it.

use serde_json::{Value, json};

use lb_adapter::model::{DataplaneGate, ServiceKey};
use lb_adapter::planner::DataplaneStatus;

use super::node_gate::NodeGate;
use super::service_gate::HealthPorts;

/// The number of Services that are listed, since an object cannot hold thousands.
const LISTED: usize = 100;

/// Returns the report about a node whose pools have this gate by default.
pub(super) fn report(gate: DataplaneGate, node: &NodeGate) -> Value {
    let facts = node.facts();
    let counts = node.counts();
    let proxy = match (facts.proxy_failing, facts.proxy_ok) {
        (Some(_), _) => "Failing",
        (None, Some(_)) => "Healthy",
        (None, None) => "Unknown",
    };
    let health_ports = match facts.health_ports {
        HealthPorts::Unknown => "Unknown",
        HealthPorts::Answering => "Answering",
        HealthPorts::Silent => "Silent",
    };

    let mut services = Vec::new();
    for (key, status) in node.troubled().take(LISTED) {
        let (state, reason) = match status {
            DataplaneStatus::Held(reason) => ("Held", reason),
            DataplaneStatus::Depreferenced(reason) => ("Depreferenced", reason),
            DataplaneStatus::Withdrawn(reason) => ("Withdrawn", reason),
            DataplaneStatus::Ready | DataplaneStatus::Leaving => continue,
        };
        let (namespace, name) = (&*key.namespace, &*key.name);
        services.push(
            json!({"namespace": namespace, "name": name, "state": state, "reason": &*reason}),
        );
    }

    json!({
        "gate": gate.to_string(),
        "kubeProxy": proxy,
        "healthPorts": health_ports,
        "held": counts.held,
        "depreferenced": counts.depreferenced,
        "withdrawn": counts.withdrawn,
        "services": services,
    })
}

/// Returns true if kube-proxy has answered on the node of a status.
pub(super) fn has_proxy(status: &Value) -> bool {
    matches!(status["dataplane"]["kubeProxy"].as_str(), Some("Healthy" | "Failing"))
}

/// Returns true if the node of a status serves health ports.
pub(super) fn has_health_ports(status: &Value) -> bool {
    status["dataplane"]["healthPorts"] == "Answering"
}

/// Returns true if the node of a status, which announces a Service, has a session and no problem with its dataplane.
pub(super) fn serves(status: &Value, service: &ServiceKey) -> bool {
    let dataplane = &status["dataplane"];
    let mut sessions = status["sessions"].as_array().into_iter().flatten();
    if dataplane["kubeProxy"] == "Failing"
        || status["drain"] != "Serving"
        || !sessions.any(|session| session["established"] == true)
    {
        return false;
    }

    let listed = dataplane["services"].as_array().map_or(&[][..], Vec::as_slice);
    let is_listed = listed
        .iter()
        .any(|entry| entry["namespace"] == *service.namespace && entry["name"] == *service.name);
    // One of those that are not listed may be this Service.
    let counts = ["held", "depreferenced", "withdrawn"].map(|key| dataplane[key].as_u64());
    let all: u64 = counts.into_iter().flatten().sum();
    !is_listed && all <= listed.len() as u64
}

/// Returns the states that a status reports, by Service.
pub(crate) fn statuses(status: &Value) -> Vec<(ServiceKey, DataplaneStatus)> {
    let mut statuses = Vec::new();
    for entry in status["dataplane"]["services"].as_array().into_iter().flatten() {
        let (Some(namespace), Some(name)) = (entry["namespace"].as_str(), entry["name"].as_str())
        else {
            continue;
        };
        let reason: Box<str> = entry["reason"].as_str().unwrap_or_default().into();
        let status = match entry["state"].as_str() {
            Some("Held") => DataplaneStatus::Held(reason),
            Some("Depreferenced") => DataplaneStatus::Depreferenced(reason),
            Some("Withdrawn") => DataplaneStatus::Withdrawn(reason),
            _ => continue,
        };
        statuses.push((ServiceKey::new(namespace, name), status));
    }
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(dataplane: &Value) -> Value {
        json!({"node": "kube2", "drain": "Serving", "sessions": [{"established": true}], "dataplane": dataplane})
    }

    fn dataplane(services: &Value, withdrawn: u64) -> Value {
        json!({"gate": "auto", "kubeProxy": "Healthy", "healthPorts": "Answering", "held": 0, "depreferenced": 0,
            "withdrawn": withdrawn, "services": services})
    }

    #[test]
    fn a_node_serves_what_it_reports_no_trouble_with() {
        let smtp = ServiceKey::new("mail", "smtp");
        let entry =
            json!({"namespace": "mail", "name": "smtp", "state": "Withdrawn", "reason": "x"});
        assert!(serves(&status(&dataplane(&json!([]), 0)), &smtp));
        assert!(!serves(&status(&dataplane(&json!([entry]), 1)), &smtp));
        assert!(serves(&status(&dataplane(&json!([entry]), 1)), &ServiceKey::new("mail", "imap")));
        assert!(!serves(&status(&dataplane(&json!([]), 1)), &smtp), "it may be the one not listed");

        let mut failing = status(&dataplane(&json!([]), 0));
        failing["dataplane"]["kubeProxy"] = json!("Failing");
        assert!(!serves(&failing, &smtp));
        let mut draining = status(&dataplane(&json!([]), 0));
        draining["drain"] = json!("Graceful");
        assert!(!serves(&draining, &smtp));
        let mut lonely = status(&dataplane(&json!([]), 0));
        lonely["sessions"] = json!([{"established": false}]);
        assert!(!serves(&lonely, &smtp));
        assert!(
            serves(&json!({"drain": "Serving", "sessions": [{"established": true}]}), &smtp),
            "a speaker without the gate"
        );
    }

    #[test]
    fn reported_states_are_read_back() {
        let entries = json!([
            {"namespace": "mail", "name": "smtp", "state": "Held", "reason": "not yet"},
            {"namespace": "mail", "name": "imap", "state": "Unheard", "reason": ""},
            {"name": "pop"},
        ]);
        let held = (ServiceKey::new("mail", "smtp"), DataplaneStatus::Held("not yet".into()));
        assert_eq!(statuses(&status(&dataplane(&entries, 0))), [held]);
        assert_eq!(statuses(&json!({})), []);
    }
}
