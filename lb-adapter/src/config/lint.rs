//! What a configuration says without effect, or with one that is hardly meant. None of it keeps the
//! configuration from being taken; all of it is worth a look before it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Severity};
use super::draft::{Draft, Format, PoolDraft, Reference};
use super::index::{Advertised, Told, meant};
use super::report::{self, Place};
use crate::model::{
    Community, Config, IpFamily, Namespace, NextHopPolicy, Node, Peer, PeerAddress, Protocol,
    Service,
};

/// The objects of the files besides the configuration, if there are any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Around<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) services: &'a [Service],
    pub(crate) namespaces: &'a [Namespace],
}

/// Adds a warning for each such thing.
///
/// Where there are errors, what seems to be missing or unused may only be wrong: of that nothing is
/// said then.
pub(crate) fn lint(
    draft: &Draft,
    config: &Config,
    around: Around<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let complete = diagnostics.iter().all(|it| it.severity != Severity::Error);
    let mut lint = Lint { draft, config, around, complete, diagnostics };
    lint.peers();
    lint.nobody_to_tell();
    lint.pools();
    lint.advertisements();
    lint.selections();
    lint.bfd_profiles();
    lint.aliases();
}

/// The configuration that is examined, and the findings.
pub(super) struct Lint<'a> {
    pub(super) draft: &'a Draft,
    pub(super) config: &'a Config,
    pub(super) around: Around<'a>,
    /// Whether all that was written could be read.
    pub(super) complete: bool,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Lint<'_> {
    pub(super) fn warn(&mut self, at: &Place, message: impl Into<String>) {
        report::warning(self.diagnostics, at, message);
    }

    fn peers(&mut self) {
        let draft = self.draft;
        let told = Told::by(self.config.bgp_advertisements.iter());
        for (it, peer) in draft.peers.iter().zip(&self.config.peers) {
            if self.complete && !told.has(&peer.name) {
                self.warn(&it.place, "unused peer: no advertisement is for it");
            }
            if !self.around.nodes.is_empty()
                && !self.around.nodes.iter().any(|node| peer.selects(&node.labels))
            {
                self.warn(&it.place, "unused peer: its node selectors select none of the Nodes");
            }
            if peer.router_id.is_some() && self.speakers(peer) != Some(1) {
                let message = "the router ID is the same on every node that speaks to this peer, \
                               which routers refuse; leave it out, or select one node";
                self.warn(&it.place, message);
            }
            if peer.source_address.is_some() && self.speakers(peer) != Some(1) {
                let message = "only the node that has the source address can reach this peer";
                self.warn(&it.place, message);
            }
            self.next_hop(&it.place, peer);
            self.other_family(&it.place, peer);
            if peer.hold_time.is_zero() && peer.bfd_profile.is_none() {
                let message = "without hold time and BFD a router that dies is noticed by nothing";
                self.warn(&it.place, message);
            }
            if peer.local_asn == Some(peer.my_asn) {
                self.warn(&it.place, "the local AS is the nodes' own, which has no effect");
            }
            if peer.ebgp_multihop
                && let Some(PeerAddress::Interface(_)) = Some(&peer.address)
            {
                self.warn(
                    &it.place,
                    "a peer on an interface is one hop away, multihop has no effect",
                );
            }
        }
    }

    /// Routes of the family that a session does not run over have the node's address for a next hop. Without one IPv4
    /// routes may still have the session's, where the router takes that (RFC 8950).
    fn other_family(&mut self, place: &Place, peer: &Peer) {
        let own = matches!(&peer.next_hop, Some(NextHopPolicy::Addresses(it)) if it.iter().any(IpAddr::is_ipv6));
        let mut ranges = self.config.pools.iter().flat_map(|pool| &pool.ranges);
        if ranges.all(|range| range.family() == IpFamily::Ipv4) {
            return;
        }
        if !peer.dual_stack || own || !peer.address.ip().is_some_and(|it| it.is_ipv4()) {
            return;
        }
        let speaks = |node: &&Node| peer.selects(&node.labels);
        let without = |node: &&Node| !node.addresses.iter().any(IpAddr::is_ipv6);
        // The first by name, so that the order of the files does not matter.
        let nodes = self.around.nodes.iter().filter(speaks).filter(without);
        if let Some(node) = nodes.min_by(|a, b| a.name.cmp(&b.name)) {
            let name = &node.name;
            let message =
                format!("Node {name} has no IPv6 address to be the next hop of its IPv6 routes");
            self.warn(place, message);
        }
    }

    fn next_hop(&mut self, place: &Place, peer: &Peer) {
        let Some(NextHopPolicy::Addresses(addresses)) = &peer.next_hop else { return };
        if self.speakers(peer) != Some(1) {
            let message = "the next hop is the same for every node that speaks to this peer: all traffic \
                           goes there; say node or session, or select one node";
            self.warn(place, message);
        }
        for address in addresses.iter().filter(|it| !peer.carries(IpFamily::of(**it))) {
            let message = format!(
                "the next hop {address} is without effect: the peer carries no {}",
                IpFamily::of(*address)
            );
            self.warn(place, message);
        }
    }

    /// How many of the Nodes speak to a peer, if Nodes are known; one that is selected by its host
    /// name is one.
    fn speakers(&self, peer: &Peer) -> Option<usize> {
        let by_name = |key: &str| {
            peer.node_selectors.len() == 1
                && peer.node_selectors.iter().all(|it| it.match_labels.contains_key(key))
        };
        if by_name("kubernetes.io/hostname") {
            return Some(1);
        }
        let selected = self.around.nodes.iter().filter(|node| peer.selects(&node.labels)).count();
        (!self.around.nodes.is_empty()).then_some(selected)
    }

    fn nobody_to_tell(&mut self) {
        let draft = self.draft;
        if self.complete
            && self.config.peers.is_empty()
            && let Some(pool) = draft.pools.iter().find(|it| it.pool.protocol == Protocol::Bgp)
        {
            self.warn(&pool.place, "no peer is configured: nothing is announced to anybody");
        }
    }

    fn pools(&mut self) {
        let (draft, config) = (self.draft, self.config);
        let advertised = Advertised::by(config.bgp_advertisements.iter().map(|it| &it.pools));
        let holders = self.holders();
        let carries = |family: IpFamily| {
            config.peers.is_empty() || config.peers.iter().any(|it| it.carries(family))
        };
        let families = [IpFamily::Ipv4, IpFamily::Ipv6].map(|family| (family, carries(family)));
        for (it, pool) in draft.pools.iter().zip(&self.config.pools) {
            self.occupied(it, &holders);
            if pool.protocol == Protocol::Layer2 {
                let message = "layer 2 is not announced by FerroLB: addresses are given out, and \
                               something else must answer for them";
                self.warn(&it.place, message);
                continue;
            }
            if !advertised.has(pool) {
                if self.complete {
                    let message = "unused pool: no advertisement is for it, nobody hears of it";
                    self.warn(&it.place, message);
                }
                continue;
            }
            for (family, carried) in families {
                let has = pool.ranges.iter().any(|range| range.family() == family);
                if has && !carried && self.complete {
                    let message = format!(
                        "no peer carries {family}: add one with an {family} address, or say {}",
                        match draft.format {
                            Format::ConfigMap => "dual-stack-address-family: true",
                            Format::Resources => "dualStackAddressFamily: true",
                        }
                    );
                    self.warn(&it.place, message);
                }
            }
        }
    }

    /// Addresses that somebody has, and who.
    fn holders(&self) -> BTreeMap<IpAddr, String> {
        let nodes = self.around.nodes.iter().flat_map(|node| {
            node.addresses.iter().map(move |address| (*address, format!("node {}", node.name)))
        });
        let peers = self
            .config
            .peers
            .iter()
            .filter_map(|peer| Some((peer.address.ip()?, format!("peer {}", peer.name))));
        nodes.chain(peers).collect()
    }

    /// A pool must not give out what somebody has.
    fn occupied(&mut self, it: &PoolDraft, holders: &BTreeMap<IpAddr, String>) {
        for (range, place) in it.pool.ranges.iter().zip(&it.ranges) {
            for (address, holder) in holders.range(range.first()..=range.last()).take(FEW) {
                let message = format!("{range} has the address of {holder}, {address}");
                report::warning(self.diagnostics, place, message);
            }
        }
    }

    fn advertisements(&mut self) {
        let draft = self.draft;
        let pools: BTreeSet<&str> = draft.pools.iter().map(|it| it.pool.name.as_str()).collect();
        let peers: BTreeMap<&str, &Peer> =
            self.config.peers.iter().map(|it| (it.name.as_str(), it)).collect();
        let peer_names = peers.keys().copied().collect();
        let some_internal = self.config.peers.iter().any(Peer::is_internal);
        for (it, advertisement) in
            draft.bgp_advertisements.iter().zip(&self.config.bgp_advertisements)
        {
            self.unknown(&it.pools, &pools, "pool");
            if self.complete {
                self.unknown(&it.peers, &peer_names, "peer");
            }
            if !advertisement.pools.selectors.is_empty()
                && it.pools.is_empty()
                && !self.config.pools.iter().any(|pool| advertisement.selects_pool(pool))
            {
                self.warn(&it.place, "without effect: no pool is selected");
            }
            let named = || advertisement.peers.iter().filter_map(|it| peers.get(it.as_str()));
            let only_external = match advertisement.peers.is_empty() {
                true => !peers.is_empty() && !some_internal,
                false => named().next().is_some() && named().all(|peer| !peer.is_internal()),
            };
            if let (Some(place), Some(preference)) = (&it.local_pref, advertisement.local_pref)
                && only_external
                && self.complete
            {
                let message = format!(
                    "without effect: a local preference, {preference}, is never sent to external \
                     peers, and no peer of this advertisement is internal"
                );
                self.warn(place, message);
            }
            if advertisement.communities.contains(&Community(BLACKHOLE)) {
                let message = "the community 65535:666 asks routers to drop the traffic (RFC 7999)";
                self.warn(&it.place, message);
            }
        }
        for it in &draft.l2_advertisements {
            self.unknown(&it.pools, &pools, "pool");
            // In a ConfigMap it is the pool that says so.
            if draft.format == Format::Resources {
                let all = if it.advertisement.pools.is_all() {
                    ", and this is for all pools"
                } else {
                    ""
                };
                self.warn(&it.place, format!("layer 2 is not announced by FerroLB{all}"));
            }
        }
    }

    fn unknown(&mut self, references: &[Reference], known: &BTreeSet<&str>, what: &str) {
        for reference in references.iter().filter(|it| !known.contains(it.name.as_str())) {
            let meant = meant(&reference.name, known.iter().copied());
            let hint = meant.map_or_else(String::new, |meant| format!(", {meant}"));
            let message = format!("no {what} is named {:?}{hint}", reference.name);
            self.warn(&reference.place, message);
        }
    }

    fn bfd_profiles(&mut self) {
        let (draft, config) = (self.draft, self.config);
        let used: BTreeSet<&str> =
            config.peers.iter().filter_map(|peer| peer.bfd_profile.as_deref()).collect();
        for it in &draft.bfd_profiles {
            if self.complete && !used.contains(it.profile.name.as_str()) {
                self.warn(&it.place, "unused BFD profile: no peer names it");
            }
            let profile = &it.profile;
            let times = u32::from(profile.detect_multiplier);
            if profile.receive_interval * times < FASTEST {
                let message = "routers are dead after less than 30 ms of silence, which any delay of \
                               a host looks like";
                self.warn(&it.place, message);
            }
        }
    }

    fn aliases(&mut self) {
        let draft = self.draft;
        let named = draft.bgp_advertisements.iter().flat_map(|it| &it.communities);
        let used: BTreeSet<&str> = named.map(|it| it.name.as_str()).collect();
        for it in &draft.aliases {
            if self.complete && !used.contains(it.name.as_str()) {
                self.warn(&it.place, "unused community: no advertisement names it");
            }
        }
    }
}

/// Of those in one range.
const FEW: usize = 20;
const BLACKHOLE: u32 = 0xffff_029a;
const FASTEST: Duration = Duration::from_millis(30);
