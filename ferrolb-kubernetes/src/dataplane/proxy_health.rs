//! kube-proxy's health check, `/healthz` on port 10256.
//!
//! Owns the reading of its answer. Newer versions report the end of the last sync of each IP family, which shows that
//! kube-proxy has followed a change.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// The state of kube-proxy on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an answer says these two things")]
pub struct ProxyHealth {
    /// True if kube-proxy keeps up with changes.
    pub is_healthy: bool,
    /// The time since the end of the last sync of IPv4 and of IPv6, if kube-proxy reports it (since Kubernetes 1.34). A change
    /// of one family causes no sync of the other.
    pub since_sync: PerFamily<Option<Duration>>,
}

/// A value for IPv4 and one for IPv6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "kube-proxy has two families")]
pub struct PerFamily<T> {
    /// The value for IPv4.
    pub ipv4: T,
    /// The value for IPv6.
    pub ipv6: T,
}

impl ProxyHealth {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// It is not an answer of kube-proxy.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, String> {
        let answer: Value = serde_json::from_slice(body)
            .map_err(|_| format!("status {status}, and a body that is not JSON"))?;
        let current = time(&answer["currentTime"]);
        if status != 200 && status != 503 || answer.get("lastUpdated").is_none() {
            return Err(format!("status {status}, and a body that is not of kube-proxy"));
        }

        // `lastUpdated` at the top is the present time while kube-proxy is healthy.
        let since_sync = |family: &str| {
            let synced = time(&answer["status"][family]["lastUpdated"])?;
            Duration::try_from(current?.duration_since(synced)).ok()
        };
        let since_sync = PerFamily { ipv4: since_sync("IPv4"), ipv6: since_sync("IPv6") };
        // The status is 503 also on a node that the autoscaler is about to delete, where kube-proxy still works.
        let is_healthy = status == 200 || answer["healthy"] == true;
        // It is also 200 while kube-proxy starts and has no family yet.
        let is_starting = answer["status"].as_object().is_some_and(serde_json::Map::is_empty);
        Ok(Self { is_healthy: is_healthy && !is_starting, since_sync })
    }
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(status: u16, body: &Value) -> Result<ProxyHealth, String> {
        ProxyHealth::read(status, body.to_string().as_bytes())
    }

    #[test]
    fn each_family_has_its_own_sync() {
        let answer = json!({
            "lastUpdated": "2026-11-30T08:00:10Z",
            "currentTime": "2026-11-30T08:00:10.5Z",
            "nodeEligible": true,
            "status": {
                "IPv4": {"lastUpdated": "2026-11-30T08:00:09Z", "healthy": true},
                "IPv6": {"lastUpdated": "2026-11-30T08:00:08.25Z", "healthy": true},
            },
        });
        let since_sync = PerFamily {
            ipv4: Some(Duration::from_millis(1500)),
            ipv6: Some(Duration::from_millis(2250)),
        };
        assert_eq!(read(200, &answer), Ok(ProxyHealth { is_healthy: true, since_sync }));
        assert_eq!(read(503, &answer), Ok(ProxyHealth { is_healthy: false, since_sync }));
        let mut leaving = answer;
        (leaving["healthy"], leaving["nodeEligible"]) = (json!(true), json!(false));
        assert_eq!(read(503, &leaving), Ok(ProxyHealth { is_healthy: true, since_sync }));
    }

    #[test]
    fn a_kube_proxy_that_starts_is_not_healthy_yet() {
        let answer = json!({"lastUpdated": "2026-11-30T08:00:10Z", "currentTime": "2026-11-30T08:00:10Z", "healthy": true, "status": {}});
        let starting = ProxyHealth { is_healthy: false, since_sync: PerFamily::default() };
        assert_eq!(read(200, &answer), Ok(starting));
    }

    #[test]
    fn an_older_version_reports_its_health_only() {
        let answer = json!({
            "lastUpdated": "2024-05-01 12:00:00.123 +0000 UTC m=+7.1",
            "currentTime": "2024-05-01 12:00:00.123 +0000 UTC m=+7.1",
        });
        let healthy = ProxyHealth { is_healthy: true, since_sync: PerFamily::default() };
        assert_eq!(read(200, &answer), Ok(healthy));
    }

    #[test]
    fn other_answers_are_errors() {
        ProxyHealth::read(200, b"ok").unwrap_err();
        ProxyHealth::read(200, b"").unwrap_err();
        ProxyHealth::read(200, br#"{"status":"fine"}"#).unwrap_err();
        let healthy = json!({"lastUpdated": "2026-11-30T08:00:10Z"});
        for status in [302, 404, 500] {
            read(status, &healthy).unwrap_err();
        }
    }

    #[test]
    fn a_sync_in_the_future_is_not_a_time() {
        let answer = json!({
            "lastUpdated": "2026-11-30T08:00:10Z", "currentTime": "2026-11-30T08:00:10Z",
            "status": {"IPv4": {"lastUpdated": "2026-11-30T09:00:00Z"}},
        });
        let healthy = ProxyHealth { is_healthy: true, since_sync: PerFamily::default() };
        assert_eq!(read(200, &answer), Ok(healthy));
    }
}
