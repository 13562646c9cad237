//! Capabilities as text for people, one line each. Text from the peer is escaped.

use std::fmt::{self, Display, Formatter};

use super::{
    AddPath, AddPathMode, Capability, CapabilityCode, ExtendedNextHop, GracefulRestart,
    GracefulRestartFamily, LongLivedFamily, Role,
};

impl Display for Capability {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let code = CapabilityCode(self.code());
        match self {
            Self::RouteRefresh | Self::ExtendedMessage | Self::EnhancedRouteRefresh => {
                write!(f, "{code}")
            }
            Self::Multiprotocol(family) => write!(f, "{code} {family}"),
            Self::ExtendedNextHop(entries) => list(f, code, entries),
            Self::Role(role) => write!(f, "{code}: {role}"),
            Self::GracefulRestart(restart) => write!(f, "{code} {restart}"),
            Self::FourOctetAs(asn) => write!(f, "{code} {asn}"),
            Self::AddPath(entries) => list(f, code, entries),
            Self::LongLivedGracefulRestart(families) => list(f, code, families),
            Self::Fqdn { host, domain } if domain.is_empty() => write!(f, "{code} {host:?}"),
            Self::Fqdn { host, domain } => write!(f, "{code} {host:?} in {domain:?}"),
            Self::SoftwareVersion(text) => write!(f, "{code} {text:?}"),
            Self::Unknown { value, .. } if value.is_empty() => write!(f, "{code}"),
            Self::Unknown { value, .. } => {
                write!(f, "{code} ")?;
                value.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

fn list(f: &mut Formatter<'_>, code: CapabilityCode, entries: &[impl Display]) -> fmt::Result {
    write!(f, "{code}")?;
    for (at, entry) in entries.iter().enumerate() {
        write!(f, "{} {entry}", if at == 0 { "" } else { "," })?;
    }
    Ok(())
}

impl Display for Role {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::PROVIDER => "provider",
            Self::ROUTE_SERVER => "route server",
            Self::ROUTE_SERVER_CLIENT => "route server client",
            Self::CUSTOMER => "customer",
            Self::PEER => "peer",
            Self(role) => return write!(f, "role {role}"),
        })
    }
}

impl Display for ExtendedNextHop {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} via {}", self.family, self.next_hop)
    }
}

impl Display for GracefulRestart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.restart_time)?;
        f.write_str(if self.restarting { ", restarting" } else { "" })?;
        f.write_str(if self.notification { ", notifications too" } else { "" })?;
        self.families.iter().try_for_each(|family| write!(f, ", {family}"))
    }
}

impl Display for GracefulRestartFamily {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let forwarding = if self.forwarding { " (forwarding)" } else { "" };
        write!(f, "{}{forwarding}", self.family)
    }
}

impl Display for LongLivedFamily {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let forwarding = if self.forwarding { " (forwarding)" } else { "" };
        write!(f, "{} {} s{forwarding}", self.family, self.stale_time)
    }
}

impl Display for AddPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.mode)
    }
}

impl Display for AddPathMode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::RECEIVE => "receive",
            Self::SEND => "send",
            Self::BOTH => "send/receive",
            Self(mode) => return write!(f, "mode {mode}"),
        })
    }
}
