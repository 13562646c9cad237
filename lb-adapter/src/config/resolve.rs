//! From what the texts say to the configuration: names are looked up, and what must hold between
//! objects is judged.

use std::collections::{BTreeMap, BTreeSet};

use super::communities::Aliases;
use super::diagnostic::Diagnostic;
use super::draft::{AnyCommunity, BgpDraft, Draft, Format, PeerDraft, PoolDraft, SecretDraft};
use super::index::{Advertised, meant};
use super::report::{self, Place};
use super::resources::SECRET_TYPE;
use super::{conflicts, overlaps};
use crate::model::{BgpAdvertisement, Config, IpFamily, LabelSelector, Peer, Protocol};

/// The Secrets that are known, and what it means if one is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secrets<'a> {
    /// By name.
    pub(crate) known: &'a BTreeMap<String, SecretDraft>,
    /// What it means if one is not among them.
    pub(crate) absence: Absence,
}

/// What it means that a Secret is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// The configuration is not valid.
    Error,
    /// It may be elsewhere: files that are checked seldom have them.
    Warning,
    /// Nothing: passwords are not read here.
    Nothing,
}

/// Makes the configuration; it means something only if no error was added.
pub(crate) fn resolve(
    draft: &Draft,
    secrets: Secrets<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Config {
    different_names("peer", draft.peers.iter().map(|it| (&*it.peer.name, &it.place)), diagnostics);
    let pools = draft.pools.iter().map(|it| (&*it.pool.name, &it.place));
    different_names("pool", pools, diagnostics);
    let profiles = draft.bfd_profiles.iter().map(|it| (&*it.profile.name, &it.place));
    different_names("BFD profile", profiles, diagnostics);
    let profiles = draft.bfd_profiles.iter().map(|it| it.profile.name.as_str()).collect();
    let mut config = Config { format: draft.format, ..Config::default() };
    for peer in &draft.peers {
        bfd_profile(peer, &profiles, draft, diagnostics);
        config.peers.push(with_password(peer, secrets, diagnostics));
    }
    alike(&draft.peers, diagnostics);
    overlaps::check(&draft.pools, diagnostics);
    let aliases = Aliases::new(&draft.aliases, diagnostics);
    for it in &draft.bgp_advertisements {
        config.bgp_advertisements.push(with_communities(it, &aliases, draft.format, diagnostics));
    }
    config.l2_advertisements =
        draft.l2_advertisements.iter().map(|it| it.advertisement.clone()).collect();
    config.bfd_profiles = draft.bfd_profiles.iter().map(|it| it.profile.clone()).collect();
    config.pools = draft.pools.iter().map(|it| it.pool.clone()).collect();
    if draft.format == Format::Resources {
        protocols(&mut config);
    }
    aggregation(draft, diagnostics);
    conflicts::check(draft, &config.bgp_advertisements, diagnostics);
    config
}

/// Reports each name that an earlier one has too.
fn different_names<'a>(
    what: &str,
    named: impl Iterator<Item = (&'a str, &'a Place)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    for (name, place) in named {
        match seen.get(name) {
            Some(first) => {
                let message = format!("another {what} is named {name:?} at {}", first.shown());
                report::error(diagnostics, place, message);
            }
            None => {
                seen.insert(name, place);
            }
        }
    }
}

fn bfd_profile(
    peer: &PeerDraft,
    known: &BTreeSet<&str>,
    draft: &Draft,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(wanted) = &peer.bfd_profile else { return };
    if known.contains(wanted.name.as_str()) || report::is_full(diagnostics) {
        return;
    }
    let hint = match meant(&wanted.name, known.iter().copied()) {
        Some(name) => name,
        None if draft.format == Format::ConfigMap => "expected a name of bfd-profiles".to_owned(),
        None => "expected the name of a BFDProfile resource".to_owned(),
    };
    let message = format!("no BFD profile is named {:?}, {hint}", wanted.name);
    report::error(diagnostics, &wanted.place, message);
}

