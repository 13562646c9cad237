//! The task that looks for the neighbour on an interface, and adds it as a peer.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, sleep_until},
};
use tracing::Instrument;

use super::{
    InterfacePeer,
    handle::{InterfaceHandle, InterfaceStatus, InterfaceWishes, Request, UpdateRequest},
    message::NdMessage,
};
use crate::{
    PeerHandle, PeerId, Speaker, SpeakerError, Updated,
    command::SessionEnd,
    socket::icmp6::{Icmp6, Link},
    speaker::SpeakerInner,
};

impl Speaker {
    /// Looks for the neighbour on an interface by router advertisements, and keeps a session with it as long as the handle
    /// lives. To be found by a router that dials, the speaker must listen on `[::]`. Needs Linux and the
    /// capability NET_RAW. If the interface does not exist yet or has no link-local address, the search waits for it.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerConfig`], [`SpeakerError::Interface`] without the capability.
    pub fn add_interface_peer(&self, peer: InterfacePeer) -> Result<InterfaceHandle, SpeakerError> {
        peer.template.check()?;
        let interface = peer.interface.clone();
        if let Err(source) = Icmp6::permitted() {
            return Err(SpeakerError::Interface { interface, source });
        }

        let (stop, stopped) = oneshot::channel();
        let (status, receive_status) = watch::channel(InterfaceStatus::default());
        let span = tracing::info_span!("interface", %interface);
        let (handle, wishes) =
            InterfaceHandle::new(interface, peer.routes.clone(), receive_status, stop);
        let speaker = Arc::downgrade(self.inner());
        let finder = NeighborFinder { peer, speaker, wishes, status, current: None, logged: None };
        tokio::spawn(finder.run(stopped).instrument(span));
        Ok(handle)
    }
}

/// The task that looks for the neighbour.
struct NeighborFinder {
    peer: InterfacePeer,
    speaker: Weak<SpeakerInner>,
    wishes: InterfaceWishes,
    status: watch::Sender<InterfaceStatus>,
    current: Option<Neighbor>,
    /// The problem that was logged last, since a neighbour was found.
    logged: Option<String>,
}

struct Neighbor {
    handle: PeerHandle,
    last_heard: Instant,
}

impl NeighborFinder {
    async fn run(mut self, stopped: oneshot::Receiver<SessionEnd>) {
        let mut stopped = pin!(stopped);

        // An error comes from a handle that was dropped, which is a deconfiguration.
        let end = loop {
            let problem = tokio::select! {
                error = self.search() => error.to_string(),
                stopped = &mut stopped => {
                    break stopped.unwrap_or_else(|_| SessionEnd::deconfigured());
                }
            };
            if self.speaker.strong_count() == 0 {
                break SessionEnd::deconfigured();
            }

            if self.logged.as_ref() != Some(&problem) {
                tracing::warn!(%problem, "cannot look for the neighbour, trying again");
                self.logged = Some(problem.clone());
            }
            let known = self.status.borrow().problem.as_ref() == Some(&problem);
            if !known {
                self.status.send_modify(|status| status.problem = Some(problem));
            }

            tokio::select! {
                () = sleep(PAUSE) => {}
                Some(request) = self.wishes.requests.recv() => self.obey(request).await,
                stopped = &mut stopped => {
                    break stopped.unwrap_or_else(|_| SessionEnd::deconfigured());
                }
            }
        };

        self.end(end).await;
    }

    /// Advertises and listens until that fails, and returns the error.
    async fn search(&mut self) -> io::Error {
        match self.try_search().await {
            Ok(()) => io::Error::other("the speaker is gone"),
            Err(error) => error,
        }
    }

    /// Advertises and listens until the speaker is gone.
    async fn try_search(&mut self) -> io::Result<()> {
        let link = Link::find(&self.peer.interface)?;
        let icmp6 = Icmp6::open(&self.peer.interface, link)?;
        self.status.send_modify(|status| status.problem = None);

        let mut timer = AdvertisementTimer::new();
        let mut buffer = [0; LONGEST];
        loop {
            tokio::select! {
                arrival = icmp6.receive(&mut buffer) => {
                    let arrival = arrival?;
                    let octets = buffer.get(..arrival.octets).unwrap_or_default();
                    self.received(link, octets, arrival.ttl, arrival.source, &mut timer).await;
                }
                () = sleep_until(timer.next) => {
                    let found = self.current.is_some();
                    timer.step(found);
                    if !found {
                        icmp6.send(&NdMessage::Solicitation.encode(), ALL_ROUTERS)?;
                    }
                    icmp6.send(&NdMessage::Advertisement.encode(), ALL_NODES)?;
                }
                changed = self.wishes.routes.changed() => {
                    if changed.is_ok() {
                        self.announce().await;
                    }
                }
                changed = self.wishes.disabled.changed() => {
                    if changed.is_ok() {
                        self.disable_or_enable().await;
                    }
                }
                Some(request) = self.wishes.requests.recv() => self.obey(request).await,
            }

            if self.speaker.strong_count() == 0 {
                return Ok(());
            }
        }
    }

