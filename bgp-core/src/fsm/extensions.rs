//! Extensions of RFC 4271 that are negotiated by capabilities: those that we offer, and those that both ends have.
//!
//! Owns the negotiation only. `wire`, the RIBs and the peer apply its result to messages and routes.

use std::time::Duration;

use crate::wire::{
    AddPath, AddPathMode, Capability, ExtendedNextHop, GracefulRestart, GracefulRestartFamily,
    LongLivedFamily, Open,
};
use crate::{Afi, AfiSafi};

/// The extensions offered to a peer, in addition to address families.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// True if messages of up to 65,535 octets are offered (RFC 8654). Default `true`.
    pub extended_messages: bool,
    /// True if IPv4 routes with IPv6 next hops are offered (RFC 8950), provided that IPv4 unicast is among the families.
    /// Default `true`.
    pub extended_next_hop: bool,
    /// True if route refreshes with a beginning and an end are offered (RFC 7313). Default `true`.
    pub enhanced_refresh: bool,
    /// Several paths to a prefix by family: received, sent, or both (RFC 7911). Default: none.
    pub add_path: Vec<AddPath>,
    /// Graceful restart (RFC 4724). Default: none is offered.
    pub graceful_restart: Option<RestartConfig>,
}

/// Graceful restart (RFC 4724): each end keeps the routes of the other for a time after the session has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RestartConfig {
    /// The time that the peer is asked to wait for our return, in whole seconds up to 4,095. Default 120 s.
    pub restart_time: Duration,
    /// True if packets for our routes are forwarded while we are away (the F bit). Default `true`: the kernel does it.
    pub forwarding: bool,
    /// True if routes are kept after a NOTIFICATION too, unless it is a Hard Reset (RFC 8538). Default `true`.
    pub notification: bool,
    /// The time for which stale routes of a peer that has returned are kept, until it has sent all routes again.
    /// Default 360 s.
    pub stale_time: Duration,
    /// The time for which routes may be kept beyond the restart time, as a last resort (RFC 9494), in whole seconds up
    /// to 16,777,215. `None`, the default: not at all.
    pub long_lived: Option<Duration>,
}

/// The [`Extensions`] that both ends have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NegotiatedExtensions {
    /// True if messages may have up to 65,535 octets (RFC 8654).
    pub extended_messages: bool,
    /// True if IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// True if the response to a route refresh has a beginning and an end (RFC 7313).
    pub enhanced_refresh: bool,
    /// Families of which the peer may send several paths to a prefix (RFC 7911).
    pub add_path_receive: Vec<AfiSafi>,
    /// Families of which we may send several paths.
    pub add_path_send: Vec<AfiSafi>,
    /// The peer's graceful restart, if we offered it too (RFC 4724), with the families of the session only.
    pub graceful_restart: Option<GracefulRestart>,
    /// The longest time for which stale routes of the peer may be kept beyond its restart time, by family (RFC 9494).
    pub long_lived: Vec<LongLivedFamily>,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            extended_messages: true,
            extended_next_hop: true,
            enhanced_refresh: true,
            add_path: Vec::new(),
            graceful_restart: None,
        }
    }
}

impl Default for RestartConfig {
    fn default() -> Self {
        Self {
            restart_time: Duration::from_secs(120),
            forwarding: true,
            notification: true,
            stale_time: Duration::from_secs(360),
            long_lived: None,
        }
    }
}

impl Extensions {
    /// The capabilities that our OPEN carries for these extensions. `restarting`: we have just restarted (the R bit).
    pub(super) fn capabilities(&self, families: &[AfiSafi], restarting: bool) -> Vec<Capability> {
        let mut capabilities = Vec::new();
        if self.extended_messages {
            capabilities.push(Capability::ExtendedMessage);
        }
        if self.extended_next_hop && families.contains(&AfiSafi::IPV4_UNICAST) {
            capabilities.push(Capability::ExtendedNextHop(vec![IPV4_OVER_IPV6]));
        }
        if self.enhanced_refresh {
            capabilities.push(Capability::EnhancedRouteRefresh);
        }

        let add_path: Vec<_> =
            self.add_path.iter().filter(|it| families.contains(&it.family)).copied().collect();
        if !add_path.is_empty() {
            capabilities.push(Capability::AddPath(add_path));
        }

        if let Some(restart) = &self.graceful_restart {
            capabilities.extend(restart.capabilities(families, restarting));
        }
        capabilities
    }

