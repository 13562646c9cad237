//! The actions on one peer.

use std::pin::Pin;
use std::time::Duration;

use bgp_session::{AfiSafi, SpeakerError};
use ferrolb_api::action::{Done, RefreshDirection};
use ferrolb_api::{ApiError, EventKind};
use tokio::time::timeout;

use super::{ActionAnswer, ActionReply, ActionResult, PeerRequest};
use crate::api::Refused;
use crate::events::{EventLog, NewEvent};
use crate::sessions::{PeerControl, PeerControlError, SessionKey, Sessions};

/// The most octets of a text for the operator of a router (RFC 9003 section 2).
const MOST_OCTETS: usize = 255;
/// The time after which the client learns that a session has not responded.
const PATIENCE: Duration = Duration::from_secs(1);
/// The time after which a session that has not responded never will.
const HANGING: Duration = Duration::from_secs(60);

/// The outcome of a request.
pub(super) enum Outcome {
    /// It was carried out.
    Done(ActionAnswer),
    /// The session carries it out.
    UnderWay(Work),
}

/// An action that the session carries out, without the main loop.
pub(super) type Work = Pin<Box<dyn Future<Output = ActionResult> + Send>>;

/// Answers when the session has carried out the action, or takes too long. It may do so later.
pub(super) fn answer_later(mut work: Work, reply: ActionReply) {
    tokio::spawn(async move {
        let Ok(result) = timeout(PATIENCE, &mut work).await else {
            // The client may be gone.
            let _ = reply.send(Err(no_response()));
            drop(timeout(HANGING, work).await);
            return;
        };
        let _ = reply.send(result);
    });
}

/// Checks a request without regard to the state of the session.
pub(super) fn checked(request: &PeerRequest) -> Result<(), Refused> {
    match request {
        PeerRequest::Reset(action) | PeerRequest::Disable(action) => {
            checked_message(action.message.as_deref()).map(|_| ())
        }
        PeerRequest::Enable(action) if action.message.is_some() => {
            Err(invalid("message: expected none, since enabling a peer sends no text"))
        }
        PeerRequest::Enable(_) | PeerRequest::Refresh(_) => Ok(()),
    }
}

/// Carries out a checked request, or has the session do so.
pub(super) async fn act(
    sessions: &mut Sessions,
    events: &EventLog,
    key: &SessionKey,
    request: PeerRequest,
) -> Result<Outcome, Refused> {
    let is_disabled = sessions.disabled(key).is_some();
    let text = match request {
        PeerRequest::Reset(_) if is_disabled => return Err(disabled(key)),
        PeerRequest::Reset(_) | PeerRequest::Refresh(_) => {
            let control = sessions.control(key).map_err(|error| refused(key, &error))?;
            let (events, key) = (events.clone(), key.clone());
            return Ok(Outcome::UnderWay(Box::pin(async move {
                let performed = perform(&control, &request).await;
                let text = performed.map_err(|error| refused(&key, &error))?;
                Ok(report(&events, &key, &text))
            })));
        }
        PeerRequest::Disable(action) => {
            let message = action.message.unwrap_or_default();
            in_time(key, sessions.disable(key, &message)).await?;
            let before = if is_disabled { "; it was disabled already" } else { "" };
            format!("disabled the peer{}{before}", quoted(&message))
        }
        PeerRequest::Enable(_) => {
            in_time(key, sessions.enable(key)).await?;
            if is_disabled {
                "enabled the peer".to_owned()
            } else {
                "the peer was enabled already; a session that is down is tried at once".to_owned()
            }
        }
    };
    Ok(Outcome::Done(report(events, key, &text)))
}

/// Has the session carry out a request, and returns what was done.
async fn perform(control: &PeerControl, request: &PeerRequest) -> Result<String, PeerControlError> {
    match request {
        PeerRequest::Refresh(refresh) if refresh.direction == RefreshDirection::In => {
            let families = control.refresh().await?;
            Ok(format!("asked for the peer's routes again: {}", listed(&families)))
        }
        PeerRequest::Refresh(_) => {
            let families = control.resend().await?;
            Ok(format!("sending the routes again: {}", listed(&families)))
        }
        PeerRequest::Reset(action) | PeerRequest::Disable(action) | PeerRequest::Enable(action) => {
            let message = action.message.as_deref().unwrap_or_default();
            control.reset(message).await?;
            Ok(format!("reset the session{}", quoted(message)))
        }
    }
}

/// Waits for a request to be accepted by the session, but not for long.
async fn in_time(
    key: &SessionKey,
    work: impl Future<Output = Result<(), SpeakerError>>,
) -> Result<(), Refused> {
    match timeout(PATIENCE, work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refused(key, &error.into())),
        Err(_) => Err(no_response()),
    }
}

/// Returns the text for the operator of a router; empty for none.
pub(super) fn checked_message(message: Option<&str>) -> Result<&str, Refused> {
    let message = message.unwrap_or_default();
    if message.len() > MOST_OCTETS {
        return Err(invalid(format!(
            "message: it has {} octets, expected at most {MOST_OCTETS} (RFC 9003)",
            message.len()
        )));
    }
    Ok(message)
}

/// Returns the text in quotes after a colon, or nothing for none. It may contain anything.
pub(super) fn quoted(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message:?}") }
}

/// Returns an error for a value that makes no sense.
pub(super) fn invalid(error: impl Into<String>) -> Refused {
    Refused::BadRequest(ApiError::new(error))
}

/// Logs and records what an operator did, and answers with it.
fn report(events: &EventLog, key: &SessionKey, text: &str) -> ActionAnswer {
    let SessionKey { node, peer } = key;
    tracing::warn!(node, peer, "an operator acted on the peer: {text}");
    let event = NewEvent::warning(EventKind::Operator, format!("operator: {text}"));
    events.record(event.node(node).peer(peer));
    ActionAnswer::Done(Done { done: format!("peer {peer}: {text}") })
}

fn disabled(key: &SessionKey) -> Refused {
    let error = format!("peer {} is disabled, so that it has no session", key.peer);
    Refused::Conflict(ApiError { error, hint: Some("enable it".to_owned()) })
}

fn refused(key: &SessionKey, error: &PeerControlError) -> Refused {
    Refused::Conflict(ApiError::new(format!("peer {}: {error:#}", key.peer)))
}

fn no_response() -> Refused {
    let error = format!("the session has not responded within {PATIENCE:?}; it may still act");
    Refused::Unavailable(ApiError::new(error))
}

fn listed(families: &[AfiSafi]) -> String {
    let families: Vec<_> = families.iter().map(ToString::to_string).collect();
    families.join(", ")
}
