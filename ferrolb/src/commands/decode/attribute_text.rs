//! The values of the attributes of an UPDATE, in text for people.

use std::fmt::Display;

use bgp_session::wire::{AttributeCode, NextHop, Prefixes, Update};

use super::hex;

/// Returns the value of an attribute without errors; `None` for an attribute that this program does not decode.
#[must_use]
pub(super) fn attribute_text(update: &Update<'_>, code: AttributeCode) -> Option<String> {
    Some(match code {
        AttributeCode::ORIGIN => update.origin()?.to_string(),
        AttributeCode::AS_PATH => match update.as_path()?.to_string() {
            path if path.is_empty() => "empty".to_owned(),
            path => path,
        },
        AttributeCode::NEXT_HOP => update.next_hop()?.to_string(),
        AttributeCode::MULTI_EXIT_DISC => update.med()?.to_string(),
        AttributeCode::LOCAL_PREF => update.local_pref()?.to_string(),
        AttributeCode::ATOMIC_AGGREGATE => String::new(),
        AttributeCode::AGGREGATOR => update.aggregator().map(aggregator)?,
        AttributeCode::COMMUNITIES => words(update.communities()),
        AttributeCode::EXTENDED_COMMUNITIES => words(update.extended_communities()),
        AttributeCode::IPV6_EXTENDED_COMMUNITIES => words(update.ipv6_extended_communities()),
        AttributeCode::LARGE_COMMUNITIES => words(update.large_communities()),
        AttributeCode::ORIGINATOR_ID => update.originator_id()?.to_string(),
        AttributeCode::CLUSTER_LIST => words(update.cluster_list()),
        AttributeCode::AS4_PATH => {
            format!("{}, so that the path is {}", update.as4_path()?, update.merged_as_path())
        }
        AttributeCode::AS4_AGGREGATOR => update.as4_aggregator().map(aggregator)?,
        AttributeCode::ONLY_TO_CUSTOMER => format!("AS {}", update.only_to_customer()?),
        AttributeCode::AIGP => update.aigp()?.to_string(),
        AttributeCode::MP_REACH_NLRI => reach(update)?,
        AttributeCode::MP_UNREACH_NLRI => {
            let unreach = update.mp_unreach()?;
            let nlri = nlri(unreach.nlri(), unreach.nlri_octets());
            format!("{}: {nlri}", unreach.family())
        }
        _ => return None,
    })
}

fn reach(update: &Update<'_>) -> Option<String> {
    let reach = update.mp_reach()?;
    let next_hop = match reach.next_hop() {
        Some(NextHop::V6 { global, link_local: Some(local) }) => format!("{global} and {local}"),
        Some(next_hop) => next_hop.to_string(),
        None if reach.next_hop_octets().is_empty() => "no next hop".to_owned(),
        None => hex::print(reach.next_hop_octets()),
    };
    let nlri = nlri(reach.nlri(), reach.nlri_octets());
    Some(format!("{} via {next_hop}: {nlri}", reach.family()))
}

/// Returns the prefixes, or their octets if those are not prefixes.
fn nlri(nlri: Prefixes<'_>, octets: &[u8]) -> String {
    if octets.is_empty() {
        return "nothing".to_owned();
    }
    if !nlri.is_whole() {
        return hex::print(octets);
    }
    prefixes(nlri.with_path_ids())
}

fn aggregator(aggregator: bgp_session::Aggregator) -> String {
    format!("AS {} at {}", aggregator.asn, aggregator.address)
}

fn words<T: Display>(values: impl Iterator<Item = T>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
}

/// Returns a list of prefixes, with their path identifiers if they have any (RFC 7911).
#[must_use]
pub(super) fn prefixes<P: Display>(routes: impl Iterator<Item = (Option<u32>, P)>) -> String {
    let texts = routes.map(|(path_id, prefix)| match path_id {
        Some(path_id) => format!("{prefix} path {path_id}"),
        None => prefix.to_string(),
    });
    texts.collect::<Vec<_>>().join(", ")
}
