//! The six states of RFC 4271, section 8.2.2, each with the data that exists only in it.

use std::time::Instant;

use super::active::Active;
use super::connect::Connect;
use super::established::Established;
use super::idle::Idle;
use super::open_confirm::OpenConfirm;
use super::open_sent::OpenSent;
use super::{Context, Event, Negotiated, StateKind};

/// A state with its data.
#[derive(Debug)]
pub(super) enum State {
    Idle(Idle),
    Connect(Connect),
    Active(Active),
    OpenSent(OpenSent),
    OpenConfirm(OpenConfirm),
    Established(Established),
}

impl State {
    /// Handles an event, and returns the next state.
    pub(super) fn handle(self, cx: &mut Context, now: Instant, event: Event) -> Self {
        match self {
            Self::Idle(state) => state.handle(cx, now, event),
            Self::Connect(state) => state.handle(cx, now, event),
            Self::Active(state) => state.handle(cx, now, event),
            Self::OpenSent(state) => state.handle(cx, now, event),
            Self::OpenConfirm(state) => state.handle(cx, now, event),
            Self::Established(state) => state.handle(cx, now, event),
        }
    }

    pub(super) fn kind(&self) -> StateKind {
        match self {
            Self::Idle(_) => StateKind::Idle,
            Self::Connect(_) => StateKind::Connect,
            Self::Active(_) => StateKind::Active,
            Self::OpenSent(_) => StateKind::OpenSent,
            Self::OpenConfirm(_) => StateKind::OpenConfirm,
            Self::Established(_) => StateKind::Established,
        }
    }

    pub(super) fn negotiated(&self) -> Option<&Negotiated> {
        match self {
            Self::OpenConfirm(state) => Some(&state.negotiated),
            Self::Established(state) => Some(&state.negotiated),
            Self::Idle(_) | Self::Connect(_) | Self::Active(_) | Self::OpenSent(_) => None,
        }
    }
}
