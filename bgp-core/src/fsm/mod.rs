//! The state machine of one connection (RFC 4271, section 8), without a socket and without a clock.
//!
//! ```text
//!             ManualStart                TCP is up            OPEN               KEEPALIVE
//!   ┌──────┐ ───────────► ┌─────────┐ ─────────────► ┌──────────┐ ──► ┌─────────────┐ ──► ┌─────────────┐
//!   │ Idle │              │ Connect │                │ OpenSent │     │ OpenConfirm │     │ Established │
//!   └──────┘ ───────────► ├─────────┤ ─────────────► └──────────┘     └─────────────┘     └─────────────┘
//!       ▲      passive    │ Active  │                     │                  │                   │
//!       │                 └─────────┘                     │                  │                   │
//!       └──────────────────────┴──────────────────────────┴──────────────────┴───────────────────┘
//!                           any failure; begun anew when the IdleHoldTimer expires
//! ```
//!
//! Events go in as values ([`Fsm::handle`]), actions come out as values ([`Fsm::poll_action`]), deadlines are
//! asked for ([`Fsm::poll_timeout`]), and control messages are flags, at most one of each due
//! ([`Fsm::poll_control`]). A state can touch nothing else, so the same events at the same instants give the
//! same run. There is no error type: every event has a successor in every state.
//!
//! A peer may have two connections for a moment, the one that we made and the one that it made; each is a
//! machine of its own, and [`Peer`](crate::peer::Peer) settles which one stays.
//!
//! Where this differs from the letter of the RFC:
//!
//! * A NOTIFICATION is never answered by one, not even in OpenSent (section 6.4).
//! * A connection that loses a collision goes to Idle without a pause: the other one is the session.
//! * A passive peer runs no ConnectRetryTimer: in Active it would make it dial.
//! * The SendHoldTimer (RFC 9687) runs only while octets wait: whoever drives the machine says when that is.
//! * After a failure in TCP the pause is never longer than the ConnectRetryTime; the damping of oscillations
//!   is for peers that come up and go down, not for a cable that is out.

mod action;
mod active;
mod before_open;
mod collision;
mod config;
mod connect;
mod connect_mode;
mod established;
mod event;
mod extensions;
mod idle;
mod jitter;
mod local_as;
mod negotiate;
mod offer;
mod open_confirm;
mod open_sent;
mod reason;
mod refusal;
mod remote_as;
mod role;
mod state;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::Direction;
use crate::wire::{CeaseSubcode, Notification, Open};

pub use self::action::Action;
pub use self::collision::{Speaker, Verdict, resolve};
pub use self::config::FsmConfig;
pub use self::connect_mode::ConnectMode;
pub use self::event::Event;
pub use self::extensions::{Agreed, Extensions, RestartConfig};
pub use self::local_as::{LocalAs, ReceivedPath, SentPath};
pub use self::negotiate::Negotiated;
pub use self::reason::{DownReason, EndedBy, TransportError};
pub use self::refusal::Refusal;
pub use self::remote_as::{ParseRemoteAsError, RemoteAs};
pub use self::role::RoleConfig;
pub use self::state::StateKind;
pub use self::timers::Timer;
pub(crate) use self::timers::after;

use self::active::Active;
use self::idle::Idle;
use self::jitter::Jitter;
use self::state::State;
use self::timers::TimerTable;

/// However short the configured times are, the pause after a failure is not shorter than this, less the jitter:
/// a peer that refuses at once must not be dialled in a tight loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// The state machine of one connection.
#[derive(Debug)]
pub struct Fsm {
    state: State,
    cx: Context,
}

/// A message that the state machine itself wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the rest of the messages carry routes, and are not the FSM's"
)]
pub enum Control {
    /// The last message of a connection.
    Notification(Notification),
    /// The first message of a connection.
    Open(Open),
    /// Confirms the OPEN, then shows that we live.
    Keepalive,
}

impl Fsm {
    /// The machine of the connection that we make: Idle until started.
    #[must_use]
    pub fn outgoing(config: Arc<FsmConfig>) -> Self {
        let seed = config.jitter_seed;
        Self { state: State::Idle(Idle), cx: Context::new(config, Direction::Outgoing, seed) }
    }

    /// The machine of a connection that the peer made and we accepted.
    #[must_use]
    pub fn incoming(config: Arc<FsmConfig>, now: Instant) -> Self {
        // Another seed than the outgoing machine's, or both would draw the same jitter.
        let seed = !config.jitter_seed;
        let mut fsm = Self {
            state: State::Active(Active),
            cx: Context::new(config, Direction::Incoming, seed),
        };
        fsm.handle(now, Event::TcpConnectionConfirmed);
        fsm
    }

    /// Takes one event.
    pub fn handle(&mut self, now: Instant, event: Event) {
        let from = self.state.kind();
        let state = std::mem::replace(&mut self.state, State::Idle(Idle));
        self.state = state.handle(&mut self.cx, now, event);
        let to = self.state.kind();
        if from != to {
            debug!(%from, %to, direction = ?self.cx.direction, "state change");
            self.cx.act(Action::StateChange { from, to });
        }
    }