fn with_password(
    draft: &PeerDraft,
    secrets: Secrets<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Peer {
    let mut peer = draft.peer.clone();
    peer.bfd_profile = draft.bfd_profile.as_ref().map(|profile| profile.name.clone());
    let Some(wanted) = &draft.password_secret else { return peer };
    let Some(secret) = secrets.known.get(&wanted.name) else {
        // In a cluster only Secrets of this type are watched: one of another type may be there.
        let message = format!("no Secret {:?} of type {SECRET_TYPE} is there", wanted.name);
        match secrets.absence {
            Absence::Nothing => {}
            Absence::Warning => {
                let message = format!("{message}, without it the configuration is not taken");
                report::warning(diagnostics, &wanted.place, message);
            }
            Absence::Error => report::error(diagnostics, &wanted.place, message),
        }
        return peer;
    };
    let at = secret.place.shown();
    if secret.type_ != SECRET_TYPE {
        let message =
            format!("the Secret at {at} is of type {:?}, expected {SECRET_TYPE}", secret.type_);
        report::error(diagnostics, &wanted.place, message);
    } else if secret.password.is_none() {
        let message =
            format!("the Secret at {at} has no password, expected one under its key password");
        report::error(diagnostics, &wanted.place, message);
    }
    peer.password.clone_from(&secret.password);
    peer
}

/// Warns of peers that are one router for the same nodes: it sees two connections from each of them.
fn alike(peers: &[PeerDraft], diagnostics: &mut Vec<Diagnostic>) {
    let mut first: BTreeMap<(String, &[LabelSelector]), &PeerDraft> = BTreeMap::new();
    for draft in peers {
        let key = (draft.peer.endpoint(), draft.peer.node_selectors.as_slice());
        let Some(other) = first.get(&key) else {
            first.insert(key, draft);
            continue;
        };
        let at = other.place.shown();
        let same = draft.peer == Peer { name: draft.peer.name.clone(), ..other.peer.clone() };
        let message = match same {
            true => format!("the same peer as at {at}, one of two sessions will be refused"),
            false => format!("the same router and nodes as at {at}, which makes two sessions"),
        };
        report::warning(diagnostics, &draft.place, message);
    }
}

fn with_communities(
    draft: &BgpDraft,
    aliases: &Aliases,
    format: Format,
    diagnostics: &mut Vec<Diagnostic>,
) -> BgpAdvertisement {
    let mut advertisement = draft.advertisement.clone();
    for text in &draft.communities {
        match aliases.resolve(text, format, diagnostics) {
            Some(AnyCommunity::Standard(it)) => drop(advertisement.communities.insert(it)),
            Some(AnyCommunity::Large(it)) => drop(advertisement.large_communities.insert(it)),
            None => {}
        }
    }
    advertisement
}

/// What a pool is for follows from who advertises it.
fn protocols(config: &mut Config) {
    let by_bgp = Advertised::by(config.bgp_advertisements.iter().map(|it| &it.pools));
    let by_l2 = Advertised::by(config.l2_advertisements.iter().map(|it| &it.pools));
    for pool in &mut config.pools {
        if by_l2.has(pool) && !by_bgp.has(pool) {
            pool.protocol = Protocol::Layer2;
        }
    }
}

/// An aggregate must lie within the pool.
///
/// In the ConfigMap it may not be shorter than any prefix that the pool's ranges are made of, as in
/// MetalLB 0.7.3; in resources not shorter than the widest prefix of each range, as in MetalLB today.
fn aggregation(draft: &Draft, diagnostics: &mut Vec<Diagnostic>) {
    let by_name: BTreeMap<&str, &PoolDraft> =
        draft.pools.iter().map(|it| (it.pool.name.as_str(), it)).collect();
    for advertised in &draft.bgp_advertisements {
        let selection = &advertised.advertisement.pools;
        let places =
            [(IpFamily::Ipv4, &advertised.length), (IpFamily::Ipv6, &advertised.length_v6)];
        for (family, place) in places {
            let Some(place) = place else { continue };
            let length = advertised.advertisement.aggregation_length_for(family);
            let named = selection.names.iter().filter_map(|name| by_name.get(name.as_str()));
            let mut checked = BTreeSet::new();
            let all: Vec<&&PoolDraft> = match selection.selectors.is_empty() && !selection.is_all()
            {
                true => named.collect(),
                false => by_name.values().filter(|it| selection.selects(&it.pool)).collect(),
            };
            for pool in all.into_iter().filter(|it| checked.insert(it.pool.name.as_str())) {
                overlaps::aggregation_fits(
                    &pool.pool,
                    family,
                    length,
                    draft.format,
                    place,
                    diagnostics,
                );
            }
        }
    }
}
