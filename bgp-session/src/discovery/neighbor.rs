//! [`InterfacePeer`]: a peer that is known by the interface that it is on, and the task that looks for it.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use bgp_core::{fsm::RemoteAs, rib::RouteSet};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};
use tracing::Instrument;

use super::{
    handle::{Farewell, InterfaceHandle},
    message::Message,
};
use crate::{
    PeerConfig, PeerHandle, PeerId, Speaker, SpeakerError, Updated,
    config::Resets,
    socket::icmp6::{Icmp6, Link},
    speaker::Inner,
};

/// Whoever is at the other end of a link, and on which terms it is a peer.
///
/// ```
/// use bgp_session::{InterfacePeer, RemoteAs};
///
/// let uplink = InterfacePeer::new("eth1", RemoteAs::External).config(|peer| peer.password("s3cret"));
/// # let _ = uplink;
/// ```
///
/// Two of them are equal when nothing needs to change between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct InterfacePeer {
    pub(super) interface: String,
    pub(super) template: PeerConfig,
    routes: Option<Arc<RouteSet>>,
}

impl InterfacePeer {
    /// The neighbour on the interface of that name, with an AS that `remote_as` admits.
    pub fn new(interface: impl Into<String>, remote_as: impl Into<RemoteAs>) -> Self {
        // Only a place for the address to come.
        let template = PeerConfig::new(Ipv6Addr::LOCALHOST, remote_as);
        Self { interface: interface.into(), template, routes: None }
    }

    /// Changes the terms, which are those of a [`PeerConfig`] but for its address.
    pub fn config(mut self, change: impl FnOnce(PeerConfig) -> PeerConfig) -> Self {
        self.template = change(self.template);
        self
    }

    /// What the neighbour is announced. Default: nothing until [`InterfaceHandle::set_routes`].
    pub fn routes(mut self, routes: impl Into<Arc<RouteSet>>) -> Self {
        self.routes = Some(routes.into());
        self
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The terms. Their address is nobody's.
    pub fn terms(&self) -> &PeerConfig {
        &self.template
    }
}

impl Speaker {
    /// Looks for the neighbour on an interface, by router advertisements, and has a session with it, as long as the
    /// answer is kept. To be found by a router that dials, the speaker must listen on `[::]`. Needs Linux and the
    /// capability NET_RAW; an interface that isn't there yet, or has no link-local address, is waited for.
    ///
    /// # Errors
    ///
    /// [`SpeakerError::PeerConfig`], [`SpeakerError::Interface`] without the capability.
    pub fn add_interface_peer(&self, peer: InterfacePeer) -> Result<InterfaceHandle, SpeakerError> {
        peer.template.check()?;
        Icmp6::permitted().map_err(|source| SpeakerError::Interface {
            interface: peer.interface.clone(),
            source,
        })?;
        let (stop, stopped) = oneshot::channel();
        let (status, receive_status) = watch::channel(InterfaceStatus::default());
        let (routes, receive_routes) = watch::channel(peer.routes.clone());
        let (updates, receive_updates) = mpsc::channel(UPDATES);
        let interface = peer.interface.clone();
        let span = tracing::info_span!("interface", %interface);
        let finder = Finder {
            peer,
            speaker: Arc::downgrade(self.inner()),
            routes: receive_routes,
            updates: receive_updates,
            status,
            current: None,
        };
        tokio::spawn(finder.run(stopped).instrument(span));
        Ok(InterfaceHandle::new(interface, routes, updates, receive_status, stop))
    }
}

/// What is known of the neighbour on an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfaceStatus {
    /// The peer, once it has been heard; [`Speaker::peer`] gives a handle on it.
    pub peer: Option<PeerId>,
    /// What keeps us from looking for it, in the system's words.
    pub problem: Option<String>,
}

/// Other terms for the neighbour, whoever it is; what came of them is the answer.
pub(super) struct Update {
    pub(super) template: PeerConfig,
    pub(super) resets: Resets,
    pub(super) answer: oneshot::Sender<Result<Updated, SpeakerError>>,
}

struct Finder {
    peer: InterfacePeer,
    speaker: Weak<Inner>,
    routes: watch::Receiver<Option<Arc<RouteSet>>>,
    updates: mpsc::Receiver<Update>,
    status: watch::Sender<InterfaceStatus>,
    current: Option<Neighbor>,
}

struct Neighbor {
    handle: PeerHandle,
    last_heard: Instant,
}

impl Finder {
    async fn run(mut self, stopped: oneshot::Receiver<Farewell>) {
        let mut stopped = pin!(stopped);
        // An error comes from a handle that was dropped, and names no farewell.
        let farewell = loop {
            let problem = tokio::select! {
                problem = self.look() => problem,
                stopped = &mut stopped => {
                    break stopped.unwrap_or_else(|_| Farewell::deconfigured());
                }
            };
            if self.speaker.strong_count() == 0 {
                break Farewell::deconfigured();
            }

            let known = self.status.borrow().problem.as_ref() == Some(&problem);
            if !known {
                tracing::warn!(%problem, "cannot look for the neighbour, trying again");
                self.status.send_modify(|status| status.problem = Some(problem));
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                Some(update) = self.updates.recv() => self.update(update).await,
                stopped = &mut stopped => {
                    break stopped.unwrap_or_else(|_| Farewell::deconfigured());
                }
            }
        };
        self.end(farewell).await;
    }

