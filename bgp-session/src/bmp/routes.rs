//! Routes as Route Monitoring messages: adjacent routes with the same attributes share an UPDATE.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bgp_core::{
    AfiSafi, PeerType,
    bmp::{PerPeerHeader, RouteMonitoring},
    fsm::Negotiated,
    rib::{Nlri, family_of},
    wire::{AttributeBlock, NextHop, PathAttributes, UpdateWriter, WireContext, encode_end_of_rib},
};
use bytes::BytesMut;
use ipnet::IpNet;

/// One RIB of a peer, or the Loc-RIB, as it is shown to a station.
#[derive(Clone, Debug)]
pub(super) struct RibView {
    /// The header of its messages. A time of zero says that the time of a change is unknown.
    header: PerPeerHeader,
    cx: WireContext,
    /// The next hop of routes that have none.
    next_hop: IpAddr,
}

/// Routes of one family that go into the next message.
#[derive(Debug, Default)]
pub(super) struct Batch {
    family: Option<AfiSafi>,
    /// The attributes of announced routes; `None` for withdrawn ones.
    attributes: Option<Arc<PathAttributes>>,
    routes: Vec<Nlri>,
    block: AttributeBlock,
}

/// The most routes in a batch: more than most messages hold.
const MOST_ROUTES: usize = 1_024;

impl RibView {
    /// A view of a session's routes. Their attributes are shown with all that matters inside an AS, such as LOCAL_PREF, and with
    /// four-octet AS numbers. Path identifiers are those of the session: the station knows both OPENs.
    pub(super) fn of_session(
        header: PerPeerHeader,
        negotiated: &Negotiated,
        session: WireContext,
        next_hop: IpAddr,
    ) -> Self {
        let mut cx = WireContext::new(PeerType::Internal)
            .four_octet_as(true)
            .extended_messages(negotiated.extensions.extended_messages);
        for family in FAMILIES {
            cx = cx.multiprotocol(family, true).add_path(family, session.has_add_path(family));
        }
        Self { header, cx, next_hop }
    }

    /// The view of the Loc-RIB, with one path to each prefix.
    pub(super) fn loc_rib(header: PerPeerHeader, next_hop: IpAddr) -> Self {
        let cx = WireContext::new(PeerType::Internal)
            .four_octet_as(true)
            .extended_messages(true)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true);
        Self { header, cx, next_hop }
    }

    /// The same view for changes at this time since 1970.
    pub(super) fn at(&self, time: Duration) -> Self {
        Self { header: self.header.at(time), ..self.clone() }
    }

    /// Returns true if several paths to this prefix are shown, each with its identifier (RFC 7911).
    pub(super) fn has_several_paths(&self, prefix: &IpNet) -> bool {
        self.cx.has_add_path(family_of(prefix))
    }

    /// Appends an End-of-RIB.
    pub(super) fn end_of_rib(&self, family: AfiSafi, out: &mut BytesMut) {
        RouteMonitoring::encode_with(&self.header, out, |out| encode_end_of_rib(out, family));
    }

    /// Adds a change to the batch. Appends the messages for the routes before it if they have other attributes.
    pub(super) fn push(
        &self,
        nlri: Nlri,
        new: Option<&Arc<PathAttributes>>,
        batch: &mut Batch,
        out: &mut BytesMut,
    ) {
        let family = family_of(&nlri.prefix);
        if !batch.takes(family, new) {
            self.finish(batch, out);
            batch.family = Some(family);
            batch.attributes = new.cloned();
        }
        batch.routes.push(nlri);
    }

    /// Appends the messages for the routes in the batch. Routes whose attributes fill a message are left out.
    pub(super) fn finish(&self, batch: &mut Batch, out: &mut BytesMut) {
        let Some(family) = batch.family.take() else { return };
        let attributes = batch.attributes.take();
        let next_hop = attributes.as_ref().map(|attributes| {
            batch.block.encode(attributes, self.cx);
            attributes.next_hop.unwrap_or_else(|| self.own_next_hop(family))
        });

        let (block, mut rest) = (&batch.block, batch.routes.as_slice());
        while !rest.is_empty() {
            let mut written = 0;
            RouteMonitoring::encode_with(&self.header, out, |out| {
                let mut update = match &next_hop {
                    Some(next_hop) => UpdateWriter::reach(out, family, next_hop, block, self.cx),
                    None => UpdateWriter::unreach(out, family, self.cx),
                };
                let fit =
                    rest.iter().take_while(|it| update.push_with_path_id(it.prefix, it.path_id));
                written = fit.count();
                update.finish();
            });

            if written == 0 {
                tracing::debug!(routes = rest.len(), "routes are too long for a station");
                break;
            }
            rest = rest.get(written..).unwrap_or_default();
        }
        batch.routes.clear();
    }

    fn own_next_hop(&self, family: AfiSafi) -> NextHop {
        match (self.next_hop, family) {
            (IpAddr::V4(address), AfiSafi::IPV6_UNICAST) => address.to_ipv6_mapped().into(),
            (IpAddr::V4(address), _) => NextHop::V4(address),
            (IpAddr::V6(address), _) => address.into(),
        }
    }
}

impl Batch {
    /// Returns true if a route can be added to those that are in the batch.
    fn takes(&self, family: AfiSafi, new: Option<&Arc<PathAttributes>>) -> bool {
        let same_attributes = match (&self.attributes, new) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            _ => false,
        };
        self.family == Some(family) && same_attributes && self.routes.len() < MOST_ROUTES
    }
}

/// The families whose routes are shown.
pub(super) const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
