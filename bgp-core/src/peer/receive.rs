//! Received octets: turns messages into events, and UPDATEs into changes of the Adj-RIB-In.
//!
//! The changes of many UPDATEs are gathered and made together, since a sender's order is not that of our tables. A message about
//! all routes so far, such as an End-of-RIB, waits until the changes before it are made.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes};
use tracing::debug;

use crate::fsm::Event;
use crate::peer::connection::Connection;
use crate::peer::validation::LastPassed;
use crate::peer::{Import, Output, Peer};
use crate::rib::{ImportRules, Nlri, Rejected, family_of};
use crate::wire::{
    DecodeError, Frame, Message, MessageType, PathAttributes, Treatment, Update, WireContext,
};
use crate::{AfiSafi, Direction};

impl Peer {
    /// Handles every complete message in [`Peer::read_buffer`], after the driver has appended octets to it.
    pub fn received(&mut self, now: Instant, direction: Direction) {
        self.received_some(now, direction, usize::MAX);
    }

    /// Does the same as [`Peer::received`], but takes no further message after this number of octets. Returns true if
    /// complete messages are left: a driver with many peers calls it again after the other peers, and the timers of this
    /// one, have had their turn. Do not read more octets before that.
    pub fn received_some(&mut self, now: Instant, direction: Direction, most: usize) -> bool {
        let mut left = most;
        loop {
            left = left.saturating_sub(self.gather(now, direction, left));
            if !self.has_gathered() {
                return self.has_unread(direction);
            }
            self.apply_gathered(usize::MAX);
        }
    }

    /// Does the same as [`Peer::received_some`], but does not change the Adj-RIB-In yet: the changes are gathered for
    /// [`Peer::apply_gathered`], which makes many of them in less time. It takes no further message if that has to be called
    /// first, see [`Peer::can_gather`].
    ///
    /// The policy has judged changes that are gathered, and statistics count them, but neither the Adj-RIB-In nor a report has
    /// them yet.
    pub fn gather_some(&mut self, now: Instant, direction: Direction, most: usize) -> bool {
        self.gather(now, direction, most);
        self.has_unread(direction)
    }

    /// Makes gathered changes, at most this number of them, in the order of prefixes.
    pub fn apply_gathered(&mut self, most: usize) {
        if self.has_gathered() {
            let routes = self.adj_rib_in.apply_gathered(most);
            self.report_received(routes);
        }
    }

    /// Returns true if changes are gathered and not made yet.
    #[must_use]
    pub fn has_gathered(&self) -> bool {
        !self.adj_rib_in.gathered().is_empty()
    }

    /// Returns false if the gathered changes have to be made before more can be gathered: they are many, or the next message is
    /// about all routes before it, or some are made already.
    #[must_use]
    pub fn can_gather(&self) -> bool {
        let gathered = self.adj_rib_in.gathered();
        gathered.takes_more()
            && gathered.len() < MOST_GATHERED
            && gathered.octets() < MOST_GATHERED_OCTETS
    }

    /// Takes messages until they have this number of octets, or until the gathered changes have to be made. Returns the number
    /// of octets.
    fn gather(&mut self, now: Instant, direction: Direction, most: usize) -> usize {
        let Some(connection) = self.connection_mut(direction) else { return 0 };
        // The buffer is taken out because a message borrows it while the peer changes.
        let mut buffer = std::mem::take(&mut connection.buffer);

        let mut taken = 0_usize;
        while taken < most && self.can_gather() {
            let Some(length) = self.take_message(now, direction, &buffer) else { break };
            taken = taken.saturating_add(length);
            buffer.advance(length);
            self.settle(now);
        }
        self.settle(now);

        let connection = self.connection_mut(direction);
        if let Some(connection) = connection.filter(|it| it.endpoints.is_some()) {
            connection.buffer = buffer;
        }
        self.adj_rib_in.note_gathered_octets(taken);
        self.resume_waiting(now);
        taken
    }

    /// Starts or stops reporting each received message as [`Output::MessageReceived`]. By default none is. A report is a copy of
    /// the message. A driver that also wants the messages that are sent finds them behind what its buffer had before
    /// [`Peer::poll_transmit`].
    pub fn report_messages(&mut self, report: bool) {
        self.reports_messages = report;
    }

