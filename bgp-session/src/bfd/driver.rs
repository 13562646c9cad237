//! The task that drives all sessions of a speaker: octets in and out, and one alarm for the next deadline.
//!
//! It decides nothing about a session's state: that is [`Session`]'s. It tells sessions apart (RFC 5880 section
//! 6.3), and judges how far a packet has come (RFC 5881 section 5, RFC 5883 section 4).

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    num::NonZeroU32,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

use super::{
    Packet, Session, State,
    live::{Live, Ports},
    service::{Order, Shared},
};
use crate::{
    PeerId, clock,
    registry::Alive,
    socket::bfd::{Arrival, Receiver, Sender},
};

/// Runs until there is no session left.
pub(super) async fn run(shared: Arc<Shared>, alive: Alive) {
    let mut driver = Driver::default();
    loop {
        if !driver.take_orders(&shared) {
            break;
        }
        // Before any deadline is judged: what has come while this task was kept from running counts.
        driver.receive_all();
        driver.expire();
        if !driver.sessions.is_empty() {
            driver.wait(&shared).await;
        }
    }
    drop(alive);
}

#[derive(Default)]
struct Driver {
    sessions: BTreeMap<PeerId, Live>,
    /// Our names for the sessions.
    discriminators: BTreeMap<u32, PeerId>,
    receivers: BTreeMap<Place, Arc<Receiver>>,
    deadlines: BTreeSet<(Instant, PeerId)>,
    random: fastrand::Rng,
    /// Which orders have been taken.
    version: u64,
}

/// Where a receiver listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    local: SocketAddr,
    device: Option<String>,
}

impl Driver {
    /// Makes the sessions those that are wanted. False: none is left, and a later one needs a new driver.
    fn take_orders(&mut self, shared: &Shared) -> bool {
        let now = clock::now();
        let mut orders = shared.lock();
        if orders.by_peer.is_empty() && self.sessions.is_empty() {
            orders.running = false;
            return false;
        }
        if std::mem::replace(&mut self.version, orders.version) == orders.version {
            return true;
        }
        let gone: Vec<PeerId> = self
            .sessions
            .iter()
            .filter(|(peer, live)| live.leaving.is_none() && !orders.by_peer.contains_key(peer))
            .map(|(peer, _)| *peer)
            .collect();
        let wanted: Vec<Order> = orders.by_peer.values().cloned().collect();
        drop(orders);
        for peer in gone {
            self.leave(now, peer);
        }
        for order in wanted {
            self.take_order(now, order);
        }
        true
    }

    fn take_order(&mut self, now: Instant, order: Order) {
        let peer = order.endpoint.peer;
        match self.sessions.get_mut(&peer) {
            Some(live) if live.order.number == order.number => {
                if live.order.endpoint != order.endpoint {
                    live.ports = None;
                    live.retry = now;
                }
                if live.order.profile != order.profile {
                    live.session.set_profile(now, order.profile);
                }
                live.order = order;
            }
            _ => {
                self.forget(peer);
                let discriminator = self.new_discriminator(peer);
                let seed = self.random.u64(..);
                let session = Session::new(now, order.profile, discriminator, seed);
                self.sessions.insert(peer, Live::new(order, session, now));
            }
        }
        self.touch(now, peer);
    }

    /// The router is told for as long as it takes to hear it (RFC 5880 section 6.8.16), within reason.
    fn leave(&mut self, now: Instant, peer: PeerId) {
        if let Some(live) = self.sessions.get_mut(&peer) {
            let known = live.session.remote_discriminator() != 0 && live.ports.is_some();
            let farewell = live.session.remote_detection_time().min(LONGEST_FAREWELL);
            live.leaving = Some(now + if known { farewell } else { Duration::ZERO });
            live.session.disable(now);
            self.touch(now, peer);
        }
    }

    fn forget(&mut self, peer: PeerId) {
        if let Some(live) = self.sessions.remove(&peer) {
            self.discriminators.remove(&live.session.discriminator().get());
            if let Some(deadline) = live.deadline {
                self.deadlines.remove(&(deadline, peer));
            }
        }
        self.receivers.retain(|_, receiver| Arc::strong_count(receiver) > 1);
    }

    fn new_discriminator(&mut self, peer: PeerId) -> NonZeroU32 {
        loop {
            let number = self.random.u32(1..);
            if let (Some(discriminator), false) =
                (NonZeroU32::new(number), self.discriminators.contains_key(&number))
            {
                self.discriminators.insert(number, peer);
                return discriminator;
            }
        }
    }

    /// Takes what waits in the sockets, though no more at once than fits a socket's buffer.
    fn receive_all(&mut self) {
        let mut buffer = [0; LONGEST_DATAGRAM];
        let receivers: Vec<(Place, Arc<Receiver>)> =
            self.receivers.iter().map(|(place, it)| (place.clone(), Arc::clone(it))).collect();
        for (place, receiver) in receivers {
            let mut left = MOST_AT_ONCE;
            for receive in [Receiver::receive, Receiver::receive_unheard] {
                while left > 0 {
                    left -= 1;
                    match receive(&receiver, &mut buffer) {
                        Ok(arrival) => self.arrived(&place, arrival, &buffer),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => tracing::debug!(%error, "cannot receive"),
                    }
                }
            }
        }
    }

