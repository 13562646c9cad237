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
//!                           any failure; the IdleHoldTimer starts the machine again
//! ```
//!
//! The driver passes events as values ([`Fsm::handle`]) and takes actions as values ([`Fsm::poll_action`]). It asks for
//! the next deadline ([`Fsm::poll_timeout`]) and for control messages ([`Fsm::poll_control`]), of which at most one of
//! each kind is due. A state can touch nothing else, so the same events at the same instants give the same run. There
//! is no error type: every state handles every event.
//!
//! A peer may have two connections for a moment, one opened by each end. Each has its own machine, and
//! [`Peer`](crate::peer::Peer) decides which one stays.
//!
//! The machine differs from the letter of the RFC in these points:
//!
//! * A NOTIFICATION is never answered by another, not even in OpenSent (section 6.4).
//! * A connection that loses a collision goes to Idle without a pause, because the other one becomes the session.
//! * A passive peer has no ConnectRetryTimer, which would make it dial in Active.
//! * The SendHoldTimer (RFC 9687) runs only while octets wait to be sent. The driver reports when they do.
//! * After a failure in TCP the pause is never longer than the ConnectRetryTime. Damping is for peers that come up and
//!   go down, not for a cable that is unplugged.

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
mod state_kind;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::debug;

use crate::Direction;
use crate::wire::{CeaseSubcode, Notification, Open};

pub use self::action::FsmAction;
pub use self::collision::{Resolution, SpeakerId, resolve_collision};
pub use self::config::FsmConfig;
pub use self::connect_mode::ConnectMode;
pub use self::event::Event;
pub use self::extensions::{Extensions, NegotiatedExtensions, RestartConfig};
pub use self::local_as::{LocalAs, ReceivedPath, SentPath};
pub use self::negotiate::Negotiated;
pub use self::reason::{DownReason, EndedBy, TransportError};
pub use self::refusal::Refusal;
pub use self::remote_as::{ParseRemoteAsError, RemoteAs};
pub use self::role::RoleConfig;
pub use self::state_kind::StateKind;
pub use self::timers::Timer;
pub(crate) use self::timers::after;

use self::active::Active;
use self::idle::Idle;
use self::jitter::Jitter;
use self::state::State;
use self::timers::TimerTable;

/// The shortest pause after a failure before jitter, however short the configured times are: a peer that refuses at once
/// must not be dialled in a tight loop.
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
    reason = "the other messages carry routes, and the state machine does not send them"
)]
pub enum Control {
    /// The last message of a connection.
    Notification(Notification),
    /// The first message of a connection.
    Open(Open),
    /// Confirms the OPEN, and later shows that we are alive.
    Keepalive,
}

impl Fsm {
    /// The machine of the connection that we open. Idle until it is started.
    #[must_use]
    pub fn outgoing(config: Arc<FsmConfig>) -> Self {
        let seed = config.jitter_seed;
        Self { state: State::Idle(Idle), cx: Context::new(config, Direction::Outgoing, seed) }
    }

    /// The machine of a connection that the peer opened and we accepted.
    #[must_use]
    pub fn incoming(config: Arc<FsmConfig>, now: Instant) -> Self {
        // With the seed of the outgoing machine both would draw the same jitter.
        let seed = !config.jitter_seed;
        let mut fsm = Self {
            state: State::Active(Active),
            cx: Context::new(config, Direction::Incoming, seed),
        };
        fsm.handle(now, Event::TcpConnectionConfirmed);
        fsm
    }

    /// Handles one event.
    pub fn handle(&mut self, now: Instant, event: Event) {
        let from = self.state.kind();
        let state = std::mem::replace(&mut self.state, State::Idle(Idle));
        self.state = state.handle(&mut self.cx, now, event);

        let to = self.state.kind();
        if from != to {
            debug!(%from, %to, direction = ?self.cx.direction, "state change");
            self.cx.act(FsmAction::StateChange { from, to });
        }
    }

