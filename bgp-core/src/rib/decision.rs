//! The decision process: it finds the best paths to one prefix (RFC 4271, section 9.1.2.2).
//!
//! It eliminates paths rule by rule, as in the RFC. MULTI_EXIT_DISC is compared only between paths of one neighbouring AS, so
//! "better than" is not an order among three paths: [`rank`] compares all paths at each rule, and
//! [`Ranking`](super::ranking::Ranking) keeps them in two orders. There is no metric of an interior gateway protocol to
//! compare.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::PeerType;
use crate::rib::Path;
use crate::wire::Community;

/// The LOCAL_PREF of a path without one.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// What the decision process compares of a path, except the last tie-breaks, which are in the path itself.
///
/// The rules in their order: paths that are not long-lived stale (RFC 9494, section 4.3), the highest LOCAL_PREF, the
/// shortest AS_PATH, the lowest ORIGIN, the lowest MULTI_EXIT_DISC of each neighbouring AS, external before internal.
/// Then the tie-breaks: the lowest identifier (ORIGINATOR_ID in place of the peer's, RFC 4456), the shortest CLUSTER_LIST,
/// the lowest address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preference {
    /// The rules before MULTI_EXIT_DISC, the most significant bits first. The lowest is the best, as in all fields.
    before_med: u64,
    /// The neighbouring AS; 0, which no path has in it, if the path has none.
    neighbour: u32,
    med: u32,
    /// 1 if internal, then the identifier, then the length of the CLUSTER_LIST.
    after_med: u64,
}

/// The bits of [`Preference::after_med`] that only break ties.
const TIE_BITS: u32 = 32 + 16;

impl Preference {
    pub(super) fn of<K>(path: &Path<K>) -> Self {
        let Path { source, attributes, .. } = path;
        let is_stale = attributes.communities.contains(&Community::LLGR_STALE);
        let local_pref = u32::MAX - attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF);
        let origin = attributes.origin as u8;
        let is_internal = source.peer_type == PeerType::Internal;
        let identifier = u32::from(attributes.originator_id.unwrap_or(source.identifier).0);

        Self {
            before_med: bits(&[
                (is_stale.into(), 1),
                (local_pref.into(), 32),
                (length(attributes.as_path.hop_count()), 16),
                (origin.into(), 8),
            ]),
            neighbour: attributes.as_path.first_as().map_or(0, |asn| asn.0),
            med: attributes.med.unwrap_or(0),
            after_med: bits(&[
                (is_internal.into(), 1),
                (identifier.into(), 32),
                (length(attributes.cluster_list.len()), 16),
            ]),
        }
    }

    /// Compares by the rules before MULTI_EXIT_DISC.
    pub(super) fn compare_before_med(&self, other: &Self) -> Ordering {
        self.before_med.cmp(&other.before_med)
    }

    /// Compares by those rules and MULTI_EXIT_DISC, with paths of other neighbouring ASes apart.
    pub(super) fn compare_within_as(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.before_med, it.neighbour, it.med);
        key(self).cmp(&key(other))
    }

    /// Compares by the rules after MULTI_EXIT_DISC, external before internal first.
    pub(super) fn compare_ties(&self, other: &Self) -> Ordering {
        self.after_med.cmp(&other.after_med)
    }

    pub(super) fn is_equal_before_med(&self, other: &Self) -> bool {
        self.before_med == other.before_med
    }

    /// Returns true if the paths differ only in MULTI_EXIT_DISC and by tie-breaks.
    pub(super) fn is_equal(&self, other: &Self) -> bool {
        self.is_equal_before_med(other) && self.internal_bit() == other.internal_bit()
    }

    fn internal_bit(&self) -> u64 {
        self.after_med >> TIE_BITS
    }

    /// Returns true if the paths are of one neighbouring AS and differ only by tie-breaks.
    pub(super) fn is_equal_in_as(&self, other: &Self) -> bool {
        self.is_equal(other) && self.neighbour == other.neighbour && self.med == other.med
    }

    /// Returns true if MULTI_EXIT_DISC is compared between the paths.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.is_equal_before_med(other) && self.neighbour == other.neighbour
    }

    pub(super) fn has_med_of(&self, other: &Self) -> bool {
        self.med == other.med
    }

    /// Returns true if the path is before all those with which MULTI_EXIT_DISC of the other one is compared.
    pub(super) fn is_of_as_before(&self, other: &Self) -> bool {
        (self.before_med, self.neighbour) < (other.before_med, other.neighbour)
    }
}

/// Values with their numbers of bits, the most significant first.
fn bits(values: &[(u64, u32)]) -> u64 {
    values.iter().fold(0, |bits, (value, number)| bits << number | value)
}

/// A length of something in a message, which always fits.
fn length(length: usize) -> u64 {
    u16::try_from(length).unwrap_or(u16::MAX).into()
}

