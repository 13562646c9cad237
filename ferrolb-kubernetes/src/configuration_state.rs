//! MetalLB's ConfigurationState: reports if the configuration of a program is valid, and its errors.
//!
//! Owns the form of the status. There is one object for the controller, and one for each speaker.

use std::time::Duration;

use kube::Client;
use serde_json::{Value, json};

use super::object_cache::ConfigStatus;
use super::status_object::StatusObject;

/// The object of one program.
pub(super) struct ConfigurationState {
    pub(super) object: StatusObject,
    /// The type of its condition.
    condition: &'static str,
}

const KIND: (&str, &str, &str, &str) =
    ("metallb.io", "v1beta1", "ConfigurationState", "configurationstates");
/// The message if there is no configuration object.
pub(super) const NO_CONFIGURATION: &str =
    "there is no ConfigMap and no metallb.io resource: no address is assigned or released";
/// The shortest time between two writes of the object.
const PACE: Duration = Duration::from_secs(1);
/// The number of errors that the status lists; the log has all of them.
const LISTED_ERRORS: usize = 20;
/// The greatest length of their text in octets, well below the limit of the resource.
const MAX_TEXT: usize = 16 * 1024;

impl ConfigurationState {
    /// The object of the controller.
    pub(super) fn of_controller(client: Client, namespace: &str, manager: &'static str) -> Self {
        let object = StatusObject::new(client, namespace, KIND, "controller", manager, PACE);
        let object = object.labels(json!({"metallb.io/component-type": "controller"}));
        Self { object, condition: "poolReconcilerValid" }
    }

    /// The object of the speaker of a node.
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

    /// Starts to write the state of the configuration. `release` is the time at which the addresses of the last pool are
    /// released, if that pool is gone.
    pub(super) fn write(&mut self, config: &ConfigStatus, release: Option<&str>) {
        let status = self.status(config, release);
        self.object.write(status);
    }

    fn status(&self, config: &ConfigStatus, release: Option<&str>) -> Value {
        if config.is_absent {
            return json!({
                "result": "Unknown",
                "errorSummary": format!("NoConfiguration: {NO_CONFIGURATION}"),
                "conditions": [{
                    "type": self.condition,
                    "status": "Unknown",
                    "reason": "NoConfiguration",
                    "message": with_release(NO_CONFIGURATION, release),
                }],
            });
        }

        let is_valid = !config.is_stale();
        if is_valid && !config.loaded {
            // Nothing has been read yet.
            return json!({"result": "Unknown", "errorSummary": "", "conditions": []});
        }

        let errors = error_text(config);
        json!({
            "result": if is_valid { "Valid" } else { "Invalid" },
            "errorSummary": errors,
            "conditions": [{
                "type": self.condition,
                "status": if is_valid { "True" } else { "False" },
                "reason": if is_valid { "Valid" } else { "ConfigurationError" },
                "message": with_release(&errors, release),
            }],
        })
    }
}

/// Returns the text of the first errors of the configuration.
fn error_text(config: &ConfigStatus) -> String {
    let listed = config.errors.iter().take(LISTED_ERRORS);
    let mut text = listed.map(ToString::to_string).collect::<Vec<_>>().join("\n");

    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// Adds a line about the release of addresses to a message, if there is a time for it.
fn with_release(message: &str, release: Option<&str>) -> String {
    let Some(at) = release else { return message.to_owned() };
    let release = format!("the last pool is gone: its addresses are released at {at}");
    if message.is_empty() { release } else { format!("{message}\n{release}") }
}
