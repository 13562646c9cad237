//! Pools that are not announced, and pools with addresses that are in use.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::advertised::AdvertisedPools;
use super::super::draft::PoolDraft;
use super::super::key::Format;
use super::super::place::Place;
use super::linter::Linter;
use crate::model::{Config, IpFamily, Pool, Protocol};

/// Checks all pools.
pub(super) fn check(linter: &mut Linter<'_>) {
    let (draft, config) = (linter.draft, linter.config);
    let advertised = AdvertisedPools::new(config.bgp_advertisements.iter().map(|it| &it.pools));
    let addresses_in_use = addresses_in_use(linter);
    let missing_families: Vec<IpFamily> = [IpFamily::Ipv4, IpFamily::Ipv6]
        .into_iter()
        .filter(|family| !is_carried(*family, config))
        .collect();

    for (draft, pool) in draft.pools.iter().zip(&config.pools) {
        check_addresses_in_use(linter, draft, &addresses_in_use);

        if pool.protocol == Protocol::Layer2 {
            let message = "FerroLB does not announce layer 2: it assigns the addresses, and \
                           something else must answer for them";
            linter.warn(&draft.place, message);
        } else if !linter.is_complete {
            continue;
        } else if !advertised.contains(pool) {
            let message = "unused pool: no advertisement selects it, so it is not announced";
            linter.warn(&draft.place, message);
        } else {
            check_families(linter, &draft.place, pool, &missing_families);
        }
    }
}

fn is_carried(family: IpFamily, config: &Config) -> bool {
    config.peers.is_empty() || config.peers.iter().any(|peer| peer.carries(family))
}

fn check_families(linter: &mut Linter<'_>, place: &Place, pool: &Pool, missing: &[IpFamily]) {
    let setting = match linter.draft.format {
        Format::ConfigMap => "dual-stack-address-family: true",
        Format::Resources => "dualStackAddressFamily: true",
    };
    for family in missing {
        if pool.ranges.iter().any(|range| range.family() == *family) {
            let message = format!(
                "no peer carries {family}: add one with an {family} address, or set {setting}"
            );
            linter.warn(place, message);
        }
    }
}

/// Returns the addresses of nodes and peers, each with the name of its owner.
fn addresses_in_use(linter: &Linter<'_>) -> BTreeMap<IpAddr, String> {
    let mut owners = BTreeMap::new();
    for node in linter.cluster.nodes {
        for address in &node.addresses {
            owners.insert(*address, format!("node {}", node.name));
        }
    }
    for peer in &linter.config.peers {
        if let Some(address) = peer.address.ip() {
            owners.insert(address, format!("peer {}", peer.name));
        }
    }
    owners
}

/// Warns about addresses that a pool must not assign.
fn check_addresses_in_use(
    linter: &mut Linter<'_>,
    draft: &PoolDraft,
    owners: &BTreeMap<IpAddr, String>,
) {
    for (range, place) in draft.pool.ranges.iter().zip(&draft.ranges) {
        for (address, owner) in owners.range(range.first()..=range.last()).take(MOST_REPORTED) {
            linter.warn(place, format!("{range} includes {address}, the address of {owner}"));
        }
    }
}

/// The most addresses in use that are reported for one range.
const MOST_REPORTED: usize = 20;
