//! [`Peer`]: a peer of a node, and the facts about its session.

use std::net::{Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Bfd;

/// The answer to `/v1/peers`. The peers are in the order of their nodes and names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerList {
    /// The peers, without [`Peer::detail`].
    pub peers: Vec<Peer>,
}

/// A peer of one node: an element of `/v1/peers`, and the answer to `/v1/peers/NAME`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Peer {
    /// The node.
    pub node: String,
    /// The name in the configuration.
    pub name: String,
    /// The address and port, such as `172.22.35.1:179`, `[fd00::1]:179` or `eth1:179`.
    pub endpoint: String,
    /// The AS number of the peer: the negotiated one, or else the expected one. None if any AS is accepted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asn: Option<u32>,
    /// Our AS number towards the peer.
    pub local_asn: u32,
    /// The state of RFC 4271, such as `Established` or `Connect`.
    pub state: String,
    /// True if an operator has disabled the peer.
    pub disabled: bool,
    /// The time for which the peer has been in this state; while it is Established, the uptime. None if the session could not be
    /// opened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state_seconds: Option<f64>,
    /// The address families of the session while it is up, such as `ipv4-unicast`.
    pub families: Vec<String>,
    /// The prefixes.
    pub prefixes: PrefixCounts,
    /// The number of routes that were received from the peer and are kept.
    pub received: usize,
    /// The number of times that an Established session ended.
    pub flaps: u64,
    /// The last error, which may be older than the session that is up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_error: Option<Failure>,
    /// The BFD session, if the peer has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bfd: Option<Bfd>,
    /// The rest. Only in the answer to `/v1/peers/NAME`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<Box<PeerDetail>>,
}

/// The number of prefixes for one peer, or for all peers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PrefixCounts {
    /// The prefixes that the plan announces.
    pub planned: usize,
    /// Those that the session carries: the peer has them, or they wait for it to read
    /// ([`PeerDetail::octets_waiting`]).
    pub sent: usize,
    /// Those that the session cannot carry. `/v1/peers/NAME/routes` says why.
    pub unsendable: usize,
}

/// An error of a session or of an attempt to get one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// The error in words.
    pub text: String,
    /// The way to fix it, if one is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// The time of the error. None if the session could not be opened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
}

/// The details of a peer's session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerDetail {
    /// Both ends of the connection, while the session is up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoints: Option<Endpoints>,
    /// The values that both sides agreed on, while the session is up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub negotiated: Option<Negotiated>,
    /// Our last OPEN.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub open_sent: Option<Open>,
    /// The peer's last OPEN.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub open_received: Option<Open>,
    /// Our last NOTIFICATION.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notification_sent: Option<Notification>,
    /// The peer's last NOTIFICATION.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub notification_received: Option<Notification>,
    /// The timers that run.
    pub timers: Vec<Timer>,
    /// The messages and octets in both directions.
    pub messages: Messages,
    /// The number of failed attempts to connect since the peer was last started (ConnectRetryCounter).
    pub connect_retry_counter: u32,
    /// Octets that were composed for the peer and that its connection has not taken yet.
    pub octets_waiting: usize,
    /// The reason why the last session ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_down: Option<Failure>,
    /// The latest failure to get a session since one was last up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_failure: Option<Failure>,
    /// The text with which an operator disabled the peer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disabled_message: Option<String>,
    /// The number of sessions that came up.
    pub established_transitions: u64,
    /// True if the session is protected by a password (RFC 2385 or RFC 5925). The password itself is in no answer.
    pub has_password: bool,
}

/// Both ends of a TCP connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Endpoints {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// True if we opened the connection.
    pub outgoing: bool,
}

/// The values that both sides of a session agreed on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Negotiated {
    /// True if both ends are in the same AS.
    pub internal: bool,
    /// Our AS number.
    pub local_asn: u32,
    /// Our BGP Identifier.
    pub local_identifier: Ipv4Addr,
    /// The peer's AS number.
    pub remote_asn: u32,
    /// The peer's BGP Identifier.
    pub remote_identifier: Ipv4Addr,
    /// The hold time; zero if there are no KEEPALIVEs.
    pub hold_time_seconds: f64,
    /// The time between our KEEPALIVEs, before jitter.
    pub keepalive_time_seconds: f64,
    /// The longest time for which the peer may read nothing (RFC 9687); zero for no limit.
    pub send_hold_time_seconds: f64,
    /// The address families.
    pub families: Vec<String>,
    /// The capabilities that both ends have, in words.
    pub capabilities: Vec<String>,
}

/// An OPEN message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Open {
    /// The time at which it was sent or received.
    pub at: Timestamp,
    /// The AS number, of four octets if the OPEN has that capability.
    pub asn: u32,
    /// The BGP Identifier.
    pub identifier: Ipv4Addr,
    /// The proposed hold time.
    pub hold_time_seconds: u16,
    /// The capabilities.
    pub capabilities: Vec<Capability>,
}

/// A capability of an OPEN (RFC 5492).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Capability {
    /// The code.
    pub code: u8,
    /// The capability and its value, in words.
    pub text: String,
    /// True if the other OPEN has the code too.
    pub shared: bool,
}

/// A NOTIFICATION message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notification {
    /// The time at which it was sent or received.
    pub at: Timestamp,
    /// The error code.
    pub code: u8,
    /// The error subcode.
    pub subcode: u8,
    /// The error in words.
    pub text: String,
    /// The text of the other operator (RFC 9003), if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

/// A timer that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timer {
    /// Its name, such as `HoldTimer` (RFC 4271).
    pub name: String,
    /// The time that is left.
    pub left_seconds: f64,
}

/// The messages and octets of all sessions with a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Messages {
    /// Received messages.
    pub received: MessageCounts,
    /// Sent messages.
    pub sent: MessageCounts,
    /// Octets of received messages.
    pub octets_received: u64,
    /// Octets of sent messages.
    pub octets_sent: u64,
}

/// The number of messages, by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageCounts {
    /// OPEN.
    pub open: u64,
    /// UPDATE, End-of-RIB included.
    pub update: u64,
    /// NOTIFICATION.
    pub notification: u64,
    /// KEEPALIVE.
    pub keepalive: u64,
    /// ROUTE-REFRESH.
    pub route_refresh: u64,
}
