//! Configurations that offer fewer capabilities, for a peer that has refused some of them (RFC 5492, section 3).

use std::borrow::Cow;

use crate::AfiSafi;
use crate::fsm::{Extensions, FsmConfig};
use crate::wire::{Capability, CapabilityCode, ErrorCode, Notification, OpenSubcode};

impl FsmConfig {
    /// The part of the configuration that our OPEN can offer. Without capabilities it is the protocol of RFC 4271 alone.
    pub(super) fn offered(&self) -> Cow<'_, Self> {
        if self.capabilities {
            return Cow::Borrowed(self);
        }

        let mut config = self.clone();
        config.families.retain(|family| *family == AfiSafi::IPV4_UNICAST);
        config.four_octet_as = false;
        config.route_refresh = false;
        config.role = None;
        config.extensions = Extensions {
            extended_messages: false,
            extended_next_hop: false,
            enhanced_refresh: false,
            add_path: Vec::new(),
            graceful_restart: None,
        };
        Cow::Owned(config)
    }

    /// The configuration without the capabilities that this NOTIFICATION of the peer refuses. `None` if it refuses nothing
    /// that we can leave out.
    pub(crate) fn without_refused(&self, notification: &Notification) -> Option<Self> {
        if notification.code != ErrorCode::OPEN_MESSAGE {
            return None;
        }

        let mut config = self.clone();
        match OpenSubcode(notification.subcode) {
            // Without capabilities only IPv4 unicast can be exchanged.
            OpenSubcode::UNSUPPORTED_OPTIONAL_PARAMETER
                if self.families.contains(&AfiSafi::IPV4_UNICAST) =>
            {
                config.capabilities = false;
            }
            OpenSubcode::UNSUPPORTED_CAPABILITY => {
                for capability in notification.unsupported_capabilities() {
                    config.leave_out(&capability);
                }
            }
            _ => return None,
        }
        (config != *self).then_some(config)
    }

    /// Leaves a capability out of the OPEN. The last family stays: without it there is nothing to exchange.
    pub fn leave_out(&mut self, capability: &Capability) {
        let extensions = &mut self.extensions;
        match capability {
            Capability::Multiprotocol(family) => {
                if self.families.iter().any(|it| it != family) {
                    self.families.retain(|it| it != family);
                }
            }
            Capability::RouteRefresh => self.route_refresh = false,
            Capability::FourOctetAs(_) => self.four_octet_as = false,
            Capability::Role(_) => self.role = None,

            Capability::ExtendedNextHop(_) => extensions.extended_next_hop = false,
            Capability::ExtendedMessage => extensions.extended_messages = false,
            Capability::GracefulRestart(_) => extensions.graceful_restart = None,
            Capability::AddPath(_) => extensions.add_path.clear(),
            Capability::EnhancedRouteRefresh => extensions.enhanced_refresh = false,
            Capability::LongLivedGracefulRestart(_) => {
                if let Some(restart) = &mut extensions.graceful_restart {
                    restart.long_lived = None;
                }
            }

            // A router may name a capability by its code alone.
            Capability::Unknown { code, .. } => match CapabilityCode(*code) {
                CapabilityCode::EXTENDED_NEXT_HOP => extensions.extended_next_hop = false,
                CapabilityCode::ROLE => self.role = None,
                CapabilityCode::GRACEFUL_RESTART => extensions.graceful_restart = None,
                CapabilityCode::FOUR_OCTET_AS => self.four_octet_as = false,
                CapabilityCode::ADD_PATH => extensions.add_path.clear(),
                _ => {}
            },
            Capability::Fqdn { .. } | Capability::SoftwareVersion(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::fsm::negotiate::local_capabilities;
    use crate::fsm::{RestartConfig, RoleConfig};
    use crate::wire::{AddPath, AddPathMode, Role};
    use crate::{Asn, BgpIdentifier};

    /// A configuration that offers every capability.
    fn everything() -> FsmConfig {
        let mut config = FsmConfig::new(Asn(64636), BgpIdentifier::new(10, 0, 0, 1), Asn(64635));
        config.families = vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
        config.role = Some(RoleConfig::new(Role::CUSTOMER));
        config.extensions.add_path =
            vec![AddPath { family: AfiSafi::IPV4_UNICAST, mode: AddPathMode::BOTH }];
        config.extensions.graceful_restart = Some(RestartConfig::default());
        config
    }

    #[test]
    fn a_capability_is_left_out_by_its_value_or_by_its_code_alone() {
        let all = local_capabilities(&everything(), false);
        assert_eq!(all.len(), 10, "{all:?}");

        // Without a family, other capabilities name fewer families too.
        let is_family = |it: &&Capability| matches!(it, Capability::Multiprotocol(_));
        for capability in all.iter().filter(|it| !is_family(it)) {
            let mut config = everything();
            config.leave_out(capability);
            let rest: Vec<_> = all.iter().filter(|it| *it != capability).cloned().collect();
            assert_eq!(local_capabilities(&config, false), rest, "{capability}");

            // A capability without a value is never read as an unknown one.
            let code = capability.code();
            if !matches!(code, 2 | 6 | 70) {
                let mut config = everything();
                config.leave_out(&Capability::Unknown { code, value: Bytes::new() });
                assert_eq!(local_capabilities(&config, false), rest, "code {code}");
            }
        }
    }
}
