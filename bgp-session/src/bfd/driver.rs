//! The task that drives all sessions of a runtime: octets in and out, and one alarm for the next deadline.
//!
//! It finds the session of a packet (RFC 5880 section 6.3), and checks the distance that a packet has come (RFC 5881 section
//! 5, RFC 5883 section 4). [`Session`] decides about a session's state.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, poll_fn},
    io,
    num::NonZeroU32,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

use super::{
    Packet, Session,
    active::{ActiveSession, ReceiverAddress, SessionSockets},
    readiness::Readiness,
    requests::{SessionKey, SessionRequest, SessionRequests},
};
use crate::{
    PeerId, clock,
    socket::bfd::{Arrival, MOST_WAITING, Receiver, Sender},
};

/// Runs until there is no session left.
pub(super) async fn run(requests: Arc<SessionRequests>) {
    let mut driver = Driver::default();
    loop {
        if !driver.follow_requests(&requests) {
            break;
        }
        driver.receive_ready();
        driver.handle_deadlines();
        if !driver.sessions.is_empty() {
            driver.wait(&requests).await;
        }
    }
}

#[derive(Default)]
struct Driver {
    sessions: BTreeMap<SessionKey, ActiveSession>,
    /// Our discriminators of the sessions.
    discriminators: BTreeMap<u32, SessionKey>,
    receivers: BTreeMap<ReceiverAddress, Arc<Receiver>>,
    readiness: Readiness,
    deadlines: BTreeSet<(Instant, SessionKey)>,
    random: fastrand::Rng,
    /// The version of the requests that the sessions follow.
    version: u64,
}

impl Driver {
    /// Begins, changes and ends sessions as requested. Returns false if none is left; a later request then starts a new
    /// driver.
    fn follow_requests(&mut self, requests: &SessionRequests) -> bool {
        let now = clock::now();
        let mut table = requests.lock();
        if table.by_key.is_empty() && self.sessions.is_empty() {
            table.running = false;
            return false;
        }
        if std::mem::replace(&mut self.version, table.version) == table.version {
            return true;
        }

        let gone: Vec<SessionKey> = self
            .sessions
            .iter()
            .filter(|(key, session)| session.leaving.is_none() && !table.by_key.contains_key(key))
            .map(|(key, _)| *key)
            .collect();
        let wanted: Vec<SessionRequest> = table.by_key.values().cloned().collect();
        drop(table);

        for key in gone {
            self.leave(now, key);
        }
        for request in wanted {
            self.follow_request(now, request);
        }
        true
    }

    fn follow_request(&mut self, now: Instant, request: SessionRequest) {
        let key = request.key;
        match self.sessions.get_mut(&key) {
            Some(active) if active.request.number == request.number => {
                if active.request.endpoint != request.endpoint {
                    active.sockets = None;
                    active.retry = now;
                }
                if active.request.profile != request.profile {
                    active.session.set_profile(now, request.profile);
                }
                active.request = request;
            }
            _ => {
                self.remove(key);

                let discriminator = self.new_discriminator(key);
                let seed = self.random.u64(..);
                let session = Session::new(now, request.profile, discriminator, seed);
                self.sessions.insert(key, ActiveSession::new(request, session, now));
            }
        }
        self.session_changed(now, key);
    }

    /// Takes a session out of service. Its packets go on for as long as the router needs to notice (RFC 5880 section
    /// 6.8.16), up to a limit.
    fn leave(&mut self, now: Instant, key: SessionKey) {
        let Some(active) = self.sessions.get_mut(&key) else { return };
        let known = active.session.remote_discriminator() != 0 && active.sockets.is_some();
        let farewell = active.session.remote_detection_time().min(LONGEST_FAREWELL);
        active.leaving = Some(if known { now + farewell } else { now });
        active.session.disable(now);

        self.session_changed(now, key);
    }

    fn remove(&mut self, key: SessionKey) {
        if let Some(active) = self.sessions.remove(&key) {
            self.discriminators.remove(&active.session.discriminator().get());
            if let Some(deadline) = active.deadline {
                self.deadlines.remove(&(deadline, key));
            }
        }
        self.receivers.retain(|_, receiver| Arc::strong_count(receiver) > 1);
    }

