//! The Loc-RIB, as a station gets it: as a peer of a type of its own (RFC 9069).

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use bgp_core::{
    Afi, AfiSafi, IpNet,
    bmp::{InformationType, PeerUp, PerPeerHeader, StatisticType, StatisticsReport, Tlvs},
    rib::{Destination, Nlri},
    wire::{Capability, ExtendedNextHop, Open, PathAttributes},
};
use bytes::BytesMut;
use tokio::{io::AsyncWrite, sync::watch};

use crate::LocRibSnapshot;

use super::{
    StationContext,
    outlet::{Ended, Outlet},
    routes::{Batch, FAMILIES, RibView},
};

/// The Loc-RIB that a station knows.
pub(super) struct LocRibView {
    header: PerPeerHeader,
    view: RibView,
    version: watch::Receiver<u64>,
    shown: LocRibSnapshot,
    batch: Batch,
}

/// The name of the default table (RFC 9069 section 5.3).
const TABLE_NAME: &str = "global";

impl LocRibView {
    pub(super) fn new(context: &StationContext) -> Self {
        let header = PerPeerHeader::loc_rib(context.asn, context.identifier, Duration::ZERO);
        Self {
            header,
            view: RibView::loc_rib(header, context.identifier.0.into()),
            version: context.table.version(),
            shown: LocRibSnapshot::default(),
            batch: Batch::default(),
        }
    }

    /// Waits until the table may have changed.
    pub(super) async fn changed(&mut self) {
        if self.version.changed().await.is_err() {
            // The speaker ends, and the stream with it.
            std::future::pending::<()>().await;
        }
    }

    /// Sends a Peer Up, all routes, and an End-of-RIB for each family.
    pub(super) async fn begin<W: AsyncWrite + Unpin>(
        &mut self,
        context: &StationContext,
        outlet: &mut Outlet<'_, W>,
    ) -> Result<(), Ended> {
        let (mut name, mut open) = (BytesMut::new(), BytesMut::new());
        InformationType::VRF_TABLE_NAME.encode(TABLE_NAME, &mut name);
        // There is no session: both OPENs say what the routes of the table are like.
        let mut capabilities = FAMILIES.map(Capability::Multiprotocol).to_vec();
        // Routes to IPv4 prefixes may have a next hop of IPv6 (RFC 8950).
        capabilities.push(Capability::ExtendedNextHop(vec![ExtendedNextHop {
            family: AfiSafi::IPV4_UNICAST,
            next_hop: Afi::IPV6,
        }]));
        capabilities.push(Capability::FourOctetAs(context.asn));
        capabilities.push(Capability::ExtendedMessage);
        Open::new(context.asn, 0, context.identifier, capabilities).encode(&mut open);
        PeerUp {
            peer: self.header.at(crate::clock::unix_time()),
            local_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            local_port: 0,
            remote_port: 0,
            sent_open: &open,
            received_open: &open,
            information: Tlvs::read(&name).unwrap_or(Tlvs::none()),
        }
        .encode(&mut outlet.out);

        // The times of the routes are unknown.
        self.show(context, Duration::ZERO, outlet).await?;
        FAMILIES.iter().for_each(|family| self.view.end_of_rib(*family, &mut outlet.out));
        outlet.flush().await
    }

    /// Sends the changes of the best routes, which happened at this time.
    pub(super) async fn show<W: AsyncWrite + Unpin>(
        &mut self,
        context: &StationContext,
        at: Duration,
        outlet: &mut Outlet<'_, W>,
    ) -> Result<(), Ended> {
        // Marked first, so that a change after the snapshot counts as another.
        self.version.mark_unchanged();
        let (new, view) = (context.table.snapshot(), self.view.at(at));

        for (prefix, best) in best_changes(&new, &self.shown) {
            view.push(Nlri::from(prefix), best, &mut self.batch, &mut outlet.out);
            if outlet.is_full() {
                outlet.flush().await?;
            }
        }
        view.finish(&mut self.batch, &mut outlet.out);
        self.shown = new;
        Ok(())
    }

    /// Appends a Statistics Report.
    pub(super) fn report_statistics(&self, at: Duration, out: &mut BytesMut) {
        let mut statistics = BytesMut::new();
        StatisticType::LOC_RIB_ROUTES.encode_gauge(self.shown.len() as u64, &mut statistics);
        let statistics = Tlvs::read(&statistics).unwrap_or(Tlvs::none());
        StatisticsReport { peer: self.header.at(at), statistics }.encode(out);
    }
}

/// The prefixes whose best route has changed, with its attributes; without any if there is none.
fn best_changes<'a>(
    new: &'a LocRibSnapshot,
    old: &'a LocRibSnapshot,
) -> impl Iterator<Item = (IpNet, Option<&'a Arc<PathAttributes>>)> + Send {
    new.rib.differences(&old.rib).filter_map(|(prefix, old, new)| {
        let [before, after] =
            [old, new].map(|it| it.and_then(Destination::best).map(|best| &best.attributes));
        (before != after).then_some((prefix, after))
    })
}
