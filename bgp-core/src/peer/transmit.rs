//! Sent octets: encodes one message at a time, when the socket has room.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use crate::AfiSafi;
use crate::Direction;
use crate::fsm::{Control, Negotiated, StateKind, after};
use crate::peer::{Endpoints, Peer};
use crate::rib::{ExportRules, Pending, Unsendable};
use crate::wire::{
    AttributeBlock, MessageType, NextHop, PathAttributes, RouteRefresh, RouteRefreshSubtype,
    UpdateWriter, WireContext, encode_end_of_rib, encode_keepalive,
};

impl Peer {
    /// Appends the next message for this connection to `out`, the most urgent first: NOTIFICATION, OPEN, KEEPALIVE,
    /// withdrawals, announcements, End-of-RIB. Returns false if there is none.
    ///
    /// Call it only while the socket accepts octets, because an encoded message cannot be taken back.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        direction: Direction,
        out: &mut BytesMut,
    ) -> bool {
        self.set_time(now);
        let before = out.len();
        let composed = self.compose(now, direction, out);
        self.stats.octets_out += out.len().saturating_sub(before) as u64;
        composed
    }

    fn compose(&mut self, now: Instant, direction: Direction, out: &mut BytesMut) -> bool {
        let Some(connection) = self.connection_mut(direction) else { return false };
        if let Some(control) = connection.fsm.poll_control() {
            let start = out.len();
            encode_control(&control, out);
            if matches!(control, Control::Open(_)) {
                self.keep_sent_octets(direction, out.get(start..).unwrap_or_default());
            }
            self.stats.sent.count_control(&control);
            self.keep_sent(now, direction, &control);
            return true;
        }

        match connection.fsm.state() {
            StateKind::Established => self.poll_update(now, direction, out),
            // An accepted connection that has ended, and whose last message is sent.
            StateKind::Idle if direction == Direction::Incoming => {
                self.incoming = None;
                false
            }
            _ => false,
        }
    }

    fn poll_update(&mut self, now: Instant, direction: Direction, out: &mut BytesMut) -> bool {
        if let Some(family) = self.refresh_due.pop_first() {
            RouteRefresh::request(family).encode(out);
            self.stats.sent.count(MessageType::RouteRefresh);
            return true;
        }

        loop {
            let hold_reach = self.next_advertisement.is_some_and(|at| at > now);
            let Some(pending) = self.adj_rib_out.pending(hold_reach) else { return false };
            let Some(connection) = self.connection(direction) else { return false };
            let Some(negotiated) = connection.fsm.negotiated() else { return false };
            let cx = negotiated.send_context();

            match pending {
                Pending::Unreach(family) => self.send_unreach(family, cx, out),
                Pending::EndOfRib(family) => {
                    encode_end_of_rib(out, family);
                    self.adj_rib_out.marker_sent(&pending);
                }
                Pending::BeginningOfRefresh(family) | Pending::EndOfRefresh(family) => {
                    let begins = pending == Pending::BeginningOfRefresh(family);
                    let subtype =
                        if begins { RouteRefreshSubtype::BEGIN } else { RouteRefreshSubtype::END };
                    RouteRefresh { family, subtype }.encode(out);
                    self.adj_rib_out.marker_sent(&pending);
                    self.stats.sent.count(MessageType::RouteRefresh);
                    return true;
                }
                Pending::Reach(family, ref attributes) => {
                    // The reason if the group is encoded and no prefix fits beside it.
                    let mut unsendable = Unsendable::TooLong { limit: cx.limit().octets() };
                    if !self.encoded.is(family, attributes) {
                        let Some(endpoints) = connection.endpoints else { return false };
                        let export = self.export_rules(negotiated, endpoints);
                        match export.apply(attributes, family) {
                            Ok(exported) => self.encoded.encode(family, attributes, &exported, cx),
                            Err(why) => {
                                self.encoded.forget();
                                unsendable = why;
                            }
                        }
                    }

                    if self.send_reach(family, cx, out) == 0 {
                        let skipped = self.adj_rib_out.skip_reach(family, unsendable);
                        self.record_skipped(skipped, unsendable);
                        continue;
                    }
                    self.start_advertisement_interval(now);
                }
            }

            self.stats.sent.count(MessageType::Update);
            return true;
        }
    }

    /// The rules that the session applies to each route.
    pub(super) fn export_rules<'a>(
        &'a self,
        negotiated: &'a Negotiated,
        endpoints: Endpoints,
    ) -> ExportRules<'a> {
        let rules = ExportRules::new(negotiated, endpoints.local.ip())
            .next_hops(self.settings.next_hops)
            .draining(self.draining);
        match &self.relayed {
            Some(relayed) => relayed.export_rules(rules).remote_address(endpoints.remote.ip()),
            None => rules,
        }
    }

    fn send_unreach(&mut self, family: AfiSafi, cx: WireContext, out: &mut BytesMut) {
        let mut writer = UpdateWriter::unreach(out, family, cx);
        let mut room = writer.room(self.adj_rib_out.unreach_len(family));
        let taken = self.adj_rib_out.take_unreach(family, |prefix, id| room.push(prefix, id));

        let written = room.written();
        writer.wrote(written);
        writer.finish();
        self.stats.prefixes_withdrawn_out += taken as u64;
    }

    /// Composes one UPDATE of the encoded group, and returns the number of its prefixes. With none nothing is appended: either
    /// no group is encoded, or its attributes are so large that no prefix fits beside them.
    fn send_reach(&mut self, family: AfiSafi, cx: WireContext, out: &mut BytesMut) -> usize {
        let Some((block, next_hop)) = self.encoded.get() else { return 0 };
        let mut writer = UpdateWriter::reach(out, family, &next_hop, block, cx);
        let mut room = writer.room(self.adj_rib_out.reach_len(family));
        let taken = self.adj_rib_out.take_reach(family, |prefix, id| room.push(prefix, id));

        let written = room.written();
        writer.wrote(written);
        writer.finish();
        self.stats.prefixes_announced_out += taken as u64;
        taken
    }

    /// Starts the MinRouteAdvertisementIntervalTimer if this round of announcements is complete.
    fn start_advertisement_interval(&mut self, now: Instant) {
        let interval = self.settings.min_route_advertisement_interval;
        if !interval.is_zero() && !self.adj_rib_out.has_reach() {
            self.next_advertisement = Some(after(now, interval));
        }
    }
}