/// Sorts the best path to the front, followed by those that only a tie-break separates from it, then the rest. Returns the
/// number of paths over which traffic may be spread. See [`Preference`] for the rules.
pub(super) fn rank<K: Copy + Ord, P: Borrow<Path<K>>>(paths: &mut [P]) -> usize {
    if paths.len() < 2 {
        return paths.len();
    }

    let preferences: Vec<_> = paths.iter().map(|path| Preference::of(path.borrow())).collect();
    let Some(best) = preferences.iter().map(|it| it.before_med).min() else { return 0 };
    let left = || preferences.iter().filter(|it| it.before_med == best);

    let mut lowest_med = BTreeMap::new();
    for Preference { neighbour, med, .. } in left() {
        let lowest = lowest_med.entry(*neighbour).or_insert(*med);
        *lowest = (*lowest).min(*med);
    }
    let has_lowest_med = |it: &Preference| lowest_med.get(&it.neighbour) == Some(&it.med);

    let left = left().filter(|it| has_lowest_med(it));
    let peer_type = left.map(Preference::internal_bit).min();
    let is_left = |it: &Preference| {
        it.before_med == best && has_lowest_med(it) && Some(it.internal_bit()) == peer_type
    };
    let number = preferences.iter().filter(|it| is_left(it)).count();

    paths.sort_by_cached_key(|path| {
        let Path { source, path_id, .. } = path.borrow();
        let preference = Preference::of(path.borrow());
        let Preference { before_med, after_med, .. } = preference;
        let is_out = !is_left(&preference);
        (is_out, before_med, after_med, source.address, *path_id, source.peer)
    });
    number
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use super::*;
    use crate::rib::PathSource;
    use crate::wire::{AsPath, Origin, PathAttributes};
    use crate::{Asn, BgpIdentifier};

    fn path(peer: u8, asns: &[u32], change: impl FnOnce(&mut PathAttributes)) -> Path<u8> {
        let mut attributes = PathAttributes {
            as_path: AsPath::sequence(asns.iter().map(|&asn| Asn(asn))),
            ..PathAttributes::default()
        };
        change(&mut attributes);
        let address = Ipv4Addr::new(10, 0, 0, peer);
        let source = PathSource {
            peer,
            address: address.into(),
            asn: Asn(64_500),
            identifier: BgpIdentifier(address),
            peer_type: PeerType::External,
        };
        Path { source: Arc::new(source), path_id: 0, attributes: Arc::new(attributes) }
    }

    /// The peers of the paths over which traffic may be spread, the best first.
    fn ranked(mut paths: Vec<Path<u8>>) -> Vec<u8> {
        let equal = rank(&mut paths);
        paths[..equal].iter().map(Path::peer).collect()
    }

    #[test]
    fn equal_paths_share_traffic_and_the_lowest_identifier_is_the_best() {
        let paths = [27, 25, 26].map(|peer| path(peer, &[64636], |_| ())).to_vec();
        assert_eq!(ranked(paths), [25, 26, 27]);
    }

    #[test]
    fn each_rule_overrides_the_rules_after_it() {
        let long_but_preferred = path(9, &[1, 2, 3], |a| a.local_pref = Some(200));
        let short = path(8, &[1], |a| a.origin = Origin::Incomplete);
        assert_eq!(ranked(vec![short.clone(), long_but_preferred]), [9]);
        let longer_with_better_origin = path(7, &[1, 2], |_| ());
        assert_eq!(ranked(vec![longer_with_better_origin, short.clone()]), [8]);
        let better_origin = path(6, &[2], |a| a.med = Some(1000));
        assert_eq!(ranked(vec![short, better_origin]), [6]);
    }

    #[test]
    fn med_decides_only_within_one_neighbouring_as() {
        let high = path(1, &[65001], |a| a.med = Some(50));
        let low = path(2, &[65001], |a| a.med = Some(10));
        let other = path(3, &[65002], |a| a.med = Some(30));
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let all = [&high, &low, &other];
            let paths = order.map(|i| all[i].clone()).to_vec();
            assert_eq!(ranked(paths), [2, 3], "in the order {order:?}");
        }
    }

    #[test]
    fn a_long_lived_stale_path_is_the_last_choice() {
        let stale = path(1, &[1], |a| {
            a.communities.push(Community::LLGR_STALE);
            a.local_pref = Some(1_000);
        });
        assert_eq!(ranked(vec![stale.clone(), path(2, &[1, 2, 3], |_| ())]), [2]);
        assert_eq!(ranked(vec![stale]), [1]);
    }

    #[test]
    fn an_external_path_beats_an_internal_one() {
        let mut internal = path(1, &[65001], |_| ());
        Arc::make_mut(&mut internal.source).peer_type = PeerType::Internal;
        assert_eq!(ranked(vec![internal, path(2, &[65001], |_| ())]), [2]);
    }
}
