//! The dataplane gate: how a node's routes depend on its dataplane.

use std::fmt;
use std::str::FromStr;

/// The dependence of a Service's routes from a node on the dataplane of that node, which is the program that forwards
/// packets to pods: kube-proxy, Cilium, kube-router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum DataplaneGate {
    /// Routes follow the API alone.
    Off,
    /// A node announces a Service once its dataplane forwards to it. If that cannot be observed, the node announces after
    /// a few seconds.
    #[default]
    Auto,
    /// A node announces a Service only while its dataplane is known to forward to it.
    Require,
}

impl DataplaneGate {
    /// All values, with their names.
    pub const NAMED: [(&str, Self); 3] =
        [("off", Self::Off), ("auto", Self::Auto), ("require", Self::Require)];
}

impl fmt::Display for DataplaneGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut named = Self::NAMED.iter();
        f.write_str(named.find(|(_, gate)| gate == self).map_or("", |(name, _)| name))
    }
}

/// The error for a text that is not the name of a [`DataplaneGate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected auto, off or require")]
pub struct DataplaneGateError;

impl FromStr for DataplaneGate {
    type Err = DataplaneGateError;

    fn from_str(text: &str) -> Result<Self, DataplaneGateError> {
        let named = Self::NAMED.iter().find(|(name, _)| *name == text);
        named.map(|(_, gate)| *gate).ok_or(DataplaneGateError)
    }
}
