//! [`Wake`]: the next input of a peer's task, and the wait for it.
//!
//! One function polls all sources in turn. `select!` would not do, because both connections read into
//! buffers of the same core value, which only one future at a time could borrow.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bgp_core::{Direction, fsm::TransportError};
use tokio::time::{Sleep, sleep};

use super::PeerTask;
use crate::{
    Transport,
    bfd::Transition,
    command::{Command, SessionEnd},
    table::WorkPermit,
};

/// A work permit that a task waits for.
pub(super) type AwaitedPermit = Pin<Box<dyn Future<Output = WorkPermit> + Send>>;

/// The next input to handle.
pub(super) enum Wake {
    /// The speaker ends, and the session like this; `None`: the speaker is gone.
    Stop(Option<SessionEnd>),
    /// A handle's request; `None`: no handle is left.
    Command(Option<Command>),
    /// Our attempt to connect is over.
    Connected(io::Result<Transport>),
    /// The peer connected to us.
    Accepted(Transport),
    /// The core's buffer for this connection has grown, or the connection is gone.
    Read(Direction, Result<(), TransportError>),
    /// This task may handle some of what it has read before.
    Permit(WorkPermit),
    /// The socket of this connection took octets: there is room for more.
    Wrote(Direction),
    /// One of the connections that were being closed is closed.
    Closed,
    /// A drain of the speaker reached another stage, or was cancelled.
    Drain,
    /// The VRPs of the speaker have changed.
    Vrps,
    /// Routes that are relayed to the peer changed.
    Relayed,
    /// The state of the BFD session changed.
    Bfd(Transition),
    /// The state of the BFD session changed, or the problem that keeps it from coming up.
    BfdStatus,
    /// A deadline has come.
    Deadline,
}

/// The timer for the earliest deadline.
pub(super) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    set: bool,
    /// The connections have been read once since the deadline came. Only then is it handled, so that messages which the
    /// peer has sent in time count, even if we are late.
    has_read: bool,
}

impl Alarm {
    pub(super) fn new() -> Self {
        Self { sleep: Box::pin(sleep(Duration::ZERO)), set: false, has_read: false }
    }

    fn set(&mut self, deadline: Option<Instant>) {
        self.set = deadline.is_some();
        let Some(deadline) = deadline.map(Into::into) else { return };
        if self.sleep.deadline() != deadline {
            self.has_read = false;
            self.sleep.as_mut().reset(deadline);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.set { self.sleep.as_mut().poll(cx) } else { Poll::Pending }
    }
}

impl PeerTask {
    /// Waits for the next input. May be dropped at any time without loss.
    pub(super) async fn wait(&mut self) -> Wake {
        let deadlines =
            [self.peer.poll_timeout(), self.bfd.held_until(), self.early_start.deadline()];
        self.alarm.set(deadlines.into_iter().flatten().min());

        poll_fn(|cx| self.poll_sources(cx)).await
    }

    /// Polls each source once. The first is the one after the source that was ready last, so that a busy one doesn't
    /// starve the others.
    fn poll_sources(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        for _ in 0..SOURCES {
            self.last_source = (self.last_source + 1) % SOURCES;
            let polled = self.poll_source(cx, self.last_source);
            if polled.is_ready() {
                return polled;
            }
        }
        Poll::Pending
    }

    fn poll_source(&mut self, cx: &mut Context<'_>, source: usize) -> Poll<Wake> {
        match source {
            0 => self.poll_stop(cx),
            1 => self.inputs.commands.poll_recv(cx).map(Wake::Command),
            2 => self.poll_accepted(cx),
            3 => self.poll_connecting(cx),
            4 => self.poll_read(cx, Direction::Outgoing),
            5 => self.poll_read(cx, Direction::Incoming),
            6 => self.poll_write(cx, Direction::Outgoing),
            7 => self.poll_write(cx, Direction::Incoming),
            8 => self.poll_closing(cx),
            9 => self.poll_drain(cx),
            10 => self.poll_permit(cx),
            11 => self.bfd.poll_transition(cx).map(Wake::Bfd),
            12 => self.bfd.poll_status(cx).map(|()| Wake::BfdStatus),
            13 => self.inputs.vrps.poll_changed(cx).map(|()| Wake::Vrps),
            14 => self.poll_relayed(cx),
            _ => self.poll_alarm(cx),
        }
    }

    fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        Pin::new(&mut self.inputs.stop).poll(cx).map(|end| Wake::Stop(end.ok()))
    }

    fn poll_accepted(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        match self.inputs.accepted.poll_recv(cx) {
            Poll::Ready(Some(transport)) => Poll::Ready(Wake::Accepted(transport)),
            // The registry dropped its end. `stop` reports that too.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_connecting(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let Some(connecting) = &mut self.connecting else { return Poll::Pending };
        connecting.as_mut().poll(cx).map(|outcome| {
            self.connecting = None;
            Wake::Connected(outcome)
        })
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, direction: Direction) -> Poll<Wake> {
        if self.must_catch_up() {
            return Poll::Pending;
        }
        self.poll_socket(cx, direction)
    }

    fn poll_permit(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        if !self.has_backlog() {
            self.awaited_permit = None;
            return Poll::Pending;
        }

        let reports = &self.reports;
        let awaited = self.awaited_permit.get_or_insert_with(|| Box::pin(reports.work_permit()));
        awaited.as_mut().poll(cx).map(|permit| {
            self.awaited_permit = None;
            Wake::Permit(permit)
        })
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, direction: Direction) -> Poll<Wake> {
        let Some(connection) = self.connections.get_mut(direction) else { return Poll::Pending };
        let buffer = self.peer.read_buffer(direction);
        connection.poll_read(cx, buffer).map(|outcome| Wake::Read(direction, outcome))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, direction: Direction) -> Poll<Wake> {
        let Some(connection) = self.connections.get_mut(direction) else { return Poll::Pending };
        connection.poll_write(cx).map(|()| Wake::Wrote(direction))
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        match self.closing.poll_join_next(cx) {
            Poll::Ready(Some(_)) => Poll::Ready(Wake::Closed),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        self.inputs.drain.poll_changed(cx).map(|()| Wake::Drain)
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        if self.alarm.poll(cx).is_pending() {
            return Poll::Pending;
        }

        if !std::mem::replace(&mut self.alarm.has_read, true) {
            for direction in [Direction::Outgoing, Direction::Incoming] {
                let read = self.poll_socket(cx, direction);
                // The end of a connection must not overtake the messages before it. The next read finds it again.
                let ended = matches!(read, Poll::Ready(Wake::Read(_, Err(_))));
                if read.is_ready() && !(ended && self.unread.contains(&direction)) {
                    return read;
                }
            }
        }

        self.alarm.has_read = false;
        Poll::Ready(Wake::Deadline)
    }
}

const SOURCES: usize = 16;

#[cfg(test)]
#[path = "wake_tests.rs"]
pub(super) mod tests;