/// The encoded attributes of the group of routes that is being announced. A group may need many messages.
#[derive(Debug, Default)]
pub(super) struct EncodedGroup {
    block: AttributeBlock,
    /// The family of the group, its attributes before the export rules, and the next hop. They are valid as long as the session
    /// and the export rules stay the same.
    group: Option<(AfiSafi, Arc<PathAttributes>, NextHop)>,
}

impl EncodedGroup {
    /// Invalidates the encoded attributes, because the session or the export rules changed.
    pub(super) fn forget(&mut self) {
        self.group = None;
    }

    fn is(&self, family: AfiSafi, attributes: &Arc<PathAttributes>) -> bool {
        self.group
            .as_ref()
            .is_some_and(|(encoded, known, _)| *encoded == family && Arc::ptr_eq(known, attributes))
    }

    fn encode(
        &mut self,
        family: AfiSafi,
        attributes: &Arc<PathAttributes>,
        exported: &PathAttributes,
        cx: WireContext,
    ) {
        self.block.encode(exported, cx);
        self.group = exported.next_hop.map(|next_hop| (family, Arc::clone(attributes), next_hop));
    }

    fn get(&self) -> Option<(&AttributeBlock, NextHop)> {
        self.group.as_ref().map(|(.., next_hop)| (&self.block, *next_hop))
    }
}

fn encode_control(control: &Control, out: &mut BytesMut) {
    match control {
        Control::Notification(notification) => notification.encode(out),
        Control::Open(open) => open.encode(out),
        Control::Keepalive => encode_keepalive(out),
    }
}
