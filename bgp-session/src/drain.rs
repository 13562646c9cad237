//! Maintenance without loss (RFC 8326): routes are marked, withdrawn, and only then the sessions are ended.

use std::{
    future::{Future, pending},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use crate::Speaker;

/// How [`Speaker::drain`] goes about it.
///
/// ```
/// use std::time::Duration;
/// use bgp_session::GracefulShutdown;
///
/// let how = GracefulShutdown::new().message("kernel upgrade").marked_for(Duration::from_secs(30));
/// # let _ = how;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct GracefulShutdown {
    marked: Duration,
    withdrawn: Duration,
    message: String,
}

impl GracefulShutdown {
    /// Ten seconds marked, five withdrawn, and no message.
    pub fn new() -> Self {
        let (marked, withdrawn) = (Duration::from_secs(10), Duration::from_secs(5));
        Self { marked, withdrawn, message: String::new() }
    }

    /// How long routes are announced with GRACEFUL_SHUTDOWN before they are withdrawn: so long the network has to find
    /// other ways, while traffic still arrives here.
    pub fn marked_for(mut self, time: Duration) -> Self {
        self.marked = time;
        self
    }

    /// How long routes are withdrawn before the sessions end: so long traffic that is under way still arrives.
    pub fn withdrawn_for(mut self, time: Duration) -> Self {
        self.withdrawn = time;
        self
    }

    /// The text for the peers' operators (RFC 9003).
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

/// How far a [drain](Speaker::drain) has come at a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 8326 has these steps; the last is the session's end"
)]
pub enum DrainStage {
    /// No drain: routes are as they should be.
    #[default]
    Normal,
    /// Routes have the community GRACEFUL_SHUTDOWN, and LOCAL_PREF 0 within the AS.
    Marked,
    /// Routes are withdrawn.
    Withdrawn,
}

impl Speaker {
    /// Takes the speaker out of service without loss (RFC 8326): announces all routes with the community
    /// GRACEFUL_SHUTDOWN, waits, withdraws them, waits, and [shuts down](Self::shutdown) with the message. Each step is an
    /// event of each peer; routes that change meanwhile are marked or held back as well.
    ///
    /// To call it off, drop the future before it is done, as `tokio::select!` does: all routes are announced again as
    /// they should be. Once the sessions are ending it is too late for that.
    pub async fn drain(&self, how: GracefulShutdown) {
        let mut called_off = CalledOff(Some(self.drain_stage()));
        self.drain_stage().send_replace(DrainStage::Marked);
        sleep(how.marked).await;
        self.drain_stage().send_replace(DrainStage::Withdrawn);
        sleep(how.withdrawn).await;
        called_off.0 = None;
        self.shutdown(&how.message).await;
    }
}

/// How far the speaker's drain has come, for a task that polls.
pub(crate) struct DrainWatch {
    stage: watch::Receiver<DrainStage>,
    /// Kept between polls, since a future that is dropped forgets who waits.
    changed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl DrainWatch {
    pub(crate) fn new(stage: &watch::Sender<DrainStage>) -> Self {
        let mut stage = stage.subscribe();
        // Looked at once in any case.
        stage.mark_changed();
        Self { changed: Box::pin(changed(stage.clone())), stage }
    }

    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.changed.as_mut().poll(cx)
    }

    /// The present stage; from now on a change of it is waited for.
    pub(crate) fn take(&mut self) -> DrainStage {
        let stage = *self.stage.borrow_and_update();
        self.changed = Box::pin(changed(self.stage.clone()));
        stage
    }
}

async fn changed(mut stage: watch::Receiver<DrainStage>) {
    if stage.changed().await.is_err() {
        // The speaker is gone, of which the task hears elsewhere.
        pending::<()>().await;
    }
}

/// Puts everything back, unless it is done.
struct CalledOff<'a>(Option<&'a watch::Sender<DrainStage>>);

impl Drop for CalledOff<'_> {
    fn drop(&mut self) {
        if let Some(stage) = self.0 {
            stage.send_replace(DrainStage::Normal);
        }
    }
}
