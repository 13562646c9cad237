//! Turns a draft into the configuration: resolves references, and checks the rules between objects.

use std::collections::{BTreeMap, BTreeSet};

use super::advertised::AdvertisedPools;
use super::communities::CommunityAliases;
use super::diagnostic::Diagnostic;
use super::draft::{AnyCommunity, BgpAdvertisementDraft, Draft, PeerDraft, SecretDraft};
use super::key::Format;
use super::passwords::SECRET_TYPE;
use super::place::Place;
use super::report;
use super::{advertisement_conflicts, aggregation, range_overlaps};
use crate::model::{BgpAdvertisement, Config, LabelSelector, Peer, Protocol};
use crate::spelling::did_you_mean;

/// The known Secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secrets<'a> {
    /// The Secrets by name.
    pub(crate) known: &'a BTreeMap<String, SecretDraft>,
    /// The consequence if a Secret is not known.
    pub(crate) if_missing: MissingSecret,
}

/// The consequence of a missing Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingSecret {
    /// The configuration is not valid.
    Error,
    /// The Secret may be elsewhere: files that are checked seldom have it.
    Warning,
    /// None, because passwords are not needed here.
    Ignored,
}

/// Makes the configuration. It is only meaningful if no error was added.
pub(crate) fn resolve(
    draft: &Draft,
    secrets: Secrets<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Config {
    check_names(draft, diagnostics);
    let mut config = Config { format: draft.format, ..Config::default() };

    let profiles = draft.bfd_profiles.iter().map(|it| it.profile.name.as_str()).collect();
    for peer in &draft.peers {
        check_bfd_profile(peer, &profiles, draft.format, diagnostics);
        config.peers.push(with_password(peer, secrets, diagnostics));
    }
    warn_about_similar_peers(&draft.peers, diagnostics);
    range_overlaps::check(&draft.pools, diagnostics);

    let aliases = CommunityAliases::new(&draft.aliases, diagnostics);
    for advertisement in &draft.bgp_advertisements {
        let resolved = with_communities(advertisement, &aliases, draft.format, diagnostics);
        config.bgp_advertisements.push(resolved);
    }
    config.l2_advertisements =
        draft.l2_advertisements.iter().map(|it| it.advertisement.clone()).collect();
    config.bfd_profiles = draft.bfd_profiles.iter().map(|it| it.profile.clone()).collect();
    config.pools = draft.pools.iter().map(|it| it.pool.clone()).collect();
    if draft.format == Format::Resources {
        set_protocols(&mut config);
    }

    aggregation::check(draft, diagnostics);
    advertisement_conflicts::check(draft, &config.bgp_advertisements, diagnostics);
    config
}

/// Reports objects of one kind that have the same name.
fn check_names(draft: &Draft, diagnostics: &mut Vec<Diagnostic>) {
    let peers = draft.peers.iter().map(|it| (it.peer.name.as_str(), &it.place));
    check_distinct("peer", peers, diagnostics);
    let pools = draft.pools.iter().map(|it| (it.pool.name.as_str(), &it.place));
    check_distinct("pool", pools, diagnostics);
    let profiles = draft.bfd_profiles.iter().map(|it| (it.profile.name.as_str(), &it.place));
    check_distinct("BFD profile", profiles, diagnostics);
}

fn check_distinct<'a>(
    kind: &str,
    named: impl Iterator<Item = (&'a str, &'a Place)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    for (name, place) in named {
        if let Some(first) = seen.get(name) {
            let message = format!("another {kind} is named {name:?} at {first}");
            report::error(diagnostics, place, message);
            continue;
        }
        seen.insert(name, place);
    }
}