    /// Combines the peer's OPEN with our side, for the families of the session.
    pub(super) fn agree(&self, families: &[AfiSafi], open: &Open) -> NegotiatedExtensions {
        let theirs = &open.capabilities;
        let (add_path_receive, add_path_send) = self.agree_add_path(families, open);
        let mut agreed = NegotiatedExtensions {
            extended_messages: self.extended_messages
                && theirs.contains(&Capability::ExtendedMessage),
            extended_next_hop: self.extended_next_hop && offers_ipv6_next_hops(open),
            enhanced_refresh: self.enhanced_refresh
                && theirs.contains(&Capability::EnhancedRouteRefresh),
            add_path_receive,
            add_path_send,
            ..NegotiatedExtensions::default()
        };

        if let Some(ours) = &self.graceful_restart {
            agreed.graceful_restart = graceful_restart(families, open);
            // Without graceful restart the long-lived one has no effect (RFC 9494, section 4.1).
            if agreed.graceful_restart.is_some() && ours.long_lived.is_some() {
                agreed.long_lived = long_lived(families, open);
            }
        }
        agreed
    }

    /// The families of which we receive, and of which we send, several paths.
    fn agree_add_path(&self, families: &[AfiSafi], open: &Open) -> (Vec<AfiSafi>, Vec<AfiSafi>) {
        let (mut receive, mut send) = (Vec::new(), Vec::new());
        for ours in self.add_path.iter().filter(|ours| families.contains(&ours.family)) {
            let theirs = add_path_mode(open, ours.family);
            if ours.mode.receives() && theirs.sends() {
                receive.push(ours.family);
            }
            if ours.mode.sends() && theirs.receives() {
                send.push(ours.family);
            }
        }
        (receive, send)
    }
}

/// Returns true if the OPEN allows IPv6 next hops of IPv4 routes.
fn offers_ipv6_next_hops(open: &Open) -> bool {
    let offered = open.capabilities.iter().find_map(|capability| match capability {
        Capability::ExtendedNextHop(entries) => Some(entries),
        _ => None,
    });
    offered.is_some_and(|entries| entries.contains(&IPV4_OVER_IPV6))
}

/// The mode in which the peer exchanges several paths of a family. No mode at all if its OPEN does not list the family.
fn add_path_mode(open: &Open, family: AfiSafi) -> AddPathMode {
    let entries = open.capabilities.iter().filter_map(|capability| match capability {
        Capability::AddPath(entries) => Some(entries),
        _ => None,
    });
    let entry = entries.flatten().find(|entry| entry.family == family);
    entry.map_or(AddPathMode(0), |entry| entry.mode)
}

/// The peer's graceful restart, reduced to the families of the session.
fn graceful_restart(families: &[AfiSafi], open: &Open) -> Option<GracefulRestart> {
    let mut restart = open.capabilities.iter().find_map(|capability| match capability {
        Capability::GracefulRestart(restart) => Some(restart.clone()),
        _ => None,
    })?;
    restart.families.retain(|it| families.contains(&it.family));
    Some(restart)
}

/// The peer's long-lived graceful restart, reduced to the families of the session.
fn long_lived(families: &[AfiSafi], open: &Open) -> Vec<LongLivedFamily> {
    let offered = open.capabilities.iter().find_map(|capability| match capability {
        Capability::LongLivedGracefulRestart(offered) => Some(offered),
        _ => None,
    });
    let offered = offered.into_iter().flatten();
    offered.filter(|it| families.contains(&it.family)).copied().collect()
}

