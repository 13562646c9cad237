//! Statistics Reports of peers.

use bgp_core::bmp::{PerPeerHeader, StatisticType, StatisticsReport, Tlvs};
use bytes::BytesMut;

use crate::PeerStatus;

/// Appends the report of a peer with a session.
pub(super) fn of_peer(status: &PeerStatus, header: &PerPeerHeader, out: &mut BytesMut) {
    let mut statistics = BytesMut::new();
    // Counters of four octets start over after the last number (RFC 7854 section 4.8).
    for (kind, count) in [
        (StatisticType::REJECTED_PREFIXES, status.stats.prefixes_rejected),
        (StatisticType::TREATED_AS_WITHDRAWN_UPDATES, status.stats.treated_as_withdrawn),
    ] {
        let [.., a, b, c, d] = count.to_be_bytes();
        kind.encode_counter(u32::from_be_bytes([a, b, c, d]), &mut statistics);
    }

    for (kind, routes) in [
        (StatisticType::ADJ_RIB_IN_ROUTES, status.prefixes_held),
        (
            StatisticType::ADJ_RIB_OUT_POST_POLICY_ROUTES,
            status.routes.saturating_sub(status.unsendable),
        ),
    ] {
        kind.encode_gauge(routes as u64, &mut statistics);
    }

    let statistics = Tlvs::read(&statistics).unwrap_or(Tlvs::none());
    StatisticsReport { peer: *header, statistics }.encode(out);
}
