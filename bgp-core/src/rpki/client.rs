//! [`RtrClient`]: the router's end of the RTR protocol with one cache (RFC 8210, RFC 6810).
//!
//! Owns the session with the cache: versions, queries, serial numbers and times. Neither connects nor reads a clock, and knows
//! nothing of other caches.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::fsm::after;

use super::pdu::{PduError, VERSION_1};
use super::{Pdu, RtrErrorCode, RtrFailure, RtrOutput, RtrState, RtrTimers, Vrp, VrpTable};

/// A session with one RPKI cache.
///
/// A driver runs it like a [`Peer`](crate::peer::Peer): after each call that takes `&mut self` and is no `poll_*`, it performs
/// all of [`poll_output`](Self::poll_output), sends what [`poll_transmit`](Self::poll_transmit) writes, and waits for octets or
/// until [`poll_timeout`](Self::poll_timeout).
///
/// An answer of the cache takes effect as a whole, when it is complete. While a cache is away its data are used until they
/// expire.
///
/// ```
/// use std::time::Instant;
///
/// use bgp_core::rpki::{Pdu, RtrClient, RtrOutput};
/// use bytes::BytesMut;
///
/// let now = Instant::now();
/// let mut client = RtrClient::new(now);
/// client.handle_timeout(now);
/// assert_eq!(client.poll_output(), Some(RtrOutput::Connect));
///
/// // .. the driver opens a TCP connection, then:
/// client.connected(now);
/// let mut out = BytesMut::new();
/// client.poll_transmit(&mut out);
/// assert_eq!(Pdu::decode(&out).unwrap().unwrap().pdu, Pdu::ResetQuery);
/// ```
#[derive(Debug)]
pub struct RtrClient {
    state: State,
    /// The version of the next query, or of this connection.
    version: u8,
    /// True if the cache has answered in this version.
    is_agreed: bool,
    data: Option<Data>,
    timers: RtrTimers,
    /// The number of failures since the last complete answer.
    failures: u32,
    last_failure: Option<RtrFailure>,
    /// True after a Serial Query or its answer was refused, until the next complete answer: only a Reset Query helps then.
    is_reset_due: bool,
    /// A serial number that the cache has named during its answer.
    notified: Option<u32>,
    buffer: BytesMut,
    outbox: BytesMut,
    outputs: VecDeque<RtrOutput>,
}

#[derive(Debug)]
enum State {
    Waiting { until: Instant },
    Connecting,
    Querying { is_reset: bool, answer: Option<Answer>, give_up: Instant },
    Idle { next_query: Instant },
}

/// The part of an answer that has arrived.
#[derive(Debug)]
struct Answer {
    session_id: u16,
    /// The VRPs that change: true if announced, false if withdrawn.
    changes: BTreeMap<Vrp, bool>,
}

/// What the last complete answer left.
#[derive(Debug)]
struct Data {
    version: u8,
    session_id: u16,
    serial: u32,
    vrps: VrpTable,
    expires: Instant,
}

impl RtrClient {
    /// A session that is to begin at `now`, at the next [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            state: State::Waiting { until: now },
            version: VERSION_1,
            is_agreed: false,
            data: None,
            timers: RtrTimers::default(),
            failures: 0,
            last_failure: None,
            is_reset_due: false,
            notified: None,
            buffer: BytesMut::new(),
            outbox: BytesMut::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The VRPs of the last complete answer. `None` if there was none yet, or if it has expired.
    #[must_use]
    pub fn vrps(&self) -> Option<&VrpTable> {
        self.data.as_ref().map(|data| &data.vrps)
    }

    /// The serial number of the VRPs.
    #[must_use]
    pub fn serial(&self) -> Option<u32> {
        self.data.as_ref().map(|data| data.serial)
    }

    /// The time at which the VRPs expire, unless the cache confirms or changes them before.
    #[must_use]
    pub fn expires(&self) -> Option<Instant> {
        self.data.as_ref().map(|data| data.expires)
    }

