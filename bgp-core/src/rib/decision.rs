//! The decision process: it finds the best paths to one prefix (RFC 4271, section 9.1.2.2).
//!
//! It eliminates paths rule by rule, as in the RFC, and does not sort them. MULTI_EXIT_DISC is compared only between paths
//! of one neighbouring AS, so "better than" is not an order among three paths. There is no metric of an interior gateway
//! protocol to compare.

use std::collections::BTreeMap;

use crate::rib::Path;
use crate::wire::{Community, PathAttributes};
use crate::{Asn, PeerType};

/// The LOCAL_PREF of a path without one.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// Sorts the best path to the front, followed by those that only a tie-break separates from it, then the rest. Returns the
/// number of paths over which traffic may be spread.
///
/// The rules in their order: paths that are not long-lived stale (RFC 9494, section 4.3), the highest LOCAL_PREF, the
/// shortest AS_PATH, the lowest ORIGIN, the lowest MULTI_EXIT_DISC of each neighbouring AS, external before internal.
/// Then the tie-breaks: the lowest identifier (ORIGINATOR_ID in place of the peer's, RFC 4456), the shortest CLUSTER_LIST,
/// the lowest address.
pub(super) fn rank<K>(paths: &mut [Path<K>]) -> usize {
    let mut left = paths.len();
    left = keep_best(paths, left, |path| is_long_lived(&path.attributes));
    left = keep_best(paths, left, |path| {
        u32::MAX - path.attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)
    });
    left = keep_best(paths, left, |path| path.attributes.as_path.hop_count());
    left = keep_best(paths, left, |path| path.attributes.origin);
    left = keep_lowest_med(paths, left);
    left = keep_best(paths, left, |path| path.source.peer_type == PeerType::Internal);

    let (equal, _) = paths.split_at_mut(left);
    equal.sort_by_key(|path| {
        let attributes = &path.attributes;
        let identifier = attributes.originator_id.unwrap_or(path.source.identifier);
        (identifier, attributes.cluster_list.len(), path.source.address, path.path_id)
    });
    left
}

/// Moves those of the first `left` paths that have the smallest key to the front, and returns their number.
fn keep_best<K, T: Ord>(paths: &mut [Path<K>], left: usize, key: impl Fn(&Path<K>) -> T) -> usize {
    let (candidates, _) = paths.split_at_mut(left);
    candidates.sort_by_key(&key);
    let Some(best) = candidates.first().map(&key) else { return 0 };
    candidates.partition_point(|path| key(path) == best)
}

/// Moves those of the first `left` paths that have the lowest MULTI_EXIT_DISC of their neighbouring AS to the front, and
/// returns their number.
fn keep_lowest_med<K>(paths: &mut [Path<K>], left: usize) -> usize {
    let (candidates, _) = paths.split_at_mut(left);
    let Some(first) = candidates.first().map(|path| med(&path.attributes)) else { return 0 };
    if candidates.iter().all(|path| med(&path.attributes) == first) {
        return left;
    }

    let mut lowest = BTreeMap::new();
    for path in candidates.iter() {
        let own = med(&path.attributes);
        let known = lowest.entry(neighbour(&path.attributes)).or_insert(own);
        *known = own.min(*known);
    }

    candidates.sort_by_cached_key(|path| !has_lowest_med(&path.attributes, &lowest));
    candidates.partition_point(|path| has_lowest_med(&path.attributes, &lowest))
}

/// Returns true if no path of the same neighbouring AS has a lower MULTI_EXIT_DISC.
fn has_lowest_med(attributes: &PathAttributes, lowest: &BTreeMap<Option<Asn>, u32>) -> bool {
    lowest.get(&neighbour(attributes)).is_none_or(|lowest| med(attributes) <= *lowest)
}

fn is_long_lived(attributes: &PathAttributes) -> bool {
    attributes.communities.contains(&Community::LLGR_STALE)
}

fn neighbour(attributes: &PathAttributes) -> Option<Asn> {
    attributes.as_path.first_as()
}

fn med(attributes: &PathAttributes) -> u32 {
    attributes.med.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use super::*;
    use crate::BgpIdentifier;
    use crate::rib::PathSource;
    use crate::wire::{AsPath, Origin};

    fn path(peer: u8, asns: &[u32], change: impl FnOnce(&mut PathAttributes)) -> Path<u8> {
        let mut attributes = PathAttributes {
            as_path: AsPath::sequence(asns.iter().map(|&asn| Asn(asn))),
            ..PathAttributes::default()
        };
        change(&mut attributes);
        let address = Ipv4Addr::new(10, 0, 0, peer);
        Path {
            peer,
            path_id: 0,
            source: PathSource {
                address: address.into(),
                identifier: BgpIdentifier(address),
                peer_type: PeerType::External,
            },
            attributes: Arc::new(attributes),
        }
    }

    /// The peers of the paths over which traffic may be spread, the best first.
    fn ranked(mut paths: Vec<Path<u8>>) -> Vec<u8> {
        let equal = rank(&mut paths);
        paths[..equal].iter().map(|path| path.peer).collect()
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
        internal.source.peer_type = PeerType::Internal;
        assert_eq!(ranked(vec![internal, path(2, &[65001], |_| ())]), [2]);
    }
}