    /// Returns true if a complete message, or a malformed header, is in the buffer.
    fn has_unread(&self, direction: Direction) -> bool {
        let Some(connection) = self.readable(direction) else { return false };
        let cx = self.wire_context(connection);
        !matches!(Frame::split(&connection.buffer, cx.limit()), Ok(None))
    }

    /// The connection, if its messages may be handled now.
    fn readable(&self, direction: Direction) -> Option<&Connection> {
        self.connection(direction).filter(|it| it.endpoints.is_some() && it.waiting.is_none())
    }

    /// The context for reading the messages of a connection.
    fn wire_context(&self, connection: &Connection) -> WireContext {
        match connection.fsm.negotiated() {
            Some(negotiated) => negotiated.wire_context(),
            None => WireContext::new(self.settings.fsm.peer_type()),
        }
    }

    /// Restarts an expired HoldTimer if a message waits: it shows that the peer is alive, however late we are.
    pub(super) fn hear_unread(&mut self, now: Instant) {
        for direction in [Direction::Outgoing, Direction::Incoming] {
            let unread = self.has_unread(direction);
            if let Some(connection) = self.connection_mut(direction).filter(|_| unread) {
                connection.fsm.heard(now);
            }
        }
    }

    /// Handles the first message in `octets` and returns its length. `None` if there is no complete message, if the connection
    /// has ended, or if the gathered changes have to be made first.
    fn take_message(&mut self, now: Instant, direction: Direction, octets: &[u8]) -> Option<usize> {
        let cx = self.wire_context(self.readable(direction)?);
        let frame = match Frame::split(octets, cx.limit()) {
            Ok(frame) => frame?,
            Err(error) => {
                if !self.must_apply_first() {
                    self.header_error(now, direction, error, octets);
                }
                return None;
            }
        };
        let decoded = Message::decode(frame, cx);
        let only_changes_routes = match &decoded {
            Ok(Message::Keepalive) => true,
            Ok(Message::Update(update)) => update.end_of_rib().is_none(),
            _ => false,
        };
        if !only_changes_routes && self.must_apply_first() {
            return None;
        }

        let length = frame.as_bytes().len();
        self.stats.received.count(frame.kind());
        self.stats.octets_in += length as u64;
        if self.reports_messages {
            let octets = Bytes::copy_from_slice(frame.as_bytes());
            self.outputs.push_back(Output::MessageReceived(direction, octets));
        }
        if frame.kind() == MessageType::Open {
            self.keep_received_octets(direction, frame.as_bytes());
        }
        match decoded {
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

    /// Ends the gathering of changes before a message that is about all routes so far. Returns false if there are none.
    fn must_apply_first(&mut self) -> bool {
        self.adj_rib_in.end_gathering();
        self.has_gathered()
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
            Message::Open(open) => {
                self.keep_received_open(now, direction, &open);
                self.handle_open(now, direction, open);
            }
            Message::Keepalive => self.handle(now, direction, Event::KeepAliveMsg),
            Message::Notification(notification) => {
                self.keep_received_notification(now, &notification);
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
                if self.established() == Some(direction) {
                    self.refresh_received(now, refresh);
                }
            }
        }
    }

    fn import(&mut self, now: Instant, direction: Direction, update: &Update<'_>) {
        if update.treatment() == Treatment::TreatAsWithdraw {
            self.stats.treated_as_withdrawn += 1;
        }

        match self.settings.import {
            Import::Drop => {
                self.stats.prefixes_withdrawn_in += update.unreachable().fold(0, |n, _| n + 1);
                self.stats.prefixes_announced_in += update.reachable().fold(0, |n, _| n + 1);
            }
            Import::Keep => {
                self.keep(update);
                self.enforce_limits(now, direction);
            }
        }

        // An End-of-RIB of a family that was not negotiated means nothing.
        let Some(family) = update.end_of_rib() else { return };
        if self.negotiated().is_some_and(|negotiated| negotiated.has_family(family)) {
            self.end_of_rib_received(family);
        }
    }

    /// Gathers the changes of an UPDATE. Routes that are treated as withdrawn are already among the unreachable prefixes.
    fn keep(&mut self, update: &Update<'_>) {
        for (path_id, prefix) in update.unreachable().with_path_ids() {
            let nlri = Nlri { prefix, path_id: path_id.unwrap_or_default() };
            self.stats.prefixes_withdrawn_in += 1;
            self.adj_rib_in.gather_withdrawn(nlri);
        }

        let policy = self.settings.policies.import.clone();
        let vrps = self.vrps().clone();
        let context = self.import_context(&vrps);
        let keeps_unfiltered = self.keeps_unfiltered();
        let mut last = LastPassed::default();
        // The attributes of the last family: the NLRI field and an MP_REACH_NLRI have next hops of their own.
        let mut known: Option<(AfiSafi, Usable)> = None;
        for (path_id, prefix) in update.reachable().with_path_ids() {
            let nlri = Nlri { prefix, path_id: path_id.unwrap_or_default() };
            self.stats.prefixes_announced_in += 1;

            let family = family_of(&prefix);
            known.take_if(|(known, _)| *known != family);
            let (_, usable) =
                known.get_or_insert_with(|| (family, self.usable_attributes(update, family)));
            let usable = usable.as_ref().map_err(|reason| *reason);
            let passed = match (usable, &policy) {
                (Ok(usable), Some(policy)) => {
                    let passed = last.apply(policy, prefix, usable, &context);
                    passed.map(|it| self.adj_rib_in.interner.share_changed(it, usable))
                }
                (Ok(usable), None) => Some(Arc::clone(usable)),
                (Err(_), _) => None,
            };

            if keeps_unfiltered {
                self.adj_rib_in.keep_unfiltered(nlri, usable.ok());
            }
            if passed.is_none() {
                self.stats.prefixes_rejected += 1;
                let has_next_hop =
                    matches!(usable, Err(Some(Rejected::OwnNextHop | Rejected::MartianNextHop)));
                self.stats.next_hops_rejected += u64::from(has_next_hop);
            }
            self.adj_rib_in.gather(nlri, passed);
        }
    }

    /// The attributes with which a message's routes of a family are used, or the reason why they must not be used. There is none
    /// without a session. A set of attributes that the peer has sent before is not read again.
    fn usable_attributes(&mut self, update: &Update<'_>, family: AfiSafi) -> Usable {
        // Which next hop counts depends on more than the attributes if there are two; see `Update::to_attributes_for`.
        if update.mp_reach().is_some() {
            return self.read_attributes(update, family);
        }

        let octets = update.attribute_octets();
        if let Some(last) = self.adj_rib_in.interner.get_last_read(family, octets) {
            return Ok(Arc::clone(last));
        }
        let attributes = self.read_attributes(update, family)?;
        self.adj_rib_in.interner.set_last_read(family, octets, &attributes);
        Ok(attributes)
    }

    /// Does the same for attributes that are not those of the message before.
    fn read_attributes(&mut self, update: &Update<'_>, family: AfiSafi) -> Usable {
        let mut hasher = DefaultHasher::new();
        update.hash_attributes(family, &mut hasher);
        let hash = hasher.finish();
        let known =
            self.adj_rib_in.interner.get_read(hash, |known| update.has_attributes(family, known));
        if let Some(known) = known {
            return Ok(known);
        }

        let mut attributes = update.to_attributes_for(family);
        let negotiated = self.negotiated().ok_or(None)?;
        let local = self.endpoints().ok_or(None)?.local.ip();
        let import = ImportRules::new(negotiated, local)
            .next_hops(self.settings.next_hops)
            .allow_martian_next_hops(self.settings.allow_martian_next_hops)
            .allow_any_first_as(self.settings.allow_any_first_as)
            .allow_as_sets(self.settings.allow_as_sets);
        if let Err(reason) = import.apply(&mut attributes) {
            debug!(%reason, %family, "routes not used");
            return Err(Some(reason));
        }

        let attributes = Arc::new(attributes);
        if update.has_attributes(family, &attributes) {
            self.adj_rib_in.interner.insert_read(hash, &attributes);
            return Ok(attributes);
        }
        // The rules have changed the attributes: only attributes that they change in the same way are equal to these.
        Ok(self.adj_rib_in.interner.share(attributes))
    }
}

/// The attributes of routes that are used, or the reason why they are not.
type Usable = Result<Arc<PathAttributes>, Option<Rejected>>;

/// The number of changes from which they are made before more are gathered. They share much of the work then.
const MOST_GATHERED: usize = 32 * 1_024;

/// The octets of messages from which that is so too: each change keeps attributes that may belong to no route any more.
const MOST_GATHERED_OCTETS: usize = 4 * 1_024 * 1_024;
