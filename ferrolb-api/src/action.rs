//! The requests that change the state of a process. Only the Unix socket takes them.
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `POST /v1/peers/NAME/reset` | [`PeerAction`] | [`Done`] |
//! | `POST /v1/peers/NAME/disable` | [`PeerAction`] | [`Done`] |
//! | `POST /v1/peers/NAME/enable` | [`PeerAction`] | [`Done`] |
//! | `POST /v1/peers/NAME/refresh` | [`Refresh`] | [`Done`] |
//! | `POST /v1/log-level` | [`LogLevel`] | [`Done`] |
//! | `POST /v1/drain` | [`DrainRequest`] | [`Drain`](crate::Drain) |
//! | `POST /v1/undrain` | none | [`Drain`](crate::Drain) |

use serde::{Deserialize, Serialize};

/// An action on one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PeerAction {
    /// The node, for a process that speaks for several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The text for the operator of the router (RFC 9003), at most 255 octets. `enable` takes none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

/// A request for a refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The node, for a process that speaks for several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// The direction.
    #[serde(default)]
    pub direction: RefreshDirection,
}

/// The direction of a refresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefreshDirection {
    /// All routes are sent to the peer again.
    #[default]
    Out,
    /// The peer is asked to send its routes again (RFC 2918).
    In,
}

/// A change of the log level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LogLevel {
    /// The filter, such as `info,bgp_session=debug`. None restores the one that the process started with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filter: Option<String>,
}

/// A request for a drain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// The text for the operators of the routers (RFC 9003).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

/// The answer to an action that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// What was done, in words.
    pub done: String,
}
