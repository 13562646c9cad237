//! UPDATE: any octets are judged in any context without a panic; the views agree with each other, with the treatment and
//! with the owned form.

use bgp_core::wire::{Message, MessageType, OwnedUpdate, Treatment, Update};
use bgp_core::{AfiSafi, IpNet};

use crate::input::{FAMILIES, Input};
use crate::judge::{decode, judge_error, judge_text, message};

/// The input has two octets of context and the body of a message.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let cx = input.context();
    let octets = message(MessageType::Update, input.rest());
    let Some(Message::Update(update)) = decode(&octets, cx) else { return };
    assert_eq!(update.context(), cx);

    judge_findings(&update, &octets);
    judge_prefixes(&update, octets.len());
    judge_views(&update);
    judge_attributes(&update);
    judge_owned(&update);
}

/// The owned copy of a message is the same as the message.
fn judge_owned(update: &Update<'_>) {
    let owned = OwnedUpdate::from(*update);
    let view = owned.view();
    assert_eq!((view.treatment(), view.error()), (update.treatment(), update.error()));
    assert_eq!(view.to_attributes(), update.to_attributes());
    assert!(view.findings().eq(update.findings()));
    assert!(view.reachable().with_path_ids().eq(update.reachable().with_path_ids()));
    assert!(view.unreachable().with_path_ids().eq(update.unreachable().with_path_ids()));
}

/// The treatment is the strongest of the findings, which have offsets in the message, in order.
fn judge_findings(update: &Update<'_>, message: &[u8]) {
    let mut strongest = Treatment::None;
    let mut first = None;
    let mut before = 0;
    for finding in update.findings() {
        judge_error(finding.error, message);
        assert!(
            finding.treatment != Treatment::None && finding.treatment < Treatment::SessionReset
        );
        assert!(finding.error.offset() >= before, "findings are out of order");
        before = finding.error.offset();
        if finding.treatment > strongest {
            strongest = finding.treatment;
            first = Some(finding.error);
        }
    }

    assert_eq!(update.treatment(), strongest);
    assert_eq!(update.error(), first);

    let discarded =
        update.findings().filter(|finding| finding.treatment == Treatment::AttributeDiscard);
    assert!(update.discarded().count() <= discarded.count());
    if let Some(offending) = update.offending() {
        let at = first.expect("an error").offset();
        assert_eq!(&message[at..at + offending.len()], offending);
    }

    let disabled = strongest == Treatment::AfiSafiDisable;
    assert_eq!(update.disabled_family().is_some(), disabled);
}

/// Prefixes have no host bits, are not more than their octets, and follow the treatment.
fn judge_prefixes(update: &Update<'_>, length: usize) {
    let cx = update.context();
    let v4 = AfiSafi::IPV4_UNICAST;
    let mut routes = Vec::new();
    for (id, prefix) in update.withdrawn().with_path_ids().chain(update.nlri().with_path_ids()) {
        routes.push((v4, id, IpNet::V4(prefix)));
    }
    if let Some(reach) = update.mp_reach() {
        let nlri = reach.nlri().with_path_ids();
        routes.extend(nlri.map(|(id, prefix)| (reach.family(), id, prefix)));
    }
    if let Some(unreach) = update.mp_unreach() {
        let nlri = unreach.nlri().with_path_ids();
        routes.extend(nlri.map(|(id, prefix)| (unreach.family(), id, prefix)));
    }

    assert!(routes.len() <= length, "more prefixes than octets");
    for (family, path_id, prefix) in routes {
        assert_eq!(prefix, prefix.trunc(), "a prefix with host bits");
        assert_eq!(path_id.is_some(), cx.has_add_path(family));
    }

    for prefix in update.unreachable().chain(update.reachable()) {
        let family = bgp_core::rib::family_of(&prefix);
        assert!(cx.has_family(family), "{prefix} of a family that was not negotiated");
    }

    if update.treatment() == Treatment::TreatAsWithdraw {
        assert_eq!(update.reachable().next(), None, "a withdrawn route is reachable");
    }
    if update.end_of_rib().is_some() {
        assert_eq!((update.reachable().next(), update.unreachable().next()), (None, None));
    }
}

/// Values that can be read in two ways are the same in both.
fn judge_views(update: &Update<'_>) {
    let length = update.attribute_octets().len();
    let read: usize = update.attributes().map(|attribute| attribute.value.len() + 3).sum();
    assert!(read <= length, "attributes exceed their field");

    for path in [update.as_path(), update.as4_path()].into_iter().flatten() {
        let owned = path.to_owned();
        assert_eq!(path.hop_count(), owned.hop_count());
        assert_eq!((path.first_as(), path.origin_as()), (owned.first_as(), owned.origin_as()));
        assert_eq!(path.to_string(), owned.to_string());
        assert!(path.asns().all(|asn| owned.contains(asn) && path.contains(asn)));

        let (counted, mut walked) = (path.asns().count(), 0);
        for segment in path.segments() {
            let (by_step, mut asns) = (segment.asns.len(), segment.asns);
            assert_eq!(by_step, std::iter::from_fn(|| asns.next()).count());
            walked += by_step;
        }
        assert_eq!(counted, walked);
    }

    assert_eq!(update.communities().len() * 4, update.communities().as_octets().len());
    assert_eq!(update.large_communities().len() * 12, update.large_communities().as_octets().len());
    let standard = update.communities().map(|community| community.to_string());
    let large = update.large_communities().map(|community| community.to_string());
    let extended = update.extended_communities().map(|community| community.to_string());
    let ipv6 = update.ipv6_extended_communities().map(|community| community.to_string());
    for text in standard.chain(large).chain(extended).chain(ipv6) {
        judge_text(&text);
    }

    // These must not panic.
    let _ = (update.aigp(), update.unknown().count(), update.mp_reach().map(|r| r.next_hop()));
}

/// The owned attributes are the same as those of the view.
fn judge_attributes(update: &Update<'_>) {
    let owned = update.to_attributes();
    assert_eq!(owned.origin, update.origin().unwrap_or_default());
    assert_eq!(owned.as_path, update.merged_as_path());
    assert_eq!(owned.aggregator, update.merged_aggregator());
    assert_eq!((owned.med, owned.local_pref), (update.med(), update.local_pref()));
    assert_eq!(owned.atomic_aggregate, update.atomic_aggregate());
    assert!(owned.communities.iter().copied().eq(update.communities()));
    assert!(owned.extended_communities.iter().copied().eq(update.extended_communities()));

    // Repeated large communities count once (RFC 8092, section 3).
    let mut large = Vec::new();
    for community in update.large_communities() {
        if !large.contains(&community) {
            large.push(community);
        }
    }
    assert_eq!(owned.large_communities, large);

    assert!(owned.cluster_list.iter().copied().eq(update.cluster_list()));
    assert_eq!(owned.originator_id, update.originator_id());
    assert_eq!(owned.only_to_customer, update.only_to_customer());
    assert!(owned.unknown.is_sorted_by_key(|attribute| attribute.code));
    if update.context().is_four_octet_as() {
        let sent = update.as_path().map(|path| path.to_owned()).unwrap_or_default();
        assert_eq!(owned.as_path, sent, "a path with four-octet AS numbers was merged");
    }

    for family in FAMILIES {
        let mut of_family = update.to_attributes_for(family);
        of_family.next_hop = owned.next_hop;
        assert_eq!(of_family, owned, "only the next hop depends on the family");
    }
}