    /// The last failure since the last complete answer.
    #[must_use]
    pub fn last_failure(&self) -> Option<&RtrFailure> {
        self.last_failure.as_ref()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> RtrState {
        match self.state {
            State::Waiting { .. } => RtrState::Waiting,
            State::Connecting => RtrState::Connecting,
            State::Querying { .. } => RtrState::Querying,
            State::Idle { .. } => RtrState::Idle,
        }
    }

    /// Reports the connection that [`RtrOutput::Connect`] asked for.
    pub fn connected(&mut self, now: Instant) {
        if !matches!(self.state, State::Connecting) {
            return;
        }
        self.buffer.clear();
        self.outbox.clear();
        self.is_agreed = false;
        self.notified = None;
        self.query(now);
    }

    /// Reports that the connection was lost or could not be opened, and why.
    pub fn disconnected(&mut self, now: Instant, reason: String) {
        if !matches!(self.state, State::Waiting { .. }) {
            self.wait(now, RtrFailure::Connection(reason));
        }
    }

    /// The buffer to which the driver appends received octets before it calls [`RtrClient::received`].
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Handles every complete PDU in [`RtrClient::read_buffer`].
    pub fn received(&mut self, now: Instant) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while self.is_connected() {
            match Pdu::decode(&buffer) {
                Ok(Some(decoded)) => {
                    let octets = buffer.split_to(decoded.length);
                    if let Err(error) = self.handle(now, decoded.version, decoded.pdu) {
                        self.refuse(now, error, &octets);
                    }
                }
                Ok(None) => break,
                Err(error) => self.refuse(now, error, &buffer),
            }
        }
        if self.is_connected() {
            self.buffer = buffer;
        }
    }

