//! The actions of an operator on one peer of a node.
//!
//! Knows which peers are disabled. The answers and log lines are those of `actions`.

use std::collections::BTreeMap;

use bgp_session::{AfiSafi, PeerHandle, SpeakerError};

use super::{SessionKey, Sessions};

/// The reason why an action on a peer did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerControlError {
    /// The session could not be opened, so that there is nothing to act on.
    #[error("the session could not be opened: {0}")]
    NotOpened(String),
    /// No router has been found on the interface.
    #[error("there is no session: no router has been heard on the interface yet")]
    NoRouter,
    /// No session is up.
    #[error("there is no session to refresh: its state is {0}")]
    NotEstablished(String),
    /// The session refuses it.
    #[error(transparent)]
    Session(#[from] SpeakerError),
}

/// An action on a peer that may take a moment. It needs no access to the sessions any more, so that the main loop does not
/// wait for it.
#[derive(Clone, Debug)]
pub struct PeerControl {
    peer: PeerHandle,
}

impl Sessions {
    /// Ends a session with Administrative Shutdown and this text for the operator of the router, and starts no other until
    /// [`enable`](Self::enable). The peer stays disabled while the configuration has it, also if its session has to be opened
    /// again.
    ///
    /// # Errors
    ///
    /// The session has been ended for good.
    pub async fn disable(&mut self, key: &SessionKey, message: &str) -> Result<(), SpeakerError> {
        if let Some(session) = self.open.get(key) {
            session.disable(message).await?;
        }
        self.disabled.insert(key.clone(), message.to_owned());
        Ok(())
    }

    /// Ends the effect of [`disable`](Self::disable), and the pause after failures.
    ///
    /// # Errors
    ///
    /// The session has been ended for good.
    pub async fn enable(&mut self, key: &SessionKey) -> Result<(), SpeakerError> {
        if let Some(session) = self.open.get(key) {
            session.enable().await?;
        }
        self.disabled.remove(key);
        Ok(())
    }

    /// Returns the text with which an operator has disabled the peer, empty for none; `None` if the peer is enabled.
    pub fn disabled(&self, key: &SessionKey) -> Option<&str> {
        self.disabled.get(key).map(String::as_str)
    }

    /// Returns the handle for actions on the session that is open.
    ///
    /// # Errors
    ///
    /// There is no session to act on.
    pub fn control(&self, key: &SessionKey) -> Result<PeerControl, PeerControlError> {
        if let Some((error, _)) = self.failed.get(key) {
            return Err(PeerControlError::NotOpened(error.clone()));
        }
        let session = self.open.get(key).ok_or(PeerControlError::NoRouter)?;
        let peer = session.peer().ok_or(PeerControlError::NoRouter)?;
        Ok(PeerControl { peer })
    }

    /// Keeps peers disabled whose session continues, under their new names, and those that are still desired.
    pub(super) fn keep_disabled(
        &mut self,
        pairs: &BTreeMap<SessionKey, SessionKey>,
        is_desired: impl Fn(&SessionKey) -> bool,
    ) {
        let mut before = std::mem::take(&mut self.disabled);
        for (key, old_key) in pairs {
            if let Some(message) = before.remove(old_key) {
                self.disabled.insert(key.clone(), message);
            }
        }
        for (key, message) in before.into_iter().filter(|(key, _)| is_desired(key)) {
            self.disabled.entry(key).or_insert(message);
        }
    }
}

impl PeerControl {
    /// Ends the session with Administrative Reset and this text for the operator of the router; the next one begins soon.
    ///
    /// # Errors
    ///
    /// The peer is disabled, or is gone.
    pub async fn reset(&self, message: &str) -> Result<(), PeerControlError> {
        Ok(self.peer.reset(message).await?)
    }

    /// Sends all routes of every family of the session again. Returns the families.
    ///
    /// # Errors
    ///
    /// No session is up.
    pub async fn resend(&self) -> Result<Vec<AfiSafi>, PeerControlError> {
        let families = self.families()?;
        for family in &families {
            self.peer.resend(*family).await?;
        }
        Ok(families)
    }

    /// Asks the router to send all its routes of every family of the session again (RFC 2918). Returns the families.
    ///
    /// # Errors
    ///
    /// No session is up, or one end does not support the request.
    pub async fn refresh(&self) -> Result<Vec<AfiSafi>, PeerControlError> {
        let families = self.families()?;
        for family in &families {
            self.peer.refresh(*family).await?;
        }
        Ok(families)
    }

    fn families(&self) -> Result<Vec<AfiSafi>, PeerControlError> {
        let status = self.peer.status();
        match status.negotiated {
            Some(negotiated) => Ok(negotiated.families.to_vec()),
            None => Err(PeerControlError::NotEstablished(status.state.to_string())),
        }
    }
}