impl RestartConfig {
    fn capabilities(&self, families: &[AfiSafi], restarting: bool) -> Vec<Capability> {
        let forwarding = self.forwarding;
        let seconds = self.restart_time.as_secs().min(4_095);
        let mut capabilities = vec![Capability::GracefulRestart(GracefulRestart {
            restarting,
            notification: self.notification,
            restart_time: u16::try_from(seconds).unwrap_or(4_095),
            families: families
                .iter()
                .map(|&family| GracefulRestartFamily { family, forwarding })
                .collect(),
        })];

        if let Some(time) = self.long_lived {
            let stale_time = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).min(0x00ff_ffff);
            let families = families
                .iter()
                .map(|&family| LongLivedFamily { family, forwarding, stale_time })
                .collect();
            capabilities.push(Capability::LongLivedGracefulRestart(families));
        }
        capabilities
    }
}

/// IPv4 unicast with IPv6 next hops, the one combination of RFC 8950 that we know.
const IPV4_OVER_IPV6: ExtendedNextHop =
    ExtendedNextHop { family: AfiSafi::IPV4_UNICAST, next_hop: Afi::IPV6 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Asn, BgpIdentifier};

    const BOTH: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];

    fn open(capabilities: Vec<Capability>) -> Open {
        Open::new(Asn(64635), 90, BgpIdentifier::new(10, 0, 0, 2), capabilities)
    }

    fn restarting() -> Extensions {
        let graceful_restart = RestartConfig {
            long_lived: Some(Duration::from_secs(3_600)),
            ..RestartConfig::default()
        };
        Extensions { graceful_restart: Some(graceful_restart), ..Extensions::default() }
    }

    #[test]
    fn an_extension_that_one_end_lacks_is_not_negotiated() {
        let ours = Extensions::default();
        assert_eq!(ours.agree(&BOTH, &open(vec![])), NegotiatedExtensions::default());
        let all = open(restarting().capabilities(&BOTH, false));
        let agreed = ours.agree(&BOTH, &all);
        assert!(agreed.extended_messages && agreed.extended_next_hop && agreed.enhanced_refresh);
        assert_eq!((agreed.graceful_restart, agreed.long_lived), (None, vec![]));
        let none = Extensions {
            extended_messages: false,
            extended_next_hop: false,
            enhanced_refresh: false,
            ..Extensions::default()
        };
        assert_eq!(none.agree(&BOTH, &all), NegotiatedExtensions::default());
        assert!(none.capabilities(&BOTH, false).is_empty());
    }

    #[test]
    fn several_paths_need_one_end_that_sends_and_one_that_receives() {
        let modes = [AddPathMode::RECEIVE, AddPathMode::SEND, AddPathMode::BOTH];
        for (ours, theirs) in modes.iter().flat_map(|a| modes.iter().map(move |b| (*a, *b))) {
            let entry = |mode| vec![AddPath { family: AfiSafi::IPV4_UNICAST, mode }];
            let config = Extensions { add_path: entry(ours), ..Extensions::default() };
            let agreed = config.agree(&BOTH, &open(vec![Capability::AddPath(entry(theirs))]));
            let family = |on: bool| if on { vec![AfiSafi::IPV4_UNICAST] } else { vec![] };
            assert_eq!(agreed.add_path_receive, family(ours.receives() && theirs.sends()));
            assert_eq!(agreed.add_path_send, family(ours.sends() && theirs.receives()));
        }
    }

    #[test]
    fn graceful_restart_covers_the_families_of_the_session() {
        let theirs = open(restarting().capabilities(&BOTH, true));
        let agreed = restarting().agree(&[AfiSafi::IPV6_UNICAST], &theirs);
        let restart = agreed.graceful_restart.expect("both have it");
        assert!(restart.restarting && restart.notification);
        assert_eq!(restart.restart_time, 120);
        let forwarding = true;
        let family = AfiSafi::IPV6_UNICAST;
        assert_eq!(restart.families, [GracefulRestartFamily { family, forwarding }]);
        let stale_time = 3_600;
        assert_eq!(agreed.long_lived, [LongLivedFamily { family, forwarding, stale_time }]);
    }
}
