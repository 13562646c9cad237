//! The objects and Events in which a speaker reports the state of its node.

use kube::Client;
use serde_json::Value;

use super::SpeakerOptions;
use super::configuration_state::ConfigurationState;
use super::events::EventRecorder;
use super::node_status;
use super::object_tree::ObjectTree;
use super::service_bgp_status::ServiceBgpStatuses;
use super::status_object::{StatusObject, node_as_owner};
use ferrolb_node::WallClock;

/// The reports of one speaker.
pub(super) struct SpeakerReports {
    node: String,
    /// MetalLB's ServiceBGPStatus of each Service that is announced.
    pub(super) services: ServiceBgpStatuses,
    /// FerroLB's BGPNodeStatus.
    pub(super) node_status: StatusObject,
    /// MetalLB's ConfigurationState.
    pub(super) configuration: ConfigurationState,
    pub(super) events: EventRecorder,
    /// The clock of the times in BGPNodeStatus.
    pub(super) clock: WallClock,
}

/// The field manager of everything that a speaker writes.
const MANAGER: &str = "ferrolb-speaker";

impl SpeakerReports {
    /// Reports that have not been written yet.
    pub(super) fn new(client: &Client, options: &SpeakerOptions) -> Self {
        let (namespace, node) = (options.cluster.namespace.clone(), options.node.clone());
        Self {
            services: ServiceBgpStatuses::new(client.clone(), &namespace, &node, MANAGER),
            node_status: node_status::object(
                client.clone(),
                &namespace,
                &node,
                MANAGER,
                options.heartbeat,
            ),
            configuration: ConfigurationState::of_speaker(
                client.clone(),
                &namespace,
                &node,
                MANAGER,
            ),
            events: EventRecorder::new(client.clone(), MANAGER, options.cluster.pod.clone()),
            clock: WallClock::now(),
            node,
        }
    }

    /// Sets the owner of all objects: the current Node.
    pub(super) fn set_owner(&mut self, node: &ObjectTree) {
        let Some(uid) = node.text(&["metadata", "uid"]) else { return };
        let owner: Value = node_as_owner(&self.node, uid);
        self.node_status.set_owner(&owner);
        self.configuration.object.set_owner(&owner);
        self.services.set_owner(&owner);
    }
}
