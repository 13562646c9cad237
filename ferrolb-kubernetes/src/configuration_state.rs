//! MetalLB's ConfigurationState: whether a program has a valid configuration, and what is wrong with the one that is
//! written. One object for the controller, and one for each speaker.

use std::time::Duration;

use kube::Client;
use serde_json::{Value, json};

use super::mirror::ConfigState;
use super::status_object::StatusObject;

/// The object of one program.
pub(super) struct ConfigurationState {
    pub(super) object: StatusObject,
    /// The type of its condition.
    condition: &'static str,
}

const KIND: (&str, &str, &str, &str) =
    ("metallb.io", "v1beta1", "ConfigurationState", "configurationstates");
/// The message where there is no configuration object.
pub(super) const NO_CONFIGURATION: &str = "there is no ConfigMap and no metallb.io resource: nothing is given out and nothing is taken back";
const PACE: Duration = Duration::from_secs(1);
/// So many problems are told of; the log has all.
const TOLD: usize = 20;
/// And in so many octets, well below what the resource takes.
const LENGTH: usize = 16 * 1024;

impl ConfigurationState {
    /// That of the controller.
    pub(super) fn of_controller(client: Client, namespace: &str, manager: &'static str) -> Self {
        let object = StatusObject::new(client, namespace, KIND, "controller", manager, PACE);
        let object = object.labels(json!({"metallb.io/component-type": "controller"}));
        Self { object, condition: "poolReconcilerValid" }
    }

    /// That of the speaker of a node.
    pub(super) fn of_speaker(
        client: Client,
        namespace: &str,
        node: &str,
        manager: &'static str,
    ) -> Self {
        let name = format!("speaker-{node}");
        let object = StatusObject::new(client, namespace, KIND, &name, manager, PACE);
        let labels = json!({"metallb.io/component-type": "speaker", "metallb.io/node-name": node});
        Self { object: object.labels(labels), condition: "configReconcilerValid" }
    }

    /// Begins to write the state of the configuration, with the time at which the addresses of the last pool are released,
    /// if it is gone.
    pub(super) fn write(&mut self, config: &ConfigState, release: Option<&str>) {
        let status = self.status(config, release);
        self.object.write(status);
    }

    fn status(&self, config: &ConfigState, release: Option<&str>) -> Value {
        let release =
            release.map(|at| format!("the last pool is gone: its addresses are released at {at}"));
        let with_release = |message: &str| {
            let parts = [Some(message).filter(|it| !it.is_empty()), release.as_deref()];
            parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
        };

        if config.is_absent {
            return json!({
                "result": "Unknown",
                "errorSummary": format!("NoConfiguration: {NO_CONFIGURATION}"),
                "conditions": [{
                    "type": self.condition,
                    "status": "Unknown",
                    "reason": "NoConfiguration",
                    "message": with_release(NO_CONFIGURATION),
                }],
            });
        }
        let valid = !config.is_stale();
        if valid && !config.loaded {
            // Nothing has been read yet.
            return json!({"result": "Unknown", "errorSummary": "", "conditions": []});
        }

        let problems: Vec<String> =
            config.errors.iter().take(TOLD).map(ToString::to_string).collect();
        let mut problems = problems.join("\n");
        let end =
            (0..=LENGTH.min(problems.len())).rev().find(|end| problems.is_char_boundary(*end));
        problems.truncate(end.unwrap_or(0));

        json!({
            "result": if valid { "Valid" } else { "Invalid" },
            "errorSummary": problems,
            "conditions": [{
                "type": self.condition,
                "status": if valid { "True" } else { "False" },
                "reason": if valid { "Valid" } else { "ConfigurationError" },
                "message": with_release(&problems),
            }],
        })
    }
}
