//! Capabilities of OPENs in words (RFC 5492).
//!
//! Owns the sentences. The decoder of `bgp-core` has read the values.

use bgp_session::wire::CapabilityCode;
use bgp_session::{AddPathMode, Capability, Role};

/// Returns a capability with its value in words.
pub(super) fn text(capability: &Capability) -> String {
    let name = CapabilityCode(capability.code()).to_string();
    match value(capability) {
        Some(value) => format!("{name}: {value}"),
        None => name,
    }
}

fn value(capability: &Capability) -> Option<String> {
    Some(match capability {
        Capability::Multiprotocol(family) => family.to_string(),
        Capability::ExtendedNextHop(families) => joined(
            families
                .iter()
                .map(|entry| format!("{} with next hops of {}", entry.family, entry.next_hop)),
        ),
        Capability::Role(role) => role_name(*role),
        Capability::GracefulRestart(restart) => {
            let mut words = vec![format!("{} s", restart.restart_time)];
            if restart.restarting {
                words.push("has restarted".to_owned());
            }
            if restart.notification {
                words.push("also after a NOTIFICATION".to_owned());
            }
            words.extend(restart.families.iter().map(|entry| {
                let kept = if entry.forwarding { " kept forwarding" } else { "" };
                format!("{}{kept}", entry.family)
            }));
            words.join(", ")
        }
        Capability::FourOctetAs(asn) => asn.0.to_string(),
        Capability::AddPath(families) => joined(families.iter().map(|entry| {
            let mode = match entry.mode {
                AddPathMode::RECEIVE => "receives",
                AddPathMode::SEND => "sends",
                AddPathMode::BOTH => "sends and receives",
                _ => "unknown direction",
            };
            format!("{} {mode}", entry.family)
        })),
        Capability::LongLivedGracefulRestart(families) => joined(
            families.iter().map(|entry| format!("{} for {} s", entry.family, entry.stale_time)),
        ),
        // Both come from the peer.
        Capability::Fqdn { host, domain } if domain.is_empty() => host.escape_debug().to_string(),
        Capability::Fqdn { host, domain } => format!("{host}.{domain}").escape_debug().to_string(),
        Capability::SoftwareVersion(version) => version.escape_debug().to_string(),
        Capability::Unknown { value, .. } if !value.is_empty() => {
            value.iter().map(|octet| format!("{octet:02x}")).collect()
        }
        _ => return None,
    })
}

fn role_name(role: Role) -> String {
    match role {
        Role::PROVIDER => "provider".to_owned(),
        Role::ROUTE_SERVER => "route server".to_owned(),
        Role::ROUTE_SERVER_CLIENT => "client of a route server".to_owned(),
        Role::CUSTOMER => "customer".to_owned(),
        Role::PEER => "peer".to_owned(),
        Role(other) => other.to_string(),
    }
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use bgp_session::{AfiSafi, Asn};

    use super::*;

    #[test]
    fn a_capability_has_its_value_in_words_and_no_control_characters() {
        let family = AfiSafi::IPV4_UNICAST;
        for (capability, expected) in [
            (Capability::RouteRefresh, "route refresh"),
            (Capability::FourOctetAs(Asn(64_512)), "four-octet AS: 64512"),
            (Capability::Multiprotocol(family), "multiprotocol: ipv4-unicast"),
            (
                Capability::SoftwareVersion("BIRD\u{1b}[31m".to_owned()),
                "software version: BIRD\\u{1b}[31m",
            ),
            (
                Capability::Unknown { code: 200, value: vec![1, 0xab].into() },
                "capability 200: 01ab",
            ),
        ] {
            assert_eq!(text(&capability), expected);
        }
    }
}
