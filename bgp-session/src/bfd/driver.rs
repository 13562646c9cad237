//! The task that drives all sessions of a runtime: octets in and out, and one alarm for the next deadline.
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
    service::{Key, Order, Shared},
};
use crate::{
    PeerId, clock,
    socket::bfd::{Arrival, Receiver, Sender},
};

/// Runs until there is no session left.
pub(super) async fn run(shared: Arc<Shared>) {
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
}

#[derive(Default)]
struct Driver {
    sessions: BTreeMap<Key, Live>,
    /// Our names for the sessions.
    discriminators: BTreeMap<u32, Key>,
    receivers: BTreeMap<Place, Arc<Receiver>>,
    deadlines: BTreeSet<(Instant, Key)>,
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
        if orders.by_key.is_empty() && self.sessions.is_empty() {
            orders.running = false;
            return false;
        }
        if std::mem::replace(&mut self.version, orders.version) == orders.version {
            return true;
        }

        let gone: Vec<Key> = self
            .sessions
            .iter()
            .filter(|(key, live)| live.leaving.is_none() && !orders.by_key.contains_key(key))
            .map(|(key, _)| *key)
            .collect();
        let wanted: Vec<Order> = orders.by_key.values().cloned().collect();
        drop(orders);

        for key in gone {
            self.leave(now, key);
        }
        for order in wanted {
            self.take_order(now, order);
        }
        true
    }

    fn take_order(&mut self, now: Instant, order: Order) {
        let key = order.key;
        match self.sessions.get_mut(&key) {
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
                self.forget(key);
                let discriminator = self.new_discriminator(key);
                let seed = self.random.u64(..);
                let session = Session::new(now, order.profile, discriminator, seed);
                self.sessions.insert(key, Live::new(order, session, now));
            }
        }
        self.touch(now, key);
    }

    /// The router is told for as long as it takes to hear it (RFC 5880 section 6.8.16), within reason.
    fn leave(&mut self, now: Instant, key: Key) {
        if let Some(live) = self.sessions.get_mut(&key) {
            let known = live.session.remote_discriminator() != 0 && live.ports.is_some();
            let farewell = live.session.remote_detection_time().min(LONGEST_FAREWELL);
            live.leaving = Some(now + if known { farewell } else { Duration::ZERO });
            live.session.disable(now);
            self.touch(now, key);
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(live) = self.sessions.remove(&key) {
            self.discriminators.remove(&live.session.discriminator().get());
            if let Some(deadline) = live.deadline {
                self.deadlines.remove(&(deadline, key));
            }
        }
        self.receivers.retain(|_, receiver| Arc::strong_count(receiver) > 1);
    }

    fn new_discriminator(&mut self, key: Key) -> NonZeroU32 {
        loop {
            let number = self.random.u32(1..);
            if let (Some(discriminator), false) =
                (NonZeroU32::new(number), self.discriminators.contains_key(&number))
            {
                self.discriminators.insert(number, key);
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
        let packet = Packet::decode(buffer.get(..arrival.octets).unwrap_or_default());
        let discriminator = packet.map_or(0, |packet| packet.your_discriminator);
        let named = self.discriminators.get(&discriminator).copied();
        let Some(key) = self.session_for(PeerId::from(arrival.source), place, named) else {
            tracing::trace!(source = %arrival.source, "a packet for no session");
            return;
        };
        let Some(live) = self.sessions.get_mut(&key) else { return };

        let ports = live.ports.as_ref().filter(|ports| ports.place == *place);
        let believed = ports.is_some() && (discriminator == 0 || named.is_some());
        let too_far = ports.map(|ports| ports.hops).filter(|hops| !hops.admits(arrival.ttl));
        match (packet, too_far) {
            (Ok(_), Some(hops)) => {
                live.came_too_far(hops, arrival.ttl);
                live.session.count_discarded();
            }
            (Ok(packet), None) if believed => live.received(now, &packet),
            (Ok(_), None) => {
                let peer = key.peer;
                tracing::debug!(%peer, ttl = arrival.ttl, discriminator, "packet discarded");
                live.session.count_discarded();
            }
            (Err(error), _) => {
                tracing::debug!(peer = %key.peer, %error, "packet discarded");
                live.session.count_discarded();
            }
        }
        self.touch(now, key);
    }

    /// The session that a packet from `source` is for (RFC 5880 section 6.3). A packet that names another router's
    /// session is believed no more than one that names none.
    fn session_for(&self, source: PeerId, place: &Place, named: Option<Key>) -> Option<Key> {
        if let Some(key) = named {
            return (key.peer == source).then_some(key);
        }
        let mut theirs = self.sessions.range(Key::all_of(source));
        let at_place = theirs.clone().find(|(_, live)| {
            live.leaving.is_none() && live.ports.as_ref().is_some_and(|it| it.place == *place)
        });
        at_place.or_else(|| theirs.next()).map(|(key, _)| *key)
    }

    /// Takes every deadline that has come.
    fn expire(&mut self) {
        let now = clock::now();
        while let Some((_, key)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            if let Some(live) = self.sessions.get_mut(&key) {
                if live.leaving.is_some_and(|end| end <= now) {
                    self.forget(key);
                    continue;
                }
                live.session.handle_timeout(now);
            }
            self.touch(now, key);
        }
    }

    /// After each mutation of a session: what it has to tell and to say, and when it wants to be asked again.
    fn touch(&mut self, now: Instant, key: Key) {
        self.open_when_due(now, key);
        let Some(live) = self.sessions.get_mut(&key) else { return };
        live.transmit(now, RETRY);
        live.report();

        let deadline = live.next_deadline(now);
        if live.deadline != deadline {
            if let Some(old) = std::mem::replace(&mut live.deadline, deadline) {
                self.deadlines.remove(&(old, key));
            }
            self.deadlines.extend(deadline.map(|at| (at, key)));
        }
    }

    /// Opens a session's sockets if they are closed and it is time to try.
    fn open_when_due(&mut self, now: Instant, key: Key) {
        let Some(live) = self.sessions.get(&key) else { return };
        if live.ports.is_some() || live.retry > now || live.leaving.is_some() {
            return;
        }

        let taken = self.places_of_others(key);
        let opened = open_ports(&mut self.receivers, live, &taken, &mut self.random);
        let Some(live) = self.sessions.get_mut(&key) else { return };
        match opened {
            Ok(ports) => live.opened(ports),
            Err(error) => live.failed_to_open(now + RETRY, &error),
        }
    }

    /// The places of other speakers' sessions with the same router.
    fn places_of_others(&self, key: Key) -> Vec<Place> {
        let theirs = self.sessions.range(Key::all_of(key.peer)).filter(|(other, _)| **other != key);
        theirs.filter_map(|(_, live)| Some(live.ports.as_ref()?.place.clone())).collect()
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
    taken: &[Place],
    random: &mut fastrand::Rng,
) -> io::Result<Ports> {
    let endpoint = &live.order.endpoint;
    let device = endpoint.device.as_deref();
    let hops = endpoint.hops()?;
    let sender = Sender::connect(endpoint.remote(hops), endpoint.local, device, random.u16(..))?;

    // We receive at the address that we send from.
    let mut local = sender.local();
    local.set_port(hops.port());
    let place = Place { local, device: endpoint.device.clone() };
    if taken.contains(&place) {
        // RFC 5881 section 3 allows one session for a pair of addresses.
        let error = format!(
            "another peer of this process has the BFD session between {} and {}",
            local.ip(),
            endpoint.peer
        );
        return Err(io::Error::new(io::ErrorKind::AddrInUse, error));
    }

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
    Ok(Ports { sender, place, hops, _receiver: receiver })
}

/// Whether a session that can't send should look for its way anew.
pub(super) fn is_lost(state: State, error: &io::Error) -> bool {
    state != State::Up && error.kind() != io::ErrorKind::ConnectionRefused
}

const LONGEST_DATAGRAM: usize = 256;
const MOST_AT_ONCE: usize = 1_024;
const LONGEST_FAREWELL: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(1);
