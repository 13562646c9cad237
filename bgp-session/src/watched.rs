//! [`Watched`]: a value that the speaker changes for all its peers, for a task that polls.

use std::{
    future::{Future, pending},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::sync::watch;

/// A value of the speaker, as a peer's task follows it.
pub(crate) struct Watched<T> {
    value: watch::Receiver<T>,
    /// Kept between polls, because a dropped future loses its waker.
    changed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<T: Clone + Send + Sync + 'static> Watched<T> {
    pub(crate) fn new(value: &watch::Sender<T>) -> Self {
        let mut value = value.subscribe();
        // The first poll is ready at once, so that the task learns the current value.
        value.mark_changed();
        Self { changed: Box::pin(changed(value.clone())), value }
    }

    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.changed.as_mut().poll(cx)
    }

    /// Returns the current value. From now on polls wait for the next change.
    pub(crate) fn take(&mut self) -> T {
        let value = self.value.borrow_and_update().clone();
        self.changed = Box::pin(changed(self.value.clone()));
        value
    }
}

async fn changed<T>(mut value: watch::Receiver<T>) {
    if value.changed().await.is_err() {
        // The speaker is gone, which the task learns elsewhere.
        pending::<()>().await;
    }
}