    /// Takes every timer that has expired by `now`. Calling it too early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.cx.timers.take_expired(now) {
            self.handle(
                now,
                match timer {
                    Timer::Hold => Event::HoldTimerExpires,
                    Timer::SendHold => Event::SendHoldTimerExpires,
                    Timer::Keepalive => Event::KeepaliveTimerExpires,
                    Timer::DelayOpen => Event::DelayOpenTimerExpires,
                    Timer::ConnectRetry => Event::ConnectRetryTimerExpires,
                    Timer::IdleHold => Event::IdleHoldTimerExpires,
                },
            );
        }
    }

    /// Octets wait that the connection does not take: starts the SendHoldTimer of a session (RFC 9687), unless it
    /// runs already.
    pub fn send_blocked(&mut self, now: Instant) {
        if let Some(negotiated) = self.negotiated().filter(|_| self.cx.up) {
            let delay = negotiated.send_hold_time;
            if !delay.is_zero() && !self.cx.timers.is_running(Timer::SendHold) {
                self.cx.timers.start(Timer::SendHold, now, delay);
            }
        }
    }

    /// The connection took octets: stops the SendHoldTimer.
    pub fn send_progress(&mut self) {
        self.cx.timers.stop(Timer::SendHold);
    }

    /// Restarts the HoldTimer of a session if it has just expired: a message has come that will be handled later.
    pub fn heard(&mut self, now: Instant) {
        let expired = self.cx.timers.deadline(Timer::Hold).is_some_and(|deadline| deadline <= now);
        let hold_time = self.negotiated().filter(|_| self.cx.up).map(|it| it.hold_time);
        if let Some(hold_time) = hold_time.filter(|_| expired) {
            self.cx.timers.start(Timer::Hold, now, hold_time);
        }
    }

    /// Takes another configuration, for all that begins from now on. An OPEN that is due or sent stays as it was.
    pub fn set_config(&mut self, config: Arc<FsmConfig>) {
        self.cx.config = config;
    }

    /// In Idle: begins anew after an IdleHoldTime, since the peer's other connection, for which this one stood
    /// back, is no more. Does nothing in another state, or where a pause runs already.
    pub fn restart_after_pause(&mut self, now: Instant) {
        if self.state() == StateKind::Idle && !self.cx.timers.is_running(Timer::IdleHold) {
            let pause = self.cx.config.idle_hold_time;
            self.cx.pause(now, pause);
        }
    }

    /// In Idle: gives up the pause that runs, since the peer's other connection is the session.
    pub fn cancel_restart(&mut self) {
        if self.state() == StateKind::Idle {
            self.cx.timers.stop_all();
        }
    }

    /// Whether our OPEN says that we have just restarted (RFC 4724, section 3).
    pub fn set_restarting(&mut self, restarting: bool) {
        self.cx.restarting = restarting;
    }

    /// The next action to take; `None` where there is none until the next event.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.cx.actions.pop_front()
    }

    /// The next control message to send, the most urgent first.
    #[must_use]
    pub fn poll_control(&mut self) -> Option<Control> {
        let due = &mut self.cx.due;
        if let Some(notification) = due.notification.take() {
            Some(Control::Notification(notification))
        } else if std::mem::take(&mut due.open) {
            Some(Control::Open(negotiate::local_open(&self.cx.offered, self.cx.restarting)))
        } else if std::mem::take(&mut due.keepalive) {
            Some(Control::Keepalive)
        } else {
            None
        }
    }

    /// When to call [`Fsm::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.cx.timers.next_deadline()
    }

    /// When `timer` expires, where it runs.
    #[must_use]
    pub fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.cx.timers.deadline(timer)
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> StateKind {
        self.state.kind()
    }

    /// What was agreed on, in OpenConfirm and Established.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.state.negotiated()
    }

    /// ConnectRetryCounter (RFC 4271, section 8.1.1): failures since the operator started the peer.
    #[must_use]
    pub fn connect_retry_counter(&self) -> u32 {
        self.cx.connect_retry_counter
    }
}

/// Control messages that are due: at most one of each, however often it was asked for.
#[derive(Debug, Default)]
struct Due {
    notification: Option<Notification>,
    open: bool,
    keepalive: bool,
}

/// All that a state may touch.
#[derive(Debug)]
struct Context {
    config: Arc<FsmConfig>,
    /// The configuration that our OPEN on this connection was made from: `config` may have changed since.
    offered: Arc<FsmConfig>,
    direction: Direction,
    timers: TimerTable,
    due: Due,
    actions: VecDeque<Action>,
    connect_retry_counter: u32,
    /// Failures in a row, for the IdleHoldTimer; not counted further once they no longer lengthen the pause.
    failures: u32,
    /// The session is up: its end is a loss.
    up: bool,
    jitter: Jitter,
    /// Our OPEN says that we have just restarted (RFC 4724, section 3).
    restarting: bool,
}

