//! What goes beyond RFC 4271 and is agreed on by capabilities: what we offer, and what both ends have.
//!
//! What the agreement does to messages and routes is the business of `wire`, the RIBs and the peer.

use std::time::Duration;

use crate::wire::{
    AddPath, AddPathMode, Capability, ExtendedNextHop, GracefulRestart, GracefulRestartFamily,
    LongLivedFamily, Open,
};
use crate::{Afi, AfiSafi};

/// What is offered to a peer beside the families.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// Messages of up to 65,535 octets (RFC 8654). Default `true`.
    pub extended_messages: bool,
    /// IPv4 routes with IPv6 next hops (RFC 8950), where IPv4 unicast is among the families. Default `true`.
    pub extended_next_hop: bool,
    /// Route refreshes with a beginning and an end (RFC 7313). Default `true`.
    pub enhanced_refresh: bool,
    /// Several paths to a prefix, received, sent, or both, by family (RFC 7911). Default: none.
    pub add_path: Vec<AddPath>,
    /// Graceful restart (RFC 4724). Default: none is offered.
    pub graceful_restart: Option<RestartConfig>,
}

/// Graceful restart: how long each end keeps the routes of the other while there is no session (RFC 4724).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestartConfig {
    /// How long the peer is asked to wait for our return, in whole seconds up to 4,095. Default 120 s.
    pub restart_time: Duration,
    /// Packets for our routes are forwarded while we are away (the F bit). Default `true`: the kernel does it.
    pub forwarding: bool,
    /// Routes are kept after a NOTIFICATION too, unless it is a Hard Reset (RFC 8538). Default `true`.
    pub notification: bool,
    /// How long stale routes of the peer are kept once it is back and has not yet sent all routes again. Default 360 s.
    pub stale_time: Duration,
    /// How long routes may be kept beyond the restart time, as a last resort (RFC 9494), in whole seconds up to
    /// 16,777,215. `None`, the default: not at all.
    pub long_lived: Option<Duration>,
}

/// What both ends have of [`Extensions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreed {
    /// Messages may have up to 65,535 octets (RFC 8654).
    pub extended_messages: bool,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// Answers to a route refresh have a beginning and an end (RFC 7313).
    pub enhanced_refresh: bool,
    /// Families of which the peer may send several paths to a prefix (RFC 7911).
    pub add_path_receive: Vec<AfiSafi>,
    /// Families of which we may.
    pub add_path_send: Vec<AfiSafi>,
    /// What the peer said of graceful restart, where we offered it too (RFC 4724); only families of the session.
    pub graceful_restart: Option<GracefulRestart>,
    /// For how long, at most, the peer's stale routes may be kept beyond its restart time, by family (RFC 9494).
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
    /// The capabilities that our OPEN carries for them. `restarting`: we have just come back (the R bit).
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

    /// Joins the peer's OPEN with our side, for the families of the session.
    pub(super) fn agree(&self, families: &[AfiSafi], open: &Open) -> Agreed {
        let has = |capability: &Capability| open.capabilities.contains(capability);
        let find = |kind: fn(&Capability) -> bool| open.capabilities.iter().find(|it| kind(it));
        let ipv6_next_hop = find(|it| matches!(it, Capability::ExtendedNextHop(_)));
        let (add_path_receive, add_path_send) = self.add_path(families, open);
        let graceful_restart = self.graceful_restart.as_ref().and_then(|_| {
            let found = find(|it| matches!(it, Capability::GracefulRestart(_)));
            let Some(Capability::GracefulRestart(restart)) = found else { return None };
            let mut restart = restart.clone();
            restart.families.retain(|it| families.contains(&it.family));
            Some(restart)
        });
        let long_lived = find(|it| matches!(it, Capability::LongLivedGracefulRestart(_)));
        let ours = self.graceful_restart.as_ref().and_then(|restart| restart.long_lived);
        let long_lived = match (long_lived, ours) {
            // Without graceful restart it counts for nothing (RFC 9494, section 4.1).
            (Some(Capability::LongLivedGracefulRestart(theirs)), Some(_))
                if graceful_restart.is_some() =>
            {
                theirs.iter().filter(|it| families.contains(&it.family)).copied().collect()
            }
            _ => Vec::new(),
        };
        Agreed {
            extended_messages: self.extended_messages && has(&Capability::ExtendedMessage),
            extended_next_hop: self.extended_next_hop
                && matches!(ipv6_next_hop, Some(Capability::ExtendedNextHop(entries))
                    if entries.contains(&IPV4_OVER_IPV6)),
            enhanced_refresh: self.enhanced_refresh && has(&Capability::EnhancedRouteRefresh),
            add_path_receive,
            add_path_send,
            graceful_restart,
            long_lived,
        }
    }

    /// The families of which we get, and of which we send, several paths.
    fn add_path(&self, families: &[AfiSafi], open: &Open) -> (Vec<AfiSafi>, Vec<AfiSafi>) {
        let theirs = |family| {
            let all = open.capabilities.iter().filter_map(|capability| match capability {
                Capability::AddPath(entries) => Some(entries),
                _ => None,
            });
            let mut of_family = all.flatten().filter(|entry| entry.family == family);
            of_family.next().map_or(AddPathMode(0), |entry| entry.mode)
        };
        let both = |ours: fn(AddPathMode) -> bool, other: fn(AddPathMode) -> bool| {
            let entries = self.add_path.iter().filter(|it| families.contains(&it.family));
            let agreed = entries.filter(|it| ours(it.mode) && other(theirs(it.family)));
            agreed.map(|it| it.family).collect()
        };
        (
            both(AddPathMode::receives, AddPathMode::sends),
            both(AddPathMode::sends, AddPathMode::receives),
        )
    }
}

impl RestartConfig {
    fn capabilities(&self, families: &[AfiSafi], restarting: bool) -> Vec<Capability> {
        let forwarding = self.forwarding;
        let seconds = self.restart_time.as_secs().min(4_095);
        let of = |family: &AfiSafi| GracefulRestartFamily { family: *family, forwarding };
        let restart = GracefulRestart {
            restarting,
            notification: self.notification,
            restart_time: u16::try_from(seconds).unwrap_or(4_095),
            families: families.iter().map(of).collect(),
        };
        let mut capabilities = vec![Capability::GracefulRestart(restart)];
        if let Some(time) = self.long_lived {
            let stale_time = u32::try_from(time.as_secs()).unwrap_or(u32::MAX).min(0x00ff_ffff);
            let of = |family: &AfiSafi| LongLivedFamily { family: *family, forwarding, stale_time };
            let families = families.iter().map(of).collect();
            capabilities.push(Capability::LongLivedGracefulRestart(families));
        }
        capabilities
    }
}

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
    fn what_one_end_lacks_is_not_agreed_on() {
        let ours = Extensions::default();
        assert_eq!(ours.agree(&BOTH, &open(vec![])), Agreed::default());
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
        assert_eq!(none.agree(&BOTH, &all), Agreed::default());
        assert!(none.capabilities(&BOTH, false).is_empty());
    }

    #[test]
    fn paths_go_from_who_sends_several_to_who_receives_several() {
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
    fn graceful_restart_is_for_the_families_of_the_session() {
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