    fn new_discriminator(&mut self, key: SessionKey) -> NonZeroU32 {
        loop {
            let number = self.random.u32(1..);
            if self.discriminators.contains_key(&number) {
                continue;
            }
            if let Some(discriminator) = NonZeroU32::new(number) {
                self.discriminators.insert(number, key);
                return discriminator;
            }
        }
    }

    /// Takes the packets that wait in the sockets that are ready.
    fn receive_ready(&mut self) {
        for address in self.readiness.take() {
            // The last session with this address may be gone.
            let Some(receiver) = self.receivers.get(&*address).cloned() else { continue };
            self.receive_from(&address, &receiver, Receiver::receive);
            self.readiness.watch(address, &receiver);
        }
    }

    /// Takes the packets for a session that is about to be declared down: those count that came while this task was kept from
    /// running, even if the runtime was too busy to notice them. `asked`: the addresses at which that has been done.
    fn receive_unnoticed(&mut self, key: SessionKey, asked: &mut BTreeSet<ReceiverAddress>) {
        let sockets = self.sessions.get(&key).and_then(|active| active.sockets.as_ref());
        let Some(address) = sockets.map(|sockets| sockets.address.clone()) else { return };
        let Some(receiver) = self.receivers.get(&address).cloned() else { return };
        if asked.insert(address.clone()) {
            self.receive_from(&address, &receiver, Receiver::receive_unnoticed);
        }
    }

