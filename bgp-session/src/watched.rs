//! [`Watchable`] and [`Watched`]: a value that the speaker changes for all its peers, for a task that polls.
//!
//! A change wakes the tasks in the order in which they wait. `tokio::sync::watch` alone has a random order, which a simulation
//! could not repeat.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::sync::{
    Notify,
    futures::OwnedNotified,
    watch::{Receiver, Ref, Sender},
};

/// A value of the speaker. Its clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchable<T> {
    value: Sender<T>,
    changed: Arc<Notify>,
}

impl<T> Watchable<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Sender::new(value), changed: Arc::default() }
    }

    /// Changes the value, and wakes those who watch it.
    pub(crate) fn set(&self, value: T) {
        self.value.send_replace(value);
        self.changed.notify_waiters();
    }

    pub(crate) fn get(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    /// Watches the value. The first poll is ready at once, so that the task learns the current value.
    pub(crate) fn watch(&self) -> Watched<T> {
        let changed = Box::pin(Arc::clone(&self.changed).notified_owned());
        let mut value = self.value.subscribe();
        value.mark_changed();
        Watched { value, source: Arc::clone(&self.changed), changed }
    }

    /// Returns true if someone watches the value.
    pub(crate) fn is_watched(&self) -> bool {
        self.value.receiver_count() > 0
    }

    /// Waits until no one watches the value.
    pub(crate) async fn unwatched(&self) {
        self.value.closed().await;
    }

    /// Returns true if the other is a clone of this.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.value.same_channel(&other.value)
    }
}

/// A value of the speaker, as a peer's task follows it.
pub(crate) struct Watched<T> {
    value: Receiver<T>,
    source: Arc<Notify>,
    /// Kept between polls, because a dropped future loses its place.
    changed: Pin<Box<OwnedNotified>>,
}

impl<T: Clone> Watched<T> {
    /// Waits until the value has changed. Waits for ever once the speaker is gone, which the task learns elsewhere.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.value.has_changed().unwrap_or(false) {
                return Poll::Ready(());
            }
            ready!(self.changed.as_mut().poll(cx));
            // It hears of every change from now on, also before it is polled.
            self.changed.set(Arc::clone(&self.source).notified_owned());
        }
    }

    /// Returns the current value. From now on polls wait for the next change.
    pub(crate) fn take(&mut self) -> T {
        self.value.borrow_and_update().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{Mutex, atomic::AtomicUsize, atomic::Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn a_change_wakes_those_who_wait_in_their_order_and_each_of_them_once() {
        const WATCHERS: usize = 20;
        let (watchable, woken) = (Watchable::new(0), Arc::new(Mutex::new(Vec::new())));
        let waiting = Arc::new(AtomicUsize::new(0));
        for number in 0..WATCHERS {
            let (mut watched, woken) = (watchable.watch(), Arc::clone(&woken));
            let waiting = Arc::clone(&waiting);
            tokio::spawn(async move {
                loop {
                    poll_fn(|cx| watched.poll_changed(cx)).await;
                    woken.lock().unwrap().push((watched.take(), number));
                    waiting.fetch_add(1, Ordering::Relaxed);
                }
            });
        }

        for value in 0..3 {
            if value > 0 {
                watchable.set(value);
            }
            while waiting.swap(0, Ordering::Relaxed) < WATCHERS {
                tokio::task::yield_now().await;
            }
            let woken = std::mem::take(&mut *woken.lock().unwrap());
            let expected: Vec<_> = (0..WATCHERS).map(|number| (value, number)).collect();
            assert_eq!(woken, expected);
        }
    }

    #[tokio::test]
    async fn a_change_between_two_polls_is_not_missed() {
        let watchable = Watchable::new('a');
        let mut watched = watchable.watch();
        watched.take();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(watched.poll_changed(&mut cx).is_pending());
        watchable.set('b');
        assert!(watched.poll_changed(&mut cx).is_ready());
        assert_eq!(watched.take(), 'b');
        assert!(watched.poll_changed(&mut cx).is_pending());

        assert!(watchable.is_watched());
        drop(watched);
        watchable.unwatched().await;
        assert!(!watchable.is_watched());
    }
}