    /// Advertises and listens, until that is not possible any more, for the reason that is the answer.
    async fn look(&mut self) -> String {
        let opened = Link::find(&self.peer.interface)
            .and_then(|link| Ok((link, Icmp6::open(&self.peer.interface, link)?)));
        let (link, icmp6) = match opened {
            Ok(opened) => opened,
            Err(error) => return error.to_string(),
        };
        self.status.send_modify(|status| status.problem = None);
        let mut pace = Pace::new();
        let mut buffer = [0; LONGEST];
        loop {
            let said = tokio::select! {
                arrival = icmp6.receive(&mut buffer) => match arrival {
                    Ok(arrival) => {
                        let octets = buffer.get(..arrival.octets).unwrap_or_default();
                        self.heard(link, octets, arrival.ttl, arrival.source, &mut pace).await;
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                () = sleep_until(pace.next) => {
                    let found = self.current.is_some();
                    pace.step(found);
                    let solicit = || icmp6.send(&Message::Solicitation.encode(), ALL_ROUTERS);
                    let asked = if found { Ok(()) } else { solicit() };
                    asked.and_then(|()| icmp6.send(&Message::Advertisement.encode(), ALL_NODES))
                }
                changed = self.routes.changed() => {
                    if changed.is_ok() {
                        self.announce().await;
                    }
                    Ok(())
                }
                Some(update) = self.updates.recv() => {
                    self.update(update).await;
                    Ok(())
                }
            };
            if self.speaker.strong_count() == 0 {
                return "the speaker is gone".into();
            }
            if let Err(error) = said {
                return error.to_string();
            }
        }
    }

    async fn heard(
        &mut self,
        link: Link,
        octets: &[u8],
        ttl: u8,
        source: SocketAddr,
        pace: &mut Pace,
    ) {
        let IpAddr::V6(address) = source.ip() else { return };
        if address == link.address {
            return;
        }
        match Message::decode(octets, ttl, address) {
            Some(Message::Solicitation) => pace.soon(),
            Some(Message::Advertisement) => {
                let neighbor = SocketAddrV6::new(address, 0, 0, link.index);
                self.found(PeerId::from(SocketAddr::from(neighbor)), pace).await;
            }
            None => {}
        }
    }

    /// A neighbour has been heard. Another one than before takes its place only when that is silent and has no
    /// session: two routers on one link would turn each other out for ever.
    async fn found(&mut self, id: PeerId, pace: &mut Pace) {
        match &mut self.current {
            Some(current) if current.handle.id() == id => {
                current.last_heard = Instant::now();
                return;
            }
            Some(current) => {
                let silent = current.last_heard.elapsed() > FORGOTTEN;
                if current.handle.status().is_established() || !silent {
                    tracing::debug!(%id, "another neighbour on the link");
                    return;
                }
                self.forget().await;
            }
            None => {}
        }
        let Some(speaker) = self.speaker.upgrade() else { return };
        match speaker.insert(self.peer.template.at(id)) {
            Ok(handle) => {
                tracing::info!(peer = %id, "found the neighbour");
                self.current = Some(Neighbor { handle, last_heard: Instant::now() });
                self.status.send_modify(|status| {
                    status.peer = Some(id);
                    status.problem = None;
                });
                self.announce().await;
                // It may not have heard us yet.
                pace.soon();
            }
            Err(error) => {
                self.status.send_modify(|status| status.problem = Some(error.to_string()));
            }
        }
    }

    /// The neighbour that there is goes by other terms, and so will those to come.
    async fn update(&mut self, update: Update) {
        let Update { template, resets, answer } = update;
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
        // Who asked may not wait for the answer.
        let _ = answer.send(updated);
    }

    async fn announce(&mut self) {
        let routes = self.routes.borrow_and_update().clone();
        if let (Some(current), Some(routes)) = (&self.current, routes) {
            // One that somebody has shut down is found again.
            if current.handle.set_routes(routes).await.is_err() {
                self.current = None;
                self.status.send_modify(|status| status.peer = None);
            }
        }
    }

    async fn forget(&mut self) {
        self.end(Farewell::deconfigured()).await;
    }

    async fn end(&mut self, farewell: Farewell) {
        let Some(current) = self.current.take() else { return };
        self.status.send_modify(|status| status.peer = None);
        match farewell {
            Farewell::Cease(cease) => current.handle.end(cease).await,
            Farewell::Abandon => {
                // The peer may have been shut down already.
                let _ = current.handle.abandon().await;
            }
        }
    }
}

/// When to advertise: often at first, then now and then; who asks is answered, though no more than once a second.
struct Pace {
    next: Instant,
    last: Option<Instant>,
    quick_ones_left: u8,
}

impl Pace {
    fn new() -> Self {
        Self { next: Instant::now(), last: None, quick_ones_left: 5 }
    }

    fn step(&mut self, found: bool) {
        let now = Instant::now();
        self.last = Some(now);
        self.quick_ones_left = self.quick_ones_left.saturating_sub(u8::from(found));
        self.next = now + if self.quick_ones_left > 0 { QUICK } else { SLOW };
    }

    fn soon(&mut self) {
        let earliest = self.last.map_or_else(Instant::now, |last| last + QUICK);
        self.next = self.next.min(earliest.max(Instant::now()));
    }
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const LONGEST: usize = 1_500;
/// So many changes may wait.
const UPDATES: usize = 4;
const PAUSE: Duration = Duration::from_secs(1);
const QUICK: Duration = Duration::from_secs(1);
/// What FRR does for such peers.
const SLOW: Duration = Duration::from_secs(10);
/// Three advertisements missed.
const FORGOTTEN: Duration = Duration::from_secs(35);
