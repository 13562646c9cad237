//! The reasons that an operator should do something about.
//!
//! Owns this judgement. A reason that the configuration intends, or that passes by itself, needs nothing.

use super::Reason;

impl Reason {
    /// Returns true if an operator should act: the Service gets no traffic, or less than it could, and that will not change by
    /// itself. A node that has no endpoint of a Service with the policy `Local`, or that no advertisement selects, is as it should
    /// be.
    pub fn needs_action(&self) -> bool {
        match self {
            // The Service is not for this load balancer.
            Self::OtherType(_) | Self::OtherClass { .. } => false,
            // These pass.
            Self::NotSynced
            | Self::NotProbed { .. }
            | Self::HeldDown { .. }
            | Self::DataplaneNotReady { .. } => false,
            // An operator has decided so.
            Self::NodeExcluded { .. }
            | Self::PeerNotForNode { .. }
            | Self::NotFromNode { .. }
            | Self::NoneApplies { .. }
            | Self::NotForPeer { .. }
            | Self::Draining { .. } => false,
            // Other nodes have the endpoints, if there are any.
            Self::NoneLocal { elsewhere, .. } => elsewhere.is_empty(),
            Self::NoConfig
            | Self::Refused(_)
            | Self::NoAddress
            | Self::PoolGone(_)
            | Self::NetworkUnavailable { .. }
            | Self::NodeNotReady { .. }
            | Self::NoNextHop { .. }
            | Self::NoPeers
            | Self::Layer2(_)
            | Self::NoAdvertisement(_)
            | Self::NotForService(_)
            | Self::Conflicting { .. }
            | Self::NoEndpoints
            | Self::NoneUsable { .. }
            | Self::TooFewReady { .. }
            | Self::ProbeFailed { .. }
            | Self::DataplaneFailed { .. }
            | Self::NotCarried { .. }
            | Self::CarriedByNone { .. } => true,
        }
    }
}
