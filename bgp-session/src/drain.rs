//! Maintenance without loss (RFC 8326): the speaker marks its routes, then withdraws them, and only then ends the sessions.

use std::{fmt, time::Duration};

use tokio::time::sleep;

use crate::{Speaker, watched::Watchable};

/// The timing and the message of [`Speaker::drain`].
///
/// ```
/// use std::time::Duration;
/// use bgp_session::GracefulShutdown;
///
/// let shutdown = GracefulShutdown::new().message("kernel upgrade").marked_for(Duration::from_secs(30));
/// # let _ = shutdown;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub struct GracefulShutdown {
    marked: Duration,
    withdrawn: Duration,
    message: String,
}

impl GracefulShutdown {
    /// Ten seconds marked, five seconds withdrawn, and no message.
    pub fn new() -> Self {
        let (marked, withdrawn) = (Duration::from_secs(10), Duration::from_secs(5));
        Self { marked, withdrawn, message: String::new() }
    }

    /// Sets how long routes are announced with GRACEFUL_SHUTDOWN before they are withdrawn. The network can find other
    /// paths in that time, while traffic still arrives here.
    pub fn marked_for(mut self, time: Duration) -> Self {
        self.marked = time;
        self
    }

    /// Sets how long routes are withdrawn before the sessions end. Packets that are under way still arrive in that time.
    pub fn withdrawn_for(mut self, time: Duration) -> Self {
        self.withdrawn = time;
        self
    }

    /// Sets the text for the peers' operators (RFC 9003).
    pub fn message(mut self, text: impl Into<String>) -> Self {
        self.message = text.into();
        self
    }
}

impl Default for GracefulShutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// The stage of a [drain](Speaker::drain) at a peer. It prints as a short sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "RFC 8326 has these steps, and then the session ends")]
pub enum DrainStage {
    /// No drain: routes are announced unchanged.
    #[default]
    Normal,
    /// Routes have the community GRACEFUL_SHUTDOWN, and LOCAL_PREF 0 within the AS.
    Marked,
    /// Routes are withdrawn.
    Withdrawn,
}

impl fmt::Display for DrainStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Normal => "routes are announced unchanged",
            Self::Marked => "routes are marked with GRACEFUL_SHUTDOWN",
            Self::Withdrawn => "routes are withdrawn",
        })
    }
}

impl Speaker {
    /// Takes the speaker out of service without loss (RFC 8326): announces all routes with the community
    /// GRACEFUL_SHUTDOWN, waits, withdraws them, waits, and [shuts down](Self::shutdown) with the message. Each peer
    /// reports each step as an event. Routes that change during the drain are marked or withheld as well.
    ///
    /// # Cancel safety
    ///
    /// To cancel the drain, drop the future before it is done, as `tokio::select!` does: all routes are announced unchanged
    /// again. Once the sessions have begun to end, the drain can no longer be cancelled: they end in the background.
    pub async fn drain(&self, shutdown: GracefulShutdown) {
        let mut cancel = CancelOnDrop(Some(self.drain_stage()));
        self.drain_stage().set(DrainStage::Marked);
        sleep(shutdown.marked).await;

        self.drain_stage().set(DrainStage::Withdrawn);
        sleep(shutdown.withdrawn).await;

        cancel.0 = None;
        self.shutdown(&shutdown.message).await;
    }
}

/// Cancels the drain when it is dropped before the end.
struct CancelOnDrop<'a>(Option<&'a Watchable<DrainStage>>);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(stage) = self.0 {
            stage.set(DrainStage::Normal);
        }
    }
}