    /// Handles every timer that has expired by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.data.as_ref().is_some_and(|data| data.expires <= now) {
            self.expire(now);
        }
        match self.state {
            State::Waiting { until } if until <= now => self.connect(),
            State::Idle { next_query } if next_query <= now => self.query(now),
            State::Querying { give_up, .. } if give_up <= now => {
                self.outputs.push_back(RtrOutput::Close);
                self.wait(now, RtrFailure::Unanswered);
            }
            _ => {}
        }
    }

    /// The time for the next call of [`RtrClient::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = match self.state {
            State::Waiting { until } => Some(until),
            State::Connecting => None,
            State::Querying { give_up, .. } => Some(give_up),
            State::Idle { next_query } => Some(next_query),
        };
        next.into_iter().chain(self.data.as_ref().map(|data| data.expires)).min()
    }

    /// The next output for the driver.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<RtrOutput> {
        self.outputs.pop_front()
    }

    /// Appends the octets to send. Returns true if there were any.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) -> bool {
        let octets = self.outbox.split();
        out.extend_from_slice(&octets);
        !octets.is_empty()
    }

    fn is_connected(&self) -> bool {
        matches!(self.state, State::Querying { .. } | State::Idle { .. })
    }

    fn connect(&mut self) {
        // Serial numbers of a version mean nothing in another.
        self.version = self.data.as_ref().map_or(VERSION_1, |data| data.version);
        self.state = State::Connecting;
        self.outputs.push_back(RtrOutput::Connect);
    }

    /// Asks for what has changed, or for everything.
    fn query(&mut self, now: Instant) {
        match self.data.as_ref().filter(|it| it.version == self.version && !self.is_reset_due) {
            Some(data) => {
                let query = Pdu::SerialQuery { session_id: data.session_id, serial: data.serial };
                self.send_query(now, &query);
            }
            None => self.send_query(now, &Pdu::ResetQuery),
        }
    }

    fn send_query(&mut self, now: Instant, query: &Pdu) {
        query.encode(self.version, &mut self.outbox);
        self.state = State::Querying {
            is_reset: *query == Pdu::ResetQuery,
            answer: None,
            give_up: after(now, ANSWER_TIME),
        };
    }

    fn handle(&mut self, now: Instant, version: u8, pdu: Pdu) -> Result<(), PduError> {
        if let Pdu::ErrorReport { code, text, .. } = pdu {
            self.error_reported(now, version, code, text);
            return Ok(());
        }
        if let Pdu::SerialNotify { session_id, serial } = pdu {
            // Before the first answer the cache may use any version (RFC 8210, section 7).
            if !self.is_agreed {
                return Ok(());
            }
            self.agree_on(version)?;
            return self.notified(now, session_id, serial);
        }

        self.agree_on(version)?;
        if let State::Querying { give_up, .. } = &mut self.state {
            *give_up = after(now, ANSWER_TIME);
        }
        match pdu {
            Pdu::CacheResponse { session_id } => self.answer_begins(session_id),
            Pdu::Prefix { is_announced, vrp } => self.change(vrp, is_announced),
            Pdu::EndOfData { session_id, serial, timers } => {
                self.answer_ends(now, session_id, serial, timers)
            }
            Pdu::CacheReset => self.cache_reset(now),
            Pdu::RouterKey => self.answer().map(|_| ()),
            _ => Err(PduError::new(RtrErrorCode::CORRUPT_DATA, "only routers send this PDU")),
        }
    }

    /// Accepts the version of an answer: ours, or in a first answer also version 0 (RFC 8210, section 7).
    fn agree_on(&mut self, version: u8) -> Result<(), PduError> {
        if version != self.version {
            if self.is_agreed || version > self.version {
                let code = RtrErrorCode::UNEXPECTED_PROTOCOL_VERSION;
                return Err(PduError::new(code, "the version is not that of the session"));
            }
            self.version = version;
        }
        self.is_agreed = true;
        Ok(())
    }

    fn error_reported(&mut self, now: Instant, version: u8, code: RtrErrorCode, text: String) {
        let is_refused = code == RtrErrorCode::UNSUPPORTED_PROTOCOL_VERSION && !self.is_agreed;
        if is_refused && version < self.version {
            self.version = version;
            self.state = State::Connecting;
            self.outputs.extend([RtrOutput::Close, RtrOutput::Connect]);
            return;
        }

        let failure = RtrFailure::Reported { code, text };
        let is_querying = matches!(self.state, State::Querying { answer: None, .. });
        if code == RtrErrorCode::NO_DATA_AVAILABLE && is_querying {
            let next_query = after(now, self.next_pause());
            self.state = State::Idle { next_query };
            self.failed(failure);
        } else {
            self.outputs.push_back(RtrOutput::Close);
            self.is_reset_due |= matches!(self.state, State::Querying { is_reset: false, .. });
            self.wait(now, failure);
        }
    }

    /// Handles a notice of new data. During an answer it is kept until the answer is complete.
    fn notified(&mut self, now: Instant, session_id: u16, serial: u32) -> Result<(), PduError> {
        if let State::Querying { .. } = self.state {
            self.notified = Some(serial);
            return Ok(());
        }
        let Some(data) = &self.data else { return Ok(()) };
        if data.session_id != session_id {
            return Err(SESSION_DIFFERS);
        }
        if data.serial != serial {
            self.query(now);
        }
        Ok(())
    }

    fn answer_begins(&mut self, session_id: u16) -> Result<(), PduError> {
        match &mut self.state {
            State::Querying { is_reset, answer: answer @ None, .. } => {
                let known = self.data.as_ref().map(|data| data.session_id);
                if !*is_reset && known != Some(session_id) {
                    return Err(SESSION_DIFFERS);
                }
                *answer = Some(Answer { session_id, changes: BTreeMap::new() });
                Ok(())
            }
            _ => Err(UNEXPECTED),
        }
    }

    /// The answer that is under way.
    fn answer(&mut self) -> Result<(bool, &mut Answer), PduError> {
        match &mut self.state {
            State::Querying { is_reset, answer: Some(answer), .. } => Ok((*is_reset, answer)),
            _ => Err(UNEXPECTED),
        }
    }

    fn change(&mut self, vrp: Vrp, is_announced: bool) -> Result<(), PduError> {
        let had = self.vrps().is_some_and(|vrps| vrps.contains(&vrp));
        let (is_reset, answer) = self.answer()?;

        let has = answer.changes.get(&vrp).copied().unwrap_or(had && !is_reset);
        match (has, is_announced) {
            (true, true) => {
                let code = RtrErrorCode::DUPLICATE_ANNOUNCEMENT_RECEIVED;
                return Err(PduError::new(code, "the VRP was announced before"));
            }
            (false, false) => {
                let code = RtrErrorCode::WITHDRAWAL_OF_UNKNOWN_RECORD;
                return Err(PduError::new(code, "the VRP was not announced before"));
            }
            _ => {}
        }
        if answer.changes.len() >= MOST_VRPS {
            return Err(PduError::new(RtrErrorCode::INTERNAL_ERROR, "too many VRPs in one answer"));
        }
        answer.changes.insert(vrp, is_announced);
        Ok(())
    }

    fn answer_ends(
        &mut self,
        now: Instant,
        session_id: u16,
        serial: u32,
        timers: Option<RtrTimers>,
    ) -> Result<(), PduError> {
        let (is_reset, answer) = self.answer()?;
        if answer.session_id != session_id {
            return Err(SESSION_DIFFERS);
        }
        let changes = std::mem::take(&mut answer.changes);

        let before = self.vrps().cloned().unwrap_or_default();
        let base = if is_reset { VrpTable::default() } else { before.clone() };
        let vrps = base.changed(&changes);
        if vrps.len() > MOST_VRPS {
            return Err(PduError::new(RtrErrorCode::INTERNAL_ERROR, "too many VRPs"));
        }
        if self.data.is_none() || vrps != before {
            self.outputs.push_back(RtrOutput::VrpsChanged);
        }

        self.timers = timers.unwrap_or_default().within_limits();
        self.failures = 0;
        self.last_failure = None;
        self.is_reset_due = false;
        let expires = after(now, self.timers.expire);
        self.data = Some(Data { version: self.version, session_id, serial, vrps, expires });

        match self.notified.take() {
            Some(newer) if newer != serial => self.query(now),
            _ => self.state = State::Idle { next_query: after(now, self.timers.refresh) },
        }
        Ok(())
    }

    /// Asks for everything, because the cache cannot tell what has changed. Until then the data are used.
    fn cache_reset(&mut self, now: Instant) -> Result<(), PduError> {
        match self.state {
            State::Querying { is_reset: false, answer: None, .. } => {
                self.send_query(now, &Pdu::ResetQuery);
                Ok(())
            }
            _ => Err(UNEXPECTED),
        }
    }

    /// Ends the connection because of the first PDU in `octets`, with an Error Report.
    fn refuse(&mut self, now: Instant, error: PduError, octets: &[u8]) {
        if let Some(report) = error.report(octets) {
            report.encode(self.version, &mut self.outbox);
        }
        self.outputs.push_back(RtrOutput::Close);
        self.is_reset_due |= matches!(self.state, State::Querying { is_reset: false, .. });

        // RFC 8210, section 5.1: data of another session must not be used.
        if error == SESSION_DIFFERS {
            self.forget();
        }
        let PduError { code, problem } = error;
        self.wait(now, RtrFailure::Refused { code, problem: problem.to_owned() });
    }

    /// Waits for the next attempt to connect.
    fn wait(&mut self, now: Instant, failure: RtrFailure) {
        let until = after(now, self.next_pause());
        self.state = State::Waiting { until };
        self.buffer.clear();
        self.failed(failure);
    }

    fn failed(&mut self, failure: RtrFailure) {
        self.last_failure = Some(failure.clone());
        self.outputs.push_back(RtrOutput::Failed(failure));
    }

    /// The pause after another failure: it doubles each time, up to the time that the cache asks for.
    fn next_pause(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        pause.min(self.timers.retry)
    }

    /// Drops data that could not be refreshed in time, and with them an answer that says only what has changed since.
    fn expire(&mut self, now: Instant) {
        self.forget();
        if matches!(self.state, State::Querying { is_reset: false, .. }) {
            self.outputs.push_back(RtrOutput::Close);
            self.wait(now, RtrFailure::Expired);
        }
    }

    fn forget(&mut self) {
        if self.data.take().is_some() {
            self.outputs.push_back(RtrOutput::VrpsChanged);
        }
    }
}

const SESSION_DIFFERS: PduError =
    PduError::new(RtrErrorCode::CORRUPT_DATA, "the session is not the one of the data");
const UNEXPECTED: PduError =
    PduError::new(RtrErrorCode::CORRUPT_DATA, "the PDU does not belong here");

/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest time between two PDUs of an answer.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The most VRPs that are kept: more than twice those of today's RPKI.
const MOST_VRPS: usize = 2_000_000;

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