impl Context {
    fn new(config: Arc<FsmConfig>, direction: Direction, seed: u64) -> Self {
        Self {
            offered: Arc::clone(&config),
            config,
            direction,
            timers: TimerTable::default(),
            due: Due::default(),
            actions: VecDeque::new(),
            connect_retry_counter: 0,
            failures: 0,
            up: false,
            jitter: Jitter::new(seed),
            restarting: false,
        }
    }

    /// Our OPEN is due, with what is configured now.
    fn send_open(&mut self) {
        self.due.open = true;
        self.offered = Arc::clone(&self.config);
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Whether this machine makes connections of its own.
    fn dials(&self) -> bool {
        self.direction == Direction::Outgoing && self.config.connect_mode.dials()
    }

    /// Ends the connection and what belongs to it; the failure, if it is one, is reported.
    fn release(&mut self, reason: Option<DownReason>) {
        self.timers.stop_all();
        self.due = Due { notification: self.due.notification.take(), ..Due::default() };
        self.act(Action::Close);
        let was_up = std::mem::take(&mut self.up);
        if let Some(reason) = reason {
            self.act(if was_up { Action::Down(reason) } else { Action::Failed(reason) });
        }
    }

    /// The operator's stop: to Idle, without a start of its own.
    fn stop(&mut self, reason: Option<DownReason>) -> State {
        self.connect_retry_counter = 0;
        self.failures = 0;
        self.release(reason);
        State::Idle(Idle)
    }

    fn notify_and_stop(&mut self, cease: Notification) -> State {
        self.due.notification = Some(cease.clone());
        self.stop(Some(DownReason::Local(cease)))
    }

    /// A failure: to Idle, and begun anew after a pause.
    fn give_up(&mut self, now: Instant, reason: Option<DownReason>) -> State {
        let longest = match reason {
            Some(DownReason::Local(_) | DownReason::Remote(_) | DownReason::Refused(_)) => {
                self.config.idle_hold_max
            }
            Some(DownReason::Transport(_)) | None => self.config.connect_retry_time,
        };
        self.connect_retry_counter = self.connect_retry_counter.saturating_add(1);
        self.release(reason);
        self.start_idle_hold_timer(now, longest);
        State::Idle(Idle)
    }

    fn notify_and_give_up(&mut self, now: Instant, notification: Notification) -> State {
        self.due.notification = Some(notification.clone());
        self.give_up(now, Some(DownReason::Local(notification)))
    }

    fn refuse(&mut self, now: Instant, refusal: Refusal) -> State {
        self.due.notification = Some(refusal.notification());
        self.give_up(now, Some(DownReason::Refused(refusal)))
    }

    /// Event 25, and 24 with it: the two differ in the counter and the damping alone, and a peer that speaks
    /// another version is not mended by trying again at once either.
    fn ended_by_peer(&mut self, now: Instant, notification: Notification) -> State {
        self.give_up(now, Some(DownReason::Remote(notification)))
    }

    /// A lost collision before an OPEN was sent: there is nothing to tell the peer.
    fn stand_down(&mut self) -> State {
        self.release(None);
        State::Idle(Idle)
    }

    /// A lost collision.
    fn notify_and_stand_down(&mut self) -> State {
        let cease = Notification::cease(CeaseSubcode::CONNECTION_COLLISION_RESOLUTION);
        self.due.notification = Some(cease.clone());
        self.connect_retry_counter = self.connect_retry_counter.saturating_add(1);
        self.release(Some(DownReason::Local(cease)));
        State::Idle(Idle)
    }

    fn start_connect_retry_timer(&mut self, now: Instant) {
        let delay = self.jitter.apply(self.config.connect_retry_time);
        self.timers.start(Timer::ConnectRetry, now, delay);
    }

    /// The pause after a failure: doubled each time, up to `longest`. A machine that does not dial has nothing
    /// to begin anew.
    fn start_idle_hold_timer(&mut self, now: Instant, longest: Duration) {
        let doubled = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        let pause = self.config.idle_hold_time.saturating_mul(doubled).min(longest);
        // Not counted beyond that: after an hour without a cable the first NOTIFICATION is still a first one.
        if pause < longest {
            self.failures = self.failures.saturating_add(1);
        }
        self.pause(now, pause);
    }

    fn pause(&mut self, now: Instant, pause: Duration) {
        if self.dials() {
            let delay = self.jitter.apply(pause.max(SHORTEST_PAUSE));
            self.timers.start(Timer::IdleHold, now, delay);
        }
    }

    fn start_session_timers(&mut self, now: Instant, negotiated: &Negotiated) {
        self.start_hold_timer(now, negotiated);
        self.start_keepalive_timer(now, negotiated);
    }

    fn start_hold_timer(&mut self, now: Instant, negotiated: &Negotiated) {
        if !negotiated.hold_time.is_zero() {
            self.timers.start(Timer::Hold, now, negotiated.hold_time);
        }
    }

    fn start_keepalive_timer(&mut self, now: Instant, negotiated: &Negotiated) {
        if !negotiated.keepalive_time.is_zero() {
            let delay = self.jitter.apply(negotiated.keepalive_time);
            self.timers.start(Timer::Keepalive, now, delay);
        }
    }
}