    /// Handles every timer that has expired by `now`. A call before the next deadline does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.cx.timers.take_expired(now) {
            let event = match timer {
                Timer::Hold => Event::HoldTimerExpires,
                Timer::SendHold => Event::SendHoldTimerExpires,
                Timer::Keepalive => Event::KeepaliveTimerExpires,
                Timer::DelayOpen => Event::DelayOpenTimerExpires,
                Timer::ConnectRetry => Event::ConnectRetryTimerExpires,
                Timer::IdleHold => Event::IdleHoldTimerExpires,
            };
            self.handle(now, event);
        }
    }

    /// Reports that octets wait because the connection does not accept them. Starts the SendHoldTimer of a session
    /// (RFC 9687), unless it already runs.
    pub fn send_blocked(&mut self, now: Instant) {
        let Some(negotiated) = self.session() else { return };
        let delay = negotiated.send_hold_time;
        if !delay.is_zero() && !self.cx.timers.is_running(Timer::SendHold) {
            self.cx.timers.start(Timer::SendHold, now, delay);
        }
    }

    /// Reports that the connection accepted octets. Stops the SendHoldTimer.
    pub fn send_progress(&mut self) {
        self.cx.timers.stop(Timer::SendHold);
    }

    /// Reports a message that has arrived and will be handled later. Restarts the HoldTimer of a session if it has just
    /// expired.
    pub fn heard(&mut self, now: Instant) {
        let Some(hold_time) = self.session().map(|negotiated| negotiated.hold_time) else { return };
        let expired = self.cx.timers.deadline(Timer::Hold).is_some_and(|deadline| deadline <= now);
        if expired {
            self.cx.timers.start(Timer::Hold, now, hold_time);
        }
    }

    /// Replaces the configuration, for everything that begins from now on. An OPEN that is due or sent does not change.
    pub fn set_config(&mut self, config: Arc<FsmConfig>) {
        self.cx.config = config;
    }

    /// Starts again after an IdleHoldTime, because the peer's other connection, to which this one gave way, has ended. Does
    /// nothing outside of Idle, or if a pause already runs.
    pub fn restart_after_pause(&mut self, now: Instant) {
        if self.state() == StateKind::Idle && !self.cx.timers.is_running(Timer::IdleHold) {
            let pause = self.cx.config.idle_hold_time;
            self.cx.pause(now, pause);
        }
    }

    /// Cancels a pause in Idle, because the peer's other connection is the session.
    pub fn cancel_restart(&mut self) {
        if self.state() == StateKind::Idle {
            self.cx.timers.stop_all();
        }
    }

    /// Sets the R bit in our OPEN: we have just restarted (RFC 4724, section 3).
    pub fn set_restarting(&mut self, restarting: bool) {
        self.cx.restarting = restarting;
    }

    /// The next action to take. `None` if there is none before the next event.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<FsmAction> {
        self.cx.actions.pop_front()
    }

    /// The next control message to send, the most urgent first.
    #[must_use]
    pub fn poll_control(&mut self) -> Option<Control> {
        let due = &mut self.cx.due;
        if let Some(notification) = due.notification.take() {
            return Some(Control::Notification(notification));
        }
        if std::mem::take(&mut due.open) {
            let open = negotiate::local_open(&self.cx.offered, self.cx.restarting);
            return Some(Control::Open(open));
        }
        if std::mem::take(&mut due.keepalive) {
            return Some(Control::Keepalive);
        }
        None
    }

    /// The time for the next call of [`Fsm::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.cx.timers.next_deadline()
    }

    /// The time at which `timer` expires, if it runs.
    #[must_use]
    pub fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.cx.timers.deadline(timer)
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> StateKind {
        self.state.kind()
    }

    /// The negotiated parameters, in OpenConfirm and Established.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.state.negotiated()
    }

    /// The negotiated parameters of an Established session.
    fn session(&self) -> Option<&Negotiated> {
        if self.cx.up { self.negotiated() } else { None }
    }

    /// ConnectRetryCounter (RFC 4271, section 8.1.1): failures since the operator started the peer.
    #[must_use]
    pub fn connect_retry_counter(&self) -> u32 {
        self.cx.connect_retry_counter
    }
}

