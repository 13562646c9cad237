//! Octets in: messages to events, UPDATEs to the Adj-RIB-In.

use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;
use tracing::debug;

use crate::fsm::{Event, Import, ReceivedPath};
use crate::peer::{Peer, ReceivedRoutes};
use crate::rib::{Nlri, family_of};
use crate::wire::{
    DecodeError, Frame, Message, MessageLimit, MessageType, PathAttributes, RouteRefreshSubtype,
    Treatment, Update, WireContext,
};
use crate::{AfiSafi, Direction, PeerType};

impl Peer {
    /// Octets were appended to [`Peer::read_buffer`]: takes every whole message from it.
    pub fn received(&mut self, now: Instant, direction: Direction) {
        let Some(connection) = self.connection_mut(direction) else { return };
        // Taken out, since a message borrows it while the peer changes.
        let mut buffer = std::mem::take(&mut connection.buffer);
        while let Some(length) = self.take_message(now, direction, &buffer) {
            buffer.advance(length);
            self.settle(now);
        }
        self.settle(now);
        let connection = self.connection_mut(direction);
        if let Some(connection) = connection.filter(|it| it.endpoints.is_some()) {
            connection.buffer = buffer;
        }
    }

    /// Handles the first message in `octets` and returns its length; `None` where there is none, or where the
    /// connection is over.
    fn take_message(&mut self, now: Instant, direction: Direction, octets: &[u8]) -> Option<usize> {
        let connection = self.connection(direction)?;
        connection.endpoints?;
        let cx = connection
            .fsm
            .negotiated()
            .map_or_else(|| WireContext::new(self.config.peer_type()), |n| n.wire_context());
        let frame = match Frame::split(octets, MessageLimit::Standard) {
            Ok(frame) => frame?,
            Err(error) => {
                self.header_error(now, direction, error, octets);
                return None;
            }
        };
        let length = frame.as_bytes().len();
        self.stats.received.count(frame.kind());
        self.stats.octets_in += length as u64;
        match Message::decode(frame, cx) {
            Ok(message) => self.handle_message(now, direction, message),
            Err(error) => {
                let notification = error.notification(frame.as_bytes());
                debug!(%error, %notification, "malformed message");
                let event = match frame.kind() {
                    MessageType::Open => Event::BgpOpenMsgErr(notification),
                    MessageType::Update => Event::UpdateMsgErr(notification),
                    _ => Event::BgpHeaderErr(notification),
                };
                self.handle(now, direction, event);
            }
        }
        Some(length)
    }

    fn header_error(
        &mut self,
        now: Instant,
        direction: Direction,
        error: DecodeError,
        octets: &[u8],
    ) {
        let notification = error.notification(octets);
        debug!(%error, %notification, "malformed message header");
        self.handle(now, direction, Event::BgpHeaderErr(notification));
    }

    fn handle_message(&mut self, now: Instant, direction: Direction, message: Message<'_>) {
        match message {
            Message::Open(open) => self.handle_open(now, direction, open),
            Message::Keepalive => self.handle(now, direction, Event::KeepAliveMsg),
            Message::Notification(notification) => {
                self.handle(now, direction, Event::NotifMsg(notification));
            }
            Message::Update(update) => {
                self.handle(now, direction, Event::UpdateMsg);
                if self.established() == Some(direction) {
                    self.import(now, direction, &update);
                }
            }
            Message::RouteRefresh(refresh) => {
                self.handle(now, direction, Event::UpdateMsg);
                // Any other subtype speaks of the peer's own routes, or is to be ignored (RFC 7313, section 5).
                let is_request = refresh.subtype == RouteRefreshSubtype::REQUEST;
                if is_request && self.established() == Some(direction) {
                    self.adj_rib_out.refresh(refresh.family, false);
                }
            }
        }
    }

    fn import(&mut self, now: Instant, direction: Direction, update: &Update<'_>) {
        if update.treatment() == Treatment::TreatAsWithdraw {
            self.stats.treated_as_withdrawn += 1;
        }
        match self.config.import {
            Import::Drop => {
                self.stats.prefixes_withdrawn_in += count(update.unreachable());
                self.stats.prefixes_announced_in += count(update.reachable());
            }
            Import::Keep => {
                let routes = self.keep(update);
                if !routes.announced.is_empty() || !routes.withdrawn.is_empty() {
                    self.outputs.push_back(super::Output::Received(routes));
                }
                self.enforce_limits(now, direction);
            }
        }
    }

    /// Applies an UPDATE to the Adj-RIB-In and returns what that changed. What is treated as a withdrawal is
    /// among the unreachable prefixes already.
    fn keep(&mut self, update: &Update<'_>) -> ReceivedRoutes {
        let mut routes = ReceivedRoutes::default();
        for (path_id, prefix) in update.unreachable().with_path_ids() {
            let nlri = Nlri { prefix, path_id: path_id.unwrap_or_default() };
            self.stats.prefixes_withdrawn_in += 1;
            if self.adj_rib_in.withdraw(&nlri) {
                routes.withdrawn.push(nlri);
            }
        }
        // The NLRI field and an MP_REACH_NLRI have next hops of their own.
        let mut known: Option<(AfiSafi, Arc<PathAttributes>, bool)> = None;
        for (path_id, prefix) in update.reachable().with_path_ids() {
            let nlri = Nlri { prefix, path_id: path_id.unwrap_or_default() };
            self.stats.prefixes_announced_in += 1;
            let family = family_of(&prefix);
            known.take_if(|(known, ..)| *known != family);
            let (_, attributes, usable) = known.get_or_insert_with(|| {
                let mut attributes = update.to_attributes_for(family);
                let usable = self.is_usable(&attributes);
                self.prepend_local_as(&mut attributes);
                (family, Arc::new(attributes), usable)
            });
            if *usable {
                if self.adj_rib_in.announce(nlri, attributes) {
                    routes.announced.push((nlri, Arc::clone(attributes)));
                }
            } else {
                self.stats.prefixes_rejected += 1;
                if self.adj_rib_in.withdraw(&nlri) {
                    routes.withdrawn.push(nlri);
                }
            }
        }
        routes
    }

    /// Has a path from the peer tell of our local AS, where we have one that is not to be left out.
    fn prepend_local_as(&self, attributes: &mut PathAttributes) {
        if let Some(negotiated) = self.negotiated() {
            let received = negotiated.local_as.map(|local_as| local_as.received);
            if received == Some(ReceivedPath::WithLocalAs) {
                attributes.as_path.prepend(negotiated.local_asn, 1);
            }
        }
    }

    /// Whether a route may be used (RFC 4271, sections 5.1.3, 6.3 and 9.1.2): the way to it does not lead
    /// through us, and the path of an external peer begins with that peer's AS.
    fn is_usable(&self, attributes: &PathAttributes) -> bool {
        let own_address = self.endpoints().map(|endpoints| endpoints.local.ip());
        let next_hop = attributes.next_hop.map(|next_hop| next_hop.address());
        let leads_back = next_hop.is_some() && next_hop == own_address;
        let Some(negotiated) = self.negotiated() else { return false };
        let path = &attributes.as_path;
        let first_as_fits = match negotiated.peer_type {
            PeerType::External => path.first_as() == Some(negotiated.remote_asn),
            PeerType::Internal => true,
        };
        let loops = path.contains(negotiated.local_asn)
            || negotiated.local_as.is_some_and(|local_as| path.contains(local_as.speaker_asn));
        first_as_fits && !leads_back && !loops
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |n, _| n + 1)
}