    async fn received(
        &mut self,
        link: Link,
        octets: &[u8],
        ttl: u8,
        source: SocketAddr,
        timer: &mut AdvertisementTimer,
    ) {
        let IpAddr::V6(address) = source.ip() else { return };
        if address == link.address {
            return;
        }

        match NdMessage::decode(octets, ttl, address) {
            Some(NdMessage::Solicitation) => timer.hurry(),
            Some(NdMessage::Advertisement) => {
                let neighbor = SocketAddrV6::new(address, 0, 0, link.index);
                self.found(PeerId::from(SocketAddr::from(neighbor)), timer).await;
            }
            None => {}
        }
    }

    /// Handles an advertisement. Another neighbour replaces the present one only when that is silent and has no
    /// session. Otherwise two routers on one link would replace each other again and again.
    async fn found(&mut self, id: PeerId, timer: &mut AdvertisementTimer) {
        if let Some(current) = &mut self.current {
            if current.handle.id() == id {
                current.last_heard = Instant::now();
                return;
            }
            let silent = current.last_heard.elapsed() > SILENCE_LIMIT;
            if current.handle.status().is_established() || !silent {
                tracing::debug!(%id, "another neighbour on the link");
                return;
            }
            self.end(SessionEnd::deconfigured()).await;
        }

        let Some(speaker) = self.speaker.upgrade() else { return };
        match speaker.insert(self.peer.template.at(id)) {
            Ok(handle) => {
                let name = self.peer.template.name.as_deref();
                tracing::info!(name, peer = %id, "found the neighbour");
                self.logged = None;
                self.current = Some(Neighbor { handle, last_heard: Instant::now() });
                self.status.send_modify(|status| {
                    status.peer = Some(id);
                    status.problem = None;
                });
                if self.wishes.disabled.borrow().is_some() {
                    self.disable_or_enable().await;
                }
                self.announce().await;
                // The neighbour may not have received an advertisement of ours yet.
                timer.hurry();
            }
            Err(error) => {
                self.status.send_modify(|status| status.problem = Some(error.to_string()));
            }
        }
    }

    async fn obey(&mut self, request: Request) {
        match request {
            Request::Update(update) => self.update(*update).await,
            Request::RoutesSent(answer) => {
                if self.wishes.routes.has_changed().unwrap_or_default() {
                    self.announce().await;
                }
                // Without a neighbour, the answer is dropped, which means the same as false.
                if let Some(current) = &self.current {
                    let _ = current.handle.answer_when_sent(answer).await;
                }
            }
        }
    }

    /// Changes the configuration of the present neighbour, and of those that replace it.
    async fn update(&mut self, request: UpdateRequest) {
        let UpdateRequest { template, resets, answer } = request;
        let updated = match &self.current {
            Some(current) => {
                let config = template.at(current.handle.id());
                current.handle.change(config, resets).await
            }
            None => Ok(Updated { changes: self.peer.template.changes(&template), reset: false }),
        };

        if updated.is_ok() {
            self.peer.template = template;
        }
        // The caller may have stopped waiting for the answer.
        let _ = answer.send(updated);
    }

    async fn announce(&mut self) {
        let routes = self.wishes.routes.borrow_and_update().clone();
        let (Some(current), Some(routes)) = (&self.current, routes) else { return };
        if current.handle.set_routes(routes).await.is_err() {
            self.forget();
        }
    }

    /// Disables the present neighbour, or enables it.
    async fn disable_or_enable(&mut self) {
        let disabled = self.wishes.disabled.borrow_and_update().clone();
        let Some(current) = &self.current else { return };
        let result = match disabled {
            Some(message) => current.handle.disable(&message).await,
            None => current.handle.enable().await,
        };
        if result.is_err() {
            self.forget();
        }
    }

    /// Forgets a neighbour that another handle has shut down. Its next advertisement adds it again.
    fn forget(&mut self) {
        self.current = None;
        self.status.send_modify(|status| status.peer = None);
    }

    async fn end(&mut self, end: SessionEnd) {
        let Some(current) = self.current.take() else { return };
        self.status.send_modify(|status| status.peer = None);

        match end {
            SessionEnd::Cease(cease) => current.handle.end(cease).await,
            SessionEnd::Abandon => {
                // The peer may have been shut down already.
                let _ = current.handle.abandon().await;
            }
        }
    }
}

/// The time of the next advertisement: often at first, then now and then. Solicitations are answered at most once a second.
struct AdvertisementTimer {
    next: Instant,
    last: Option<Instant>,
    /// Advertisements to send in quick succession once the neighbour is found.
    quick_ones_left: u8,
}

impl AdvertisementTimer {
    fn new() -> Self {
        Self { next: Instant::now(), last: None, quick_ones_left: 5 }
    }

    fn step(&mut self, found: bool) {
        let now = Instant::now();
        self.last = Some(now);
        self.quick_ones_left = self.quick_ones_left.saturating_sub(u8::from(found));
        self.next = now + if self.quick_ones_left > 0 { QUICK } else { SLOW };
    }

    /// Advertises as soon as the limit allows.
    fn hurry(&mut self) {
        let earliest = self.last.map_or_else(Instant::now, |last| last + QUICK);
        self.next = self.next.min(earliest.max(Instant::now()));
    }
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const LONGEST: usize = 1_500;
const PAUSE: Duration = Duration::from_secs(1);
const QUICK: Duration = Duration::from_secs(1);
/// The interval that FRR uses for such peers.
const SLOW: Duration = Duration::from_secs(10);
/// Three missed advertisements.
const SILENCE_LIMIT: Duration = Duration::from_secs(35);