/// The control messages that are due: at most one of each kind.
#[derive(Debug, Default)]
struct DueMessages {
    notification: Option<Notification>,
    open: bool,
    keepalive: bool,
}

/// Everything that a state may change.
#[derive(Debug)]
struct Context {
    config: Arc<FsmConfig>,
    /// The configuration that our OPEN on this connection was made from. `config` may have changed since.
    offered: Arc<FsmConfig>,
    direction: Direction,
    timers: TimerTable,
    due: DueMessages,
    actions: VecDeque<FsmAction>,
    connect_retry_counter: u32,
    /// The number of failures in a row, for the IdleHoldTimer. It stops growing when the pause has its full length.
    failures: u32,
    /// True while the session is Established, so that its end is reported as a loss.
    up: bool,
    jitter: Jitter,
    /// True if our OPEN carries the R bit: we have just restarted (RFC 4724, section 3).
    restarting: bool,
}

impl Context {
    fn new(config: Arc<FsmConfig>, direction: Direction, seed: u64) -> Self {
        Self {
            offered: Arc::clone(&config),
            config,
            direction,
            timers: TimerTable::default(),
            due: DueMessages::default(),
            actions: VecDeque::new(),
            connect_retry_counter: 0,
            failures: 0,
            up: false,
            jitter: Jitter::new(seed),
            restarting: false,
        }
    }

    /// Schedules our OPEN, made from the current configuration.
    fn send_open(&mut self) {
        self.due.open = true;
        self.offered = Arc::clone(&self.config);
    }

    fn act(&mut self, action: FsmAction) {
        self.actions.push_back(action);
    }

    /// Returns true if this machine opens connections.
    fn dials(&self) -> bool {
        self.direction == Direction::Outgoing && self.config.connect_mode.dials()
    }

    /// Closes the connection and stops its timers. Reports the reason, if there is one.
    fn release(&mut self, reason: Option<DownReason>) {
        self.timers.stop_all();
        self.due =
            DueMessages { notification: self.due.notification.take(), ..DueMessages::default() };
        self.act(FsmAction::Close);

        let was_up = std::mem::take(&mut self.up);
        match reason {
            Some(reason) if was_up => self.act(FsmAction::Down(reason)),
            Some(reason) => self.act(FsmAction::Failed(reason)),
            None => {}
        }
    }

    /// Goes to Idle and stays there, because the operator stops the peer.
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

    /// Goes to Idle after a failure, and starts again after a pause.
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

    /// Handles events 24 and 25. They differ only in the counter and the damping, and an immediate retry does not help
    /// with a peer of another version either.
    fn ended_by_peer(&mut self, now: Instant, notification: Notification) -> State {
        self.give_up(now, Some(DownReason::Remote(notification)))
    }

    /// Gives way in a collision before our OPEN was sent, without a NOTIFICATION.
    fn stand_down(&mut self) -> State {
        self.release(None);
        State::Idle(Idle)
    }

    /// Gives way in a collision.
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

    /// Starts the pause after a failure, which doubles each time, up to `longest`.
    fn start_idle_hold_timer(&mut self, now: Instant, longest: Duration) {
        let doubled = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        let pause = self.config.idle_hold_time.saturating_mul(doubled).min(longest);
        // A longer count would change nothing now, but a later NOTIFICATION would be met with a long pause.
        if pause < longest {
            self.failures = self.failures.saturating_add(1);
        }
        self.pause(now, pause);
    }

    /// Starts the IdleHoldTimer. A machine that does not dial has nothing to start again.
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
