//! The actions of an operator on a process: what changes its state at run time.
//!
//! ```text
//! the socket ──► Action ──► main loop: perform ──► Sessions, Drain, Log
//!                                         └──► a log line, an event, the answer
//! ```
//!
//! Owns the checks of requests, the words of the answers, and the log line and event of each action. `http` decides who may act:
//! only a client of the Unix socket.

mod peer;
#[cfg(test)]
mod tests;

use ferrolb_api::action::{Done, DrainRequest, LogLevel as LogLevelRequest, PeerAction, Refresh};
use ferrolb_api::{ApiError, EventKind, Program};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::api::{Identity, PeerName, Process, Refused, session_of};
use crate::drain::Drain;
use crate::events::NewEvent;
use crate::sessions::{SessionKey, Sessions};

/// A request that changes the state of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Acts on the peer of this name.
    Peer(String, PeerRequest),
    /// Changes the filter of the log.
    LogLevel(LogLevelRequest),
    /// Drains the node.
    Drain(DrainRequest),
    /// Ends the operator's drain.
    Undrain,
}

/// A request for an action on a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerRequest {
    /// Ends the session; the next one begins soon.
    Reset(PeerAction),
    /// Ends the session, and starts no other.
    Disable(PeerAction),
    /// Tries to get a session again.
    Enable(PeerAction),
    /// Sends routes to the peer again, or asks for its routes.
    Refresh(Refresh),
}

/// The answer to an action that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "these are the answers of ferrolb_api::action")]
pub enum ActionAnswer {
    /// What was done.
    Done(Done),
    /// The state of the drain.
    Drain(ferrolb_api::Drain),
}

/// The outcome of an action. After an error nothing has changed.
pub type ActionResult = Result<ActionAnswer, Refused>;

/// The way to answer an action.
pub type ActionReply = oneshot::Sender<ActionResult>;

/// The parts of a process that an operator can act on.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "each program fills it")]
pub struct Controls<'a> {
    /// The filter of the log, and the events.
    pub identity: &'a Identity,
    /// The sessions, if the process speaks BGP.
    pub sessions: Option<&'a mut Sessions>,
    /// The drain of the node, if the process speaks for one.
    pub drain: Option<&'a mut Drain>,
}

/// Carries out an action. The answer may come a little later, so that the main loop does not wait for a session.
pub(crate) async fn act(process: &mut impl Process, action: Action, reply: ActionReply) {
    let result = match action {
        Action::Peer(name, request) => match act_on_peer(process, name, request).await {
            Ok(peer::Outcome::Done(answer)) => Ok(answer),
            Ok(peer::Outcome::UnderWay(work)) => return peer::answer_later(work, reply),
            Err(refused) => Err(refused),
        },
        Action::LogLevel(request) => process.controls().set_log_level(request.filter.as_deref()),
        Action::Drain(request) => {
            let note = process.controls().request_drain(request.message.as_deref());
            answer_drain(process, note).await
        }
        Action::Undrain => {
            let note = process.controls().release_drain();
            answer_drain(process, note).await
        }
    };
    // The client may be gone.
    let _ = reply.send(result);
}

/// Carries out the step that is due, and answers with the stage after it.
async fn answer_drain(process: &mut impl Process, note: Result<String, Refused>) -> ActionResult {
    let note = note?;
    process.advance_drain().await;
    Ok(ActionAnswer::Drain(ferrolb_api::Drain { note: Some(note), ..process.drain() }))
}

async fn act_on_peer(
    process: &mut impl Process,
    name: String,
    request: PeerRequest,
) -> Result<peer::Outcome, Refused> {
    let key = peer::checked(&request).and_then(|()| find(process, name, &request))?;
    let controls = process.controls();
    let Some(sessions) = controls.sessions else { return Err(no_sessions()) };
    peer::act(sessions, controls.identity.events(), &key, request).await
}

/// Returns the session that a request is about.
fn find(
    process: &mut impl Process,
    name: String,
    request: &PeerRequest,
) -> Result<SessionKey, Refused> {
    let controls = process.controls();
    if controls.sessions.is_none() {
        return Err(no_sessions());
    }
    if controls.drain.is_some_and(|drain| drain.is_drained()) {
        let error = format!("peer {name}: the node is drained, so that it has no sessions");
        let hint = Some("end the drain first".to_owned());
        return Err(Refused::Conflict(ApiError { error, hint }));
    }
    session_of(process, &PeerName { name, node: request.node().map(str::to_owned) })
}

impl PeerRequest {
    fn node(&self) -> Option<&str> {
        match self {
            Self::Reset(action) | Self::Disable(action) | Self::Enable(action) => {
                action.node.as_deref()
            }
            Self::Refresh(refresh) => refresh.node.as_deref(),
        }
    }
}

impl Controls<'_> {
    fn set_log_level(&self, filter: Option<&str>) -> ActionResult {
        let (before, now) = self
            .identity
            .log()
            .set_filter(filter)
            .map_err(|error| peer::invalid(format!("filter: {error}")))?;
        let restored = if filter.is_none() { ", as at the start" } else { "" };
        let text = format!("the log level is {now}{restored}; before: {before}");
        tracing::warn!("an operator changed the log: {text}");
        let event = NewEvent::info(EventKind::Operator, format!("operator: {text}"));
        self.identity.events().record(event);
        Ok(ActionAnswer::Done(Done { done: text }))
    }

    fn request_drain(self, message: Option<&str>) -> Result<String, Refused> {
        let message = peer::checked_message(message)?;
        let events = self.identity.events();
        let drain = self.drain.ok_or_else(|| no_drain(self.identity))?;
        let note = if drain.is_drained() {
            "the node is drained already"
        } else if !drain.is_serving() {
            "the node is being drained already; the routers get the text of the first request"
        } else {
            "the drain begins"
        };
        drain.request_by_operator((!message.is_empty()).then(|| message.to_owned()));

        let node = drain.node().to_owned();
        tracing::warn!(node, message, "an operator requests a drain: {note}");
        let text = format!("operator: requests a drain{}; {note}", peer::quoted(message));
        events.record(NewEvent::warning(EventKind::Operator, text).node(node));
        Ok(note.to_owned())
    }

    fn release_drain(self) -> Result<String, Refused> {
        let events = self.identity.events();
        let drain = self.drain.ok_or_else(|| no_drain(self.identity))?;
        if !drain.is_requested() {
            return Ok("the node is not being drained".to_owned());
        }

        drain.release_by_operator();
        let note = match drain.other_requesters() {
            Some(others) => {
                format!("the node stays drained, because its drain is also requested by: {others}")
            }
            None => "the drain ends".to_owned(),
        };
        let node = drain.node().to_owned();
        tracing::warn!(node, "an operator no longer requests a drain: {note}");
        let text = format!("operator: no longer requests a drain; {note}");
        events.record(NewEvent::info(EventKind::Operator, text).node(node));
        Ok(note)
    }
}

fn no_sessions() -> Refused {
    let error = "this process speaks for no node, so that it has no peers".to_owned();
    let hint = Some("ask the process of a node: `ferrolb run` or `ferrolb speaker`".to_owned());
    Refused::NotFound(ApiError { error, hint })
}

fn no_drain(identity: &Identity) -> Refused {
    let error = match identity.program() {
        Program::Lab => "a lab has no node of its own that could be drained",
        _ => "this process speaks for no node that could be drained",
    };
    let hint = Some("ask the process of a node: `ferrolb run` or `ferrolb speaker`".to_owned());
    Refused::NotFound(ApiError { error: error.to_owned(), hint })
}
