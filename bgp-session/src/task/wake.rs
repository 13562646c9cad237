//! [`Wake`]: the one thing that a peer's task waits for next.
//!
//! All sources are polled in turn from one place, not by `select!`: both connections read into
//! buffers of the same core value, which only one future at a time could borrow.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bgp_core::{Direction, fsm::TransportError, wire::Notification};

use super::PeerTask;
use crate::{Transport, bfd::Transition, command::Command, table::Turn};

/// A turn that a task waits for.
pub(super) type WaitingTurn = Pin<Box<dyn Future<Output = Turn> + Send>>;

/// What happened.
pub(super) enum Wake {
    /// The speaker ends, with this word to the peer; `None`: it is gone.
    Stop(Option<Notification>),
    /// A handle asks for something; `None`: no handle is left.
    Command(Option<Command>),
    /// Our attempt to connect is over.
    Connected(io::Result<Transport>),
    /// The peer connected to us.
    Accepted(Transport),
    /// The core's buffer for this connection has grown, or the connection is gone.
    Read(Direction, Result<(), TransportError>),
    /// It is this task's turn to go on with what has been read before. Dropping the value ends the turn.
    Turn(Turn),
    /// The socket of this connection took octets: there is room for more.
    Wrote(Direction),
    /// One of the connections that only had to say their last words is closed.
    Closed,
    /// A drain of the speaker has come further, or was called off.
    Drain,
    /// BFD has something to tell.
    Bfd(Transition),
    /// A deadline has come.
    Deadline,
}

impl PeerTask {
    /// Waits for the next thing. May be dropped at any time without loss.
    pub(super) async fn wait(&mut self) -> Wake {
        self.set_alarm();
        poll_fn(|cx| self.poll_sources(cx)).await
    }

    fn set_alarm(&mut self) {
        let deadlines = [self.peer.poll_timeout(), self.liveness.held_until(), self.begin_at];
        self.alarm_set = match deadlines.into_iter().flatten().min() {
            Some(deadline) => {
                let deadline = deadline.into();
                if self.alarm.deadline() != deadline {
                    self.read_at_deadline = false;
                    self.alarm.as_mut().reset(deadline);
                }
                true
            }
            None => false,
        };
    }

    /// Each call begins after the source that was served last, so that a busy one doesn't starve
    /// the others.
    fn poll_sources(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        for _ in 0..SOURCES {
            self.turn = (self.turn + 1) % SOURCES;
            let polled = match self.turn {
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
                10 => self.poll_turn(cx),
                11 => self.liveness.poll_heard(cx).map(Wake::Bfd),
                _ => self.poll_alarm(cx),
            };
            if polled.is_ready() {
                return polled;
            }
        }
        Poll::Pending
    }

    fn poll_stop(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        Pin::new(&mut self.inputs.stop).poll(cx).map(|cease| Wake::Stop(cease.ok()))
    }

    fn poll_accepted(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        match self.inputs.accepted.poll_recv(cx) {
            Poll::Ready(Some(transport)) => Poll::Ready(Wake::Accepted(transport)),
            // The registry dropped its end, which is no news: `stop` tells.
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
        if self.has_backlog() {
            return Poll::Pending;
        }
        self.poll_socket(cx, direction)
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        if !self.has_backlog() {
            self.waiting_turn = None;
            return Poll::Pending;
        }
        let waiting = self.waiting_turn.get_or_insert_with(|| Box::pin(self.reports.turn()));
        waiting.as_mut().poll(cx).map(|turn| {
            self.waiting_turn = None;
            Wake::Turn(turn)
        })
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, direction: Direction) -> Poll<Wake> {
        let Some(link) = self.links.get_mut(direction) else { return Poll::Pending };
        let buffer = self.peer.read_buffer(direction);
        link.poll_read(cx, buffer).map(|outcome| Wake::Read(direction, outcome))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, direction: Direction) -> Poll<Wake> {
        let Some(link) = self.links.get_mut(direction) else { return Poll::Pending };
        link.poll_write(cx).map(|()| Wake::Wrote(direction))
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
        if !self.alarm_set {
            return Poll::Pending;
        }
        if self.alarm.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }

        if !std::mem::replace(&mut self.read_at_deadline, true) {
            for direction in [Direction::Outgoing, Direction::Incoming] {
                let read = self.poll_socket(cx, direction);
                // The end of a connection waits for the messages that came before it: the next read finds it again.
                let ended = matches!(read, Poll::Ready(Wake::Read(_, Err(_))));
                if read.is_ready() && !(ended && self.unread.contains(&direction)) {
                    return read;
                }
            }
        }

        self.read_at_deadline = false;
        Poll::Ready(Wake::Deadline)
    }
}

const SOURCES: usize = 13;