fn check_bfd_profile(
    peer: &PeerDraft,
    known: &BTreeSet<&str>,
    format: Format,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(profile) = &peer.bfd_profile else { return };
    if known.contains(profile.name.as_str()) || report::is_full(diagnostics) {
        return;
    }

    let expected = match format {
        Format::ConfigMap => "expected a name from bfd-profiles",
        Format::Resources => "expected the name of a BFDProfile resource",
    };
    let hint = did_you_mean(&profile.name, known.iter().copied());
    let hint = hint.unwrap_or_else(|| expected.to_owned());
    let message = format!("no BFD profile is named {:?}, {hint}", profile.name);
    report::error(diagnostics, &profile.place, message);
}

/// Returns the peer with the password of its Secret.
fn with_password(
    draft: &PeerDraft,
    secrets: Secrets<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Peer {
    let mut peer = draft.peer.clone();
    peer.bfd_profile = draft.bfd_profile.as_ref().map(|profile| profile.name.clone());
    let Some(reference) = &draft.password_secret else { return peer };

    let Some(secret) = secrets.known.get(&reference.name) else {
        // In a cluster only Secrets of this type are watched: there may be one of another type.
        let message = format!("no Secret {:?} of type {SECRET_TYPE} exists", reference.name);
        match secrets.if_missing {
            MissingSecret::Ignored => {}
            MissingSecret::Warning => {
                let message = format!("{message}, the configuration is rejected without it");
                report::warning(diagnostics, &reference.place, message);
            }
            MissingSecret::Error => report::error(diagnostics, &reference.place, message),
        }
        return peer;
    };

    let at = &secret.place;
    if secret.type_ != SECRET_TYPE {
        let message =
            format!("the Secret at {at} is of type {:?}, expected {SECRET_TYPE}", secret.type_);
        report::error(diagnostics, &reference.place, message);
    } else if secret.password.is_none() {
        let message =
            format!("the Secret at {at} has no password, expected one under the key password");
        report::error(diagnostics, &reference.place, message);
    }
    peer.password.clone_from(&secret.password);
    peer
}

/// Warns about peers that are the same router for the same nodes: each node connects to it twice.
fn warn_about_similar_peers(peers: &[PeerDraft], diagnostics: &mut Vec<Diagnostic>) {
    let mut first: BTreeMap<(String, &[LabelSelector]), &PeerDraft> = BTreeMap::new();
    for draft in peers {
        let key = (draft.peer.endpoint(), draft.peer.node_selectors.as_slice());
        let Some(other) = first.get(&key) else {
            first.insert(key, draft);
            continue;
        };

        let at = &other.place;
        let renamed = Peer { name: draft.peer.name.clone(), ..other.peer.clone() };
        let message = if draft.peer == renamed {
            format!("same peer as at {at}: the router refuses one of the two sessions")
        } else {
            format!("same router and nodes as the peer at {at}: each node opens two sessions")
        };
        report::warning(diagnostics, &draft.place, message);
    }
}

fn with_communities(
    draft: &BgpAdvertisementDraft,
    aliases: &CommunityAliases,
    format: Format,
    diagnostics: &mut Vec<Diagnostic>,
) -> BgpAdvertisement {
    let mut advertisement = draft.advertisement.clone();
    for reference in &draft.communities {
        match aliases.resolve(reference, format, diagnostics) {
            Some(AnyCommunity::Standard(community)) => {
                advertisement.communities.insert(community);
            }
            Some(AnyCommunity::Large(community)) => {
                advertisement.large_communities.insert(community);
            }
            None => {}
        }
    }
    advertisement
}

/// Turns the pools that only L2Advertisements select into layer 2 pools: a resource does not name a protocol.
fn set_protocols(config: &mut Config) {
    let by_bgp = AdvertisedPools::new(config.bgp_advertisements.iter().map(|it| &it.pools));
    let by_l2 = AdvertisedPools::new(config.l2_advertisements.iter().map(|it| &it.pools));
    for pool in &mut config.pools {
        if by_l2.contains(pool) && !by_bgp.contains(pool) {
            pool.protocol = Protocol::Layer2;
        }
    }
}
