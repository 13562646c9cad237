//! [`PeerMonitor`]: a peer's end of the monitoring.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use bgp_core::{
    AfiSafi, Asn,
    fsm::{DownReason, Negotiated, RemoteAs, StateKind},
    peer::{Endpoints, Peer, SessionStart},
    wire::WireContext,
};
use bytes::Bytes;

use crate::{PeerId, clock};

use super::{
    Interest, Monitoring, Observation, ObservedConnection, ObservedMessage, ObservedSession,
    ObservedState,
};

/// The monitoring of one peer. Dropping it ends the session for all observers, even if the peer's task was aborted.
#[derive(Debug)]
pub(crate) struct PeerMonitor {
    peer: PeerId,
    monitoring: Arc<Monitoring>,
    /// The session that was reported last, until its end is. The core may be ahead of the reports: an UPDATE that ends its
    /// session is reported when the core knows the session no more.
    session: Option<Arc<ObservedSession>>,
}

impl PeerMonitor {
    pub(crate) fn new(peer: PeerId, monitoring: Arc<Monitoring>) -> Self {
        Self { peer, monitoring, session: None }
    }

    /// Returns true if received messages have to be reported.
    pub(crate) fn wants_received(&self) -> bool {
        self.monitoring.wants(Interest::RECEIVED_UPDATES.with(Interest::EVERYTHING_SAID))
    }

    /// Returns true if sent messages have to be reported.
    pub(crate) fn wants_sent(&self) -> bool {
        self.monitoring.wants(Interest::SENT_UPDATES.with(Interest::EVERYTHING_SAID))
    }

    pub(crate) fn up(&mut self, negotiated: &Negotiated, start: Option<&SessionStart>) {
        let Some(start) = start.cloned() else { return };
        let (peer, at, negotiated) = (self.peer, clock::unix_time(), negotiated.clone());
        let session = Arc::new(ObservedSession { peer, at, negotiated, start });
        self.session = Some(Arc::clone(&session));
        self.monitoring.up(session);
    }

    pub(crate) fn down(&mut self, reason: &DownReason) {
        self.session = None;
        self.monitoring.down(self.peer, clock::unix_time(), Some(reason.clone()));
    }

    /// Reports a whole message on a connection with these ends.
    pub(crate) fn message(&self, peer: &Peer, endpoints: Endpoints, sent: bool, octets: Bytes) {
        let connection = self.connection(peer, endpoints, sent);
        let (peer, at) = (self.peer, clock::unix_time());
        let message = ObservedMessage { peer, at, connection, sent, octets };
        self.monitoring.push(&Observation::Message(message));
    }

    pub(crate) fn state(
        &self,
        peer: &Peer,
        endpoints: Option<Endpoints>,
        from: StateKind,
        to: StateKind,
    ) {
        if !self.monitoring.wants(Interest::EVERYTHING_SAID) {
            return;
        }
        // Without a connection only the address of the peer is known.
        let remote = self.peer.address();
        let unspecified: IpAddr = match remote {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let endpoints = endpoints.unwrap_or_else(|| Endpoints {
            local: (unspecified, 0).into(),
            remote: (remote, 0).into(),
        });
        let connection = self.connection(peer, endpoints, false);
        let state = ObservedState { at: clock::unix_time(), connection, from, to };
        self.monitoring.push(&Observation::State(state));
    }

    pub(crate) fn end_of_rib(&self, family: AfiSafi) {
        if self.monitoring.wants(Interest::ROUTES_IN) {
            self.monitoring.push(&Observation::EndOfRib(self.peer, family));
        }
    }

    /// Reports that the Adj-RIB-In has changed.
    pub(crate) fn routes_in_changed(&self) {
        if self.monitoring.wants(Interest::ROUTES_IN) {
            self.monitoring.routes_changed(self.peer, Interest::ROUTES_IN);
        }
    }

    /// Reports that the routes that the peer should have may have changed.
    pub(crate) fn routes_out_changed(&self) {
        if self.monitoring.wants(Interest::ROUTES_OUT) {
            self.monitoring.routes_changed(self.peer, Interest::ROUTES_OUT);
        }
    }

    /// The facts about a connection, as far as they are known.
    fn connection(&self, peer: &Peer, endpoints: Endpoints, sent: bool) -> ObservedConnection {
        let settings = &peer.settings().fsm;
        let session = self.session.as_ref().map(|session| &session.negotiated);
        let negotiated = session.or_else(|| peer.negotiated());
        let remote_as = match (negotiated, settings.remote_as) {
            (Some(negotiated), _) => negotiated.remote_asn,
            (None, RemoteAs::Number(asn)) => asn,
            (None, RemoteAs::Internal) => settings.local_asn,
            (None, _) => Asn::ZERO,
        };
        let has_path_ids = |cx: WireContext| {
            [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST].iter().any(|it| cx.has_add_path(*it))
        };
        let add_path = negotiated.is_some_and(|negotiated| {
            has_path_ids(if sent { negotiated.send_context() } else { negotiated.wire_context() })
        });

        ObservedConnection {
            endpoints,
            local_as: negotiated.map_or(settings.local_asn, |negotiated| negotiated.local_asn),
            remote_as,
            four_octet_as: negotiated.is_none_or(|negotiated| negotiated.four_octet_as),
            add_path,
        }
    }
}

impl Drop for PeerMonitor {
    fn drop(&mut self) {
        self.monitoring.down(self.peer, clock::unix_time(), None);
    }
}