    /// Takes all packets that wait in one socket: a full receive buffer holds fewer than the limit. Otherwise a session could be
    /// declared down while a packet for it waits behind those of others. Packets that keep arriving wait for the next round.
    fn receive_from(
        &mut self,
        address: &ReceiverAddress,
        receiver: &Receiver,
        receive: impl Fn(&Receiver, &mut [u8]) -> io::Result<Arrival>,
    ) {
        let mut buffer = [0; LONGEST_DATAGRAM];
        for _ in 0..MOST_WAITING {
            match receive(receiver, &mut buffer) {
                Ok(arrival) => self.arrived(address, arrival, &buffer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => tracing::debug!(%error, "cannot receive"),
            }
        }
    }

    fn arrived(&mut self, address: &ReceiverAddress, arrival: Arrival, buffer: &[u8]) {
        let now = clock::now();
        let packet = Packet::decode(buffer.get(..arrival.octets).unwrap_or_default());
        let discriminator = packet.map_or(0, |packet| packet.your_discriminator);
        let named = self.discriminators.get(&discriminator).copied();

        let Some(key) = self.session_for(PeerId::from(arrival.source), address, named) else {
            tracing::trace!(source = %arrival.source, "no session for this packet");
            return;
        };
        let Some(active) = self.sessions.get_mut(&key) else { return };

        let sockets = active.sockets.as_ref().filter(|sockets| sockets.address == *address);
        let addressed = sockets.is_some() && (discriminator == 0 || named.is_some());
        let hops = sockets.map(|sockets| sockets.hops);
        let too_far = hops.filter(|hops| !hops.admits(arrival.ttl));

        match (packet, too_far) {
            (Ok(_), Some(hops)) => {
                active.came_too_far(hops, arrival.ttl);
                active.session.count_discarded();
            }
            (Ok(packet), None) if addressed => active.received(now, &packet),
            (Ok(_), None) => {
                let peer = key.peer;
                tracing::debug!(%peer, ttl = arrival.ttl, discriminator, "packet discarded");
                active.session.count_discarded();
            }
            (Err(error), _) => {
                tracing::debug!(peer = %key.peer, %error, "packet discarded");
                active.session.count_discarded();
            }
        }
        self.session_changed(now, key);
    }

    /// The session that a packet from `source` is for (RFC 5880 section 6.3). A packet that names another router's
    /// session has none.
    fn session_for(
        &self,
        source: PeerId,
        address: &ReceiverAddress,
        named: Option<SessionKey>,
    ) -> Option<SessionKey> {
        if let Some(key) = named {
            return (key.peer == source).then_some(key);
        }

        let mut theirs = self.sessions.range(SessionKey::all_of(source));
        let at_address = theirs.clone().find(|(_, active)| {
            let sockets = active.sockets.as_ref().filter(|_| active.leaving.is_none());
            sockets.is_some_and(|sockets| sockets.address == *address)
        });
        at_address.or_else(|| theirs.next()).map(|(key, _)| *key)
    }

    /// Handles every deadline that has come.
    fn handle_deadlines(&mut self) {
        let now = clock::now();
        let mut asked = BTreeSet::new();
        while let Some((_, key)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            if self.sessions.get(&key).is_some_and(|it| it.leaving.is_some_and(|end| end <= now)) {
                self.remove(key);
                continue;
            }
            if self.sessions.get(&key).is_some_and(|active| active.session.is_overdue(now)) {
                self.receive_unnoticed(key, &mut asked);
            }
            if let Some(active) = self.sessions.get_mut(&key) {
                active.session.handle_timeout(now);
            }
            self.session_changed(now, key);
        }
    }

    /// Sends and reports what a mutation of a session has made due, and sets its next deadline.
    fn session_changed(&mut self, now: Instant, key: SessionKey) {
        self.open_when_due(now, key);
        let Some(active) = self.sessions.get_mut(&key) else { return };
        active.transmit(now, RETRY);
        active.report();

        let deadline = active.next_deadline(now);
        if active.deadline != deadline {
            if let Some(old) = std::mem::replace(&mut active.deadline, deadline) {
                self.deadlines.remove(&(old, key));
            }
            self.deadlines.extend(deadline.map(|at| (at, key)));
        }
    }

    /// Opens a session's sockets if they are closed and it is time to try.
    fn open_when_due(&mut self, now: Instant, key: SessionKey) {
        let Some(active) = self.sessions.get(&key) else { return };
        if active.sockets.is_some() || active.retry > now || active.leaving.is_some() {
            return;
        }

        let taken = self.addresses_of_others(key);
        let opened =
            open_sockets(&mut self.receivers, &self.readiness, active, &taken, self.random.u16(..));
        let Some(active) = self.sessions.get_mut(&key) else { return };
        match opened {
            Ok(sockets) => active.opened(sockets),
            Err(error) => active.failed_to_open(now + RETRY, &error),
        }
    }

    /// The receiver addresses of other speakers' sessions with the same router.
    fn addresses_of_others(&self, key: SessionKey) -> Vec<ReceiverAddress> {
        self.sessions
            .range(SessionKey::all_of(key.peer))
            .filter(|(other, _)| **other != key)
            .filter_map(|(_, active)| Some(active.sockets.as_ref()?.address.clone()))
            .collect()
    }

    /// Waits for a datagram, for other requests, or for the next deadline.
    async fn wait(&self, requests: &SessionRequests) {
        let mut changed = pin!(requests.changed.notified());
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
                | self.readiness.poll(cx).is_ready();
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Opens the sockets of a session. `first`: the source port to try first.
fn open_sockets(
    receivers: &mut BTreeMap<ReceiverAddress, Arc<Receiver>>,
    readiness: &Readiness,
    active: &ActiveSession,
    taken: &[ReceiverAddress],
    first: u16,
) -> io::Result<SessionSockets> {
    let endpoint = &active.request.endpoint;
    let device = endpoint.device.as_deref();
    let hops = endpoint.hops()?;
    let sender = Sender::connect(endpoint.remote(hops), endpoint.local, device, first)?;

    // We receive at the address that we send from.
    let mut local = sender.local();
    local.set_port(hops.port());
    let address = ReceiverAddress { local, device: endpoint.device.clone() };
    if taken.contains(&address) {
        // RFC 5881 section 3 allows one session for a pair of addresses.
        let error = format!(
            "another peer of this process has the BFD session between {} and {}",
            local.ip(),
            endpoint.peer
        );
        return Err(io::Error::new(io::ErrorKind::AddrInUse, error));
    }

    let receiver = match receivers.get(&address) {
        Some(receiver) => Arc::clone(receiver),
        None => {
            // The local address may have changed, and then no session uses the old receiver.
            receivers.retain(|_, receiver| Arc::strong_count(receiver) > 1);
            let receiver = Arc::new(Receiver::bind(local, device)?);
            receivers.insert(address.clone(), Arc::clone(&receiver));
            readiness.watch(Arc::new(address.clone()), &receiver);
            receiver
        }
    };
    Ok(SessionSockets { sender, address, hops, _receiver: receiver })
}

const LONGEST_DATAGRAM: usize = 256;
const LONGEST_FAREWELL: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