    fn arrived(&mut self, place: &Place, arrival: Arrival, buffer: &[u8]) {
        let now = clock::now();
        let source = PeerId::from(arrival.source);
        let packet = Packet::decode(buffer.get(..arrival.octets).unwrap_or_default());
        let discriminator = packet.map_or(0, |packet| packet.your_discriminator);
        let named = self.discriminators.get(&discriminator).copied();
        // One that names a session of somebody else's is believed no more than one that names none.
        let peer = if discriminator == 0 { source } else { named.unwrap_or(source) };
        let Some(live) = self.sessions.get_mut(&peer).filter(|_| peer == source) else {
            tracing::trace!(source = %arrival.source, "a packet for no session");
            return;
        };
        let right_place = live.ports.as_ref().is_some_and(|ports| ports.place == *place);
        let believed = right_place && (discriminator == 0 || named.is_some());
        match packet {
            Ok(_) if !live.order.endpoint.hops.admits(arrival.ttl) => {
                live.came_too_far(arrival.ttl);
                live.session.count_discarded();
            }
            Ok(packet) if believed => live.received(now, &packet),
            Ok(_) => {
                tracing::debug!(%peer, ttl = arrival.ttl, discriminator, "packet discarded");
                live.session.count_discarded();
            }
            Err(error) => {
                tracing::debug!(%peer, %error, "packet discarded");
                live.session.count_discarded();
            }
        }
        self.touch(now, peer);
    }

    /// Takes every deadline that has come.
    fn expire(&mut self) {
        let now = clock::now();
        while let Some((_, peer)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            if let Some(live) = self.sessions.get_mut(&peer) {
                if live.leaving.is_some_and(|end| end <= now) {
                    self.forget(peer);
                    continue;
                }
                live.session.handle_timeout(now);
            }
            self.touch(now, peer);
        }
    }

    /// After each mutation of a session: what it has to tell and to say, and when it wants to be asked again.
    fn touch(&mut self, now: Instant, peer: PeerId) {
        let Some(live) = self.sessions.get_mut(&peer) else { return };
        if live.ports.is_none() && live.retry <= now && live.leaving.is_none() {
            match open_ports(&mut self.receivers, live, &mut self.random) {
                Ok(ports) => live.opened(ports),
                Err(error) => live.failed_to_open(now + RETRY, &error),
            }
        }
        live.transmit(now, RETRY);
        live.report();
        let deadline = live.next_deadline(now);
        if live.deadline != deadline {
            if let Some(old) = std::mem::replace(&mut live.deadline, deadline) {
                self.deadlines.remove(&(old, peer));
            }
            self.deadlines.extend(deadline.map(|at| (at, peer)));
        }
    }

    /// Waits for a datagram, for other orders, or for the next deadline.
    async fn wait(&self, shared: &Shared) {
        let mut changed = pin!(shared.changed.notified());
        let next = self.deadlines.first().map(|(at, _)| *at);
        let mut alarm = pin!(async {
            match next {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|cx| {
            let ready = changed.as_mut().poll(cx).is_ready()
                | alarm.as_mut().poll(cx).is_ready()
                | self.receivers.values().any(|receiver| receiver.poll_ready(cx).is_ready());
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// The sockets of a session: one to send, and one to receive, which it shares with those at the same address.
fn open_ports(
    receivers: &mut BTreeMap<Place, Arc<Receiver>>,
    live: &Live,
    random: &mut fastrand::Rng,
) -> io::Result<Ports> {
    let endpoint = &live.order.endpoint;
    let device = endpoint.device.as_deref();
    let sender = Sender::connect(endpoint.remote(), endpoint.local, device, random.u16(..))?;
    let mut local = sender.local();
    local.set_port(endpoint.hops.port());
    let place = Place { local, device: endpoint.device.clone() };
    let receiver = match receivers.get(&place) {
        Some(receiver) => Arc::clone(receiver),
        None => {
            // The address may have changed, and nobody hears the old one any more.
            receivers.retain(|_, receiver| Arc::strong_count(receiver) > 1);
            let receiver = Arc::new(Receiver::bind(local, device)?);
            receivers.insert(place.clone(), Arc::clone(&receiver));
            receiver
        }
    };
    Ok(Ports { sender, place, _receiver: receiver })
}

/// Whether a session that can't send should look for its way anew.
pub(super) fn is_lost(state: State, error: &io::Error) -> bool {
    state != State::Up && error.kind() != io::ErrorKind::ConnectionRefused
}

const LONGEST_DATAGRAM: usize = 256;
const MOST_AT_ONCE: usize = 1_024;
const LONGEST_FAREWELL: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(1);
