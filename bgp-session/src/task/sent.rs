//! [`SentRequests`]: the callers that wait until the peer's routes have been sent.
//!
//! Owns when a request is answered. It sends nothing.

use bgp_core::Direction;
use tokio::sync::oneshot;

use super::PeerTask;

/// The callers that wait until all routes of their time have been sent.
#[derive(Default)]
pub(super) struct SentRequests(Vec<SentRequest>);

struct SentRequest {
    answer: oneshot::Sender<bool>,
    /// The connection that has the routes in its outbox, and the number of octets that it must have taken, once all routes are
    /// composed.
    composed: Option<(Direction, u64)>,
}

impl SentRequests {
    /// Adds a caller. Those that have stopped waiting are forgotten, so that only those that wait take memory.
    pub(super) fn add(&mut self, answer: oneshot::Sender<bool>) {
        self.0.retain(|request| !request.answer.is_closed());
        self.0.push(SentRequest { answer, composed: None });
    }
}

impl PeerTask {
    /// Answers the requests whose routes the system has accepted, and all of them if there is no session.
    pub(super) fn answer_sent_requests(&mut self) {
        if self.sent_requests.0.is_empty() {
            return;
        }

        let is_composed = !self.peer.adj_rib_out().has_pending();
        let session = self.peer.session_direction();
        let connection = session.and_then(|direction| {
            let connection = self.connections.get_mut(direction)?;
            Some((direction, connection.octets_taken()?, connection.outbox.len()))
        });

        for mut request in std::mem::take(&mut self.sent_requests.0) {
            let Some((direction, taken, waiting)) = connection else {
                // The caller may have stopped waiting.
                let _ = request.answer.send(false);
                continue;
            };

            if request.composed.is_none() && is_composed {
                let waiting = u64::try_from(waiting).unwrap_or(u64::MAX);
                request.composed = Some((direction, taken.saturating_add(waiting)));
            }
            match request.composed {
                // The session of the request has ended, and another one has begun.
                Some((other, _)) if other != direction => drop(request.answer.send(false)),
                Some((_, octets)) if octets <= taken => drop(request.answer.send(true)),
                _ => self.sent_requests.0.push(request),
            }
        }
    }
}
