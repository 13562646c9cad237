//! [`Readiness`]: the receivers at which datagrams may wait.
//!
//! Each receiver wakes the driver with its own waker, which remembers the receiver. So a wake costs as much as there are
//! datagrams, however many local addresses the host has.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use super::active::ReceiverAddress;
use crate::socket::bfd::Receiver;

/// The receivers that woke the driver.
#[derive(Default)]
pub(super) struct Readiness {
    ready: Arc<Mutex<Ready>>,
}

#[derive(Default)]
struct Ready {
    receivers: Vec<Arc<ReceiverAddress>>,
    /// The driver's task.
    driver: Option<Waker>,
}

impl Readiness {
    /// Waits until a receiver is ready.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut ready = lock(&self.ready);
        if !ready.receivers.is_empty() {
            return Poll::Ready(());
        }
        ready.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes the receivers that are ready. Each has to be [watched](Self::watch) again after its datagrams have been taken.
    pub(super) fn take(&self) -> Vec<Arc<ReceiverAddress>> {
        mem::take(&mut lock(&self.ready).receivers)
    }

    /// Watches a receiver until it is ready once. It may be ready already.
    pub(super) fn watch(&self, address: Arc<ReceiverAddress>, receiver: &Receiver) {
        let signal = Arc::new(Signal { address, ready: Arc::clone(&self.ready) });
        let waker = Waker::from(Arc::clone(&signal));
        if receiver.poll_ready(&mut Context::from_waker(&waker)).is_ready() {
            signal.wake();
        }
    }
}

/// The waker of one receiver.
struct Signal {
    address: Arc<ReceiverAddress>,
    ready: Arc<Mutex<Ready>>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = lock(&self.ready);
        ready.receivers.push(Arc::clone(&self.address));
        let driver = ready.driver.take();
        drop(ready);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// The list is consistent at any time, so a panic elsewhere doesn't spoil it.
fn lock(ready: &Mutex<Ready>) -> MutexGuard<'_, Ready> {
    ready.lock().unwrap_or_else(PoisonError::into_inner)
}
