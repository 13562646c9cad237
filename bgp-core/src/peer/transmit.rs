//! Octets out: one message at a time, when the socket has room.

use std::time::Instant;

use bytes::BytesMut;
use tracing::debug;

use crate::AfiSafi;
use crate::Direction;
use crate::fsm::{Control, StateKind, after};
use crate::peer::Peer;
use crate::rib::{Export, Pending};
use crate::wire::{
    MessageType, PathAttributes, RouteRefresh, RouteRefreshSubtype, UpdateWriter, WireContext,
    encode_end_of_rib, encode_keepalive,
};

impl Peer {
    /// Appends the next message for this connection to `out`, the most urgent first: NOTIFICATION, OPEN,
    /// KEEPALIVE, withdrawals, announcements, End-of-RIB. Answers whether there was one.
    ///
    /// Call it while the socket takes octets, and no longer: what is composed can no longer be taken back.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        direction: Direction,
        out: &mut BytesMut,
    ) -> bool {
        let before = out.len();
        let composed = self.compose(now, direction, out);
        self.stats.octets_out += out.len().saturating_sub(before) as u64;
        composed
    }

    fn compose(&mut self, now: Instant, direction: Direction, out: &mut BytesMut) -> bool {
        let Some(connection) = self.connection_mut(direction) else { return false };
        if let Some(control) = connection.fsm.poll_control() {
            encode_control(&control, out);
            self.stats.sent.count_control(&control);
            return true;
        }
        match connection.fsm.state() {
            StateKind::Established => self.poll_update(now, direction, out),
            // An accepted connection that is over, and has said so.
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
                    let Some(endpoints) = connection.endpoints else { return false };
                    let export = Export::new(negotiated, endpoints.local.ip());
                    let exported = export
                        .next_hops(self.config.next_hops)
                        .draining(self.draining)
                        .apply(attributes, family);
                    let sent = match exported {
                        Ok(exported) => self.send_reach(family, &exported, cx, out),
                        Err(why) => {
                            debug!(%why, "route not sent");
                            0
                        }
                    };
                    if sent == 0 {
                        let skipped = self.adj_rib_out.skip_reach(family);
                        self.stats.prefixes_unsendable += skipped as u64;
                        continue;
                    }
                    self.start_advertisement_interval(now);
                }
            }
            self.stats.sent.count(MessageType::Update);
            return true;
        }
    }

    fn send_unreach(&mut self, family: AfiSafi, cx: WireContext, out: &mut BytesMut) {
        let mut writer = UpdateWriter::unreach(out, family, cx);
        let taken = self
            .adj_rib_out
            .take_unreach(family, |prefix, path_id| writer.push_with_path_id(prefix, path_id));
        writer.finish();
        self.stats.prefixes_withdrawn_out += taken as u64;
    }

    /// Composes one UPDATE and returns how many prefixes it carries; with none, nothing was appended.
    fn send_reach(
        &mut self,
        family: AfiSafi,
        exported: &PathAttributes,
        cx: WireContext,
        out: &mut BytesMut,
    ) -> usize {
        let Some(next_hop) = exported.next_hop else { return 0 };
        self.block.encode(exported, cx);
        let before = out.len();
        let mut writer = UpdateWriter::reach(out, family, &next_hop, &self.block, cx);
        let taken = self
            .adj_rib_out
            .take_reach(family, |prefix, path_id| writer.push_with_path_id(prefix, path_id));
        writer.finish();
        if taken == 0 {
            // Attributes so large that no prefix fits beside them.
            out.truncate(before);
        }
        self.stats.prefixes_announced_out += taken as u64;
        taken
    }

    /// Everything of this round has been announced: the next one waits for the
    /// MinRouteAdvertisementIntervalTimer.
    fn start_advertisement_interval(&mut self, now: Instant) {
        let interval = self.config.min_route_advertisement_interval;
        if !interval.is_zero() && !self.adj_rib_out.has_reach() {
            self.next_advertisement = Some(after(now, interval));
        }
    }
}

fn encode_control(control: &Control, out: &mut BytesMut) {
    match control {
        Control::Notification(notification) => notification.encode(out),
        Control::Open(open) => open.encode(out),
        Control::Keepalive => encode_keepalive(out),
    }
}
