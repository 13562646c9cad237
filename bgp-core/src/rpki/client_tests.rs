use bytes::Buf as _;
use ipnet::IpNet;

use super::*;
use crate::Asn;

/// A client, a cache that a test plays, and a clock.
struct Session {
    client: RtrClient,
    now: Instant,
}

impl Session {
    /// A session whose connection is open.
    fn connected() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        let mut session = Self { client: RtrClient::new(now), now };
        session.reconnect();
        session
    }

    /// Lets the client connect, now or when its pause is over.
    fn reconnect(&mut self) {
        self.now = self.now.max(self.client.poll_timeout().expect("a deadline"));
        self.client.handle_timeout(self.now);
        assert_eq!(self.outputs().last(), Some(&RtrOutput::Connect));
        self.client.connected(self.now);
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.client.handle_timeout(self.now);
    }

    fn outputs(&mut self) -> Vec<RtrOutput> {
        std::iter::from_fn(|| self.client.poll_output()).collect()
    }

    /// Sends PDUs of the cache, one octet at a time.
    fn say(&mut self, version: u8, pdus: &[Pdu]) {
        let mut octets = BytesMut::new();
        for pdu in pdus {
            pdu.encode(version, &mut octets);
        }
        for octet in octets {
            self.client.read_buffer().extend_from_slice(&[octet]);
            self.client.received(self.now);
        }
    }

    /// The PDUs that the client has sent, with their versions.
    fn sent(&mut self) -> Vec<(u8, Pdu)> {
        let mut octets = BytesMut::new();
        self.client.poll_transmit(&mut octets);
        let mut sent = Vec::new();
        while let Some(decoded) = Pdu::decode(&octets).expect("PDUs") {
            octets.advance(decoded.length);
            sent.push((decoded.version, decoded.pdu));
        }
        sent
    }

    /// Ends with an Error Report of this code, after which the connection is closed.
    #[track_caller]
    fn assert_refused(&mut self, code: RtrErrorCode) {
        let sent = self.sent();
        let Some((_, Pdu::ErrorReport { code: reported, .. })) = sent.last() else {
            panic!("{sent:?}");
        };
        assert_eq!(*reported, code);
        let outputs = self.outputs();
        assert!(outputs.contains(&RtrOutput::Close), "{outputs:?}");
        assert_eq!(self.client.state(), RtrState::Waiting);
    }

    fn table(&self) -> Option<Vec<Vrp>> {
        self.client.vrps().map(|vrps| vrps.iter().collect())
    }
}

fn vrp(text: &str) -> Vrp {
    Vrp::new(text.parse::<IpNet>().expect("a prefix"), Asn(1))
}

fn announced(text: &str) -> Pdu {
    Pdu::Prefix { is_announced: true, vrp: vrp(text) }
}

fn withdrawn(text: &str) -> Pdu {
    Pdu::Prefix { is_announced: false, vrp: vrp(text) }
}

fn response(session_id: u16) -> Pdu {
    Pdu::CacheResponse { session_id }
}

fn end(session_id: u16, serial: u32) -> Pdu {
    Pdu::EndOfData { session_id, serial, timers: Some(RtrTimers::default()) }
}

fn query(session_id: u16, serial: u32) -> (u8, Pdu) {
    (1, Pdu::SerialQuery { session_id, serial })
}

/// A session whose cache has sent two VRPs, with serial number 1.
fn synchronized() -> Session {
    let mut session = Session::connected();
    assert_eq!(session.sent(), [(1, Pdu::ResetQuery)]);
    session.say(1, &[response(7), announced("10.0.0.0/8"), announced("2001:db8::/32")]);
    assert_eq!((session.table(), session.outputs()), (None, vec![]), "not before the end");
    session.say(1, &[Pdu::RouterKey, end(7, 1)]);
    assert_eq!(session.outputs(), [RtrOutput::VrpsChanged]);
    assert_eq!(session.table(), Some(vec![vrp("10.0.0.0/8"), vrp("2001:db8::/32")]));
    session
}

#[test]
fn changes_are_queried_after_a_notice_and_after_the_refresh_time() {
    let mut session = synchronized();
    // A serial number that is known changes nothing.
    session.say(1, &[Pdu::SerialNotify { session_id: 7, serial: 1 }]);
    assert_eq!(session.sent(), []);
    session.say(1, &[Pdu::SerialNotify { session_id: 7, serial: 2 }]);
    assert_eq!(session.sent(), [query(7, 1)]);
    session.say(1, &[response(7), withdrawn("10.0.0.0/8"), announced("11.0.0.0/8"), end(7, 2)]);
    assert_eq!(session.table(), Some(vec![vrp("11.0.0.0/8"), vrp("2001:db8::/32")]));
    assert_eq!(session.outputs(), [RtrOutput::VrpsChanged]);

    session.later(3_599);
    assert_eq!(session.sent(), []);
    session.later(1);
    assert_eq!(session.sent(), [query(7, 2)]);
    session.say(1, &[response(7), end(7, 2)]);
    assert_eq!(session.outputs(), [], "nothing has changed");
    assert_eq!(session.client.state(), RtrState::Idle);
}

#[test]
fn a_notice_during_an_answer_leads_to_another_query() {
    let mut session = synchronized();
    session.later(3_600);
    session.sent();
    session.say(1, &[response(7), Pdu::SerialNotify { session_id: 7, serial: 3 }, end(7, 2)]);
    assert_eq!(session.sent(), [query(7, 2)]);
}

#[test]
fn after_a_cache_reset_the_old_data_are_used_until_the_new_are_complete() {
    let mut session = synchronized();
    session.later(3_600);
    session.sent();
    session.say(1, &[Pdu::CacheReset]);
    assert_eq!(session.sent(), [(1, Pdu::ResetQuery)]);
    session.say(1, &[response(8), announced("10.0.0.0/8")]);
    assert_eq!(session.table().map(|it| it.len()), Some(2));
    session.say(1, &[end(8, 1)]);
    assert_eq!(session.table(), Some(vec![vrp("10.0.0.0/8")]));
}

#[test]
fn data_outlive_the_connection_until_they_expire() {
    let mut session = synchronized();
    session.client.disconnected(session.now, "reset".to_owned());
    assert_eq!(session.outputs(), [RtrOutput::Failed(RtrFailure::Connection("reset".into()))]);
    session.reconnect();
    assert_eq!(session.sent(), [query(7, 1)], "the session goes on");
    session.say(1, &[response(7), end(7, 1)]);

    session.client.disconnected(session.now, "reset".to_owned());
    session.later(7_199);
    assert_eq!(session.table().map(|it| it.len()), Some(2));
    session.later(1);
    assert_eq!(session.table(), None);
    assert!(session.outputs().contains(&RtrOutput::VrpsChanged));
}

#[test]
fn pauses_between_attempts_double_up_to_the_retry_time() {
    let mut session = Session::connected();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        session.client.disconnected(session.now, "refused".to_owned());
        let until = session.client.poll_timeout().expect("a deadline");
        pauses.push((until - session.now).as_secs());
        session.reconnect();
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
}

#[test]
fn a_cache_that_falls_silent_during_an_answer_is_given_up() {
    let mut session = Session::connected();
    session.later(59);
    session.say(1, &[response(7)]);
    session.later(59);
    assert_eq!(session.client.state(), RtrState::Querying);
    session.later(1);
    assert_eq!(session.outputs(), [RtrOutput::Close, RtrOutput::Failed(RtrFailure::Unanswered)]);
}

#[test]
fn rfc_8210_section_7_an_older_cache_is_spoken_to_in_version_0() {
    // It refuses version 1 ..
    let mut session = Session::connected();
    let code = RtrErrorCode::UNSUPPORTED_PROTOCOL_VERSION;
    let refused = Pdu::ErrorReport { code, pdu: Vec::new(), text: String::new() };
    session.say(0, std::slice::from_ref(&refused));
    assert_eq!(session.outputs(), [RtrOutput::Close, RtrOutput::Connect]);
    session.sent();
    session.client.connected(session.now);
    assert_eq!(session.sent(), [(0, Pdu::ResetQuery)]);
    session.say(0, &[response(7), announced("10.0.0.0/8"), end(7, 1)]);
    assert_eq!(session.table().map(|it| it.len()), Some(1));
    session.client.disconnected(session.now, "reset".to_owned());
    session.outputs();
    session.reconnect();
    assert_eq!(session.sent(), [(0, Pdu::SerialQuery { session_id: 7, serial: 1 })]);

    // .. or answers in version 0, after a notice that means nothing yet.
    let mut session = Session::connected();
    session.say(0, &[Pdu::SerialNotify { session_id: 9, serial: 9 }, response(7), end(7, 1)]);
    assert_eq!(session.table(), Some(vec![]));
    session.say(1, &[response(7)]);
    session.assert_refused(RtrErrorCode::UNEXPECTED_PROTOCOL_VERSION);

    // A refusal of a version that was agreed on is an error like others.
    let mut session = synchronized();
    session.say(0, &[refused]);
    assert_eq!(session.outputs()[0], RtrOutput::Close);
    assert_eq!(session.client.state(), RtrState::Waiting);
}

#[test]
fn a_cache_without_data_is_asked_again_on_the_same_connection() {
    let mut session = Session::connected();
    let code = RtrErrorCode::NO_DATA_AVAILABLE;
    session.say(1, &[Pdu::ErrorReport { code, pdu: vec![1], text: "starting".to_owned() }]);
    let failure = RtrFailure::Reported { code, text: "starting".to_owned() };
    assert_eq!(failure.to_string(), "the cache reports No Data Available: starting");
    assert_eq!(session.outputs(), [RtrOutput::Failed(failure)]);
    session.sent();
    session.later(1);
    assert_eq!(session.sent(), [(1, Pdu::ResetQuery)]);
}

#[test]
fn a_cache_that_breaks_the_protocol_is_told_so_and_left() {
    use RtrErrorCode as Code;
    for (pdus, code) in [
        (vec![announced("11.0.0.0/8")], Code::CORRUPT_DATA),
        (vec![end(7, 2)], Code::CORRUPT_DATA),
        (vec![Pdu::RouterKey], Code::CORRUPT_DATA),
        (vec![response(7), response(7)], Code::CORRUPT_DATA),
        (vec![response(7), Pdu::CacheReset], Code::CORRUPT_DATA),
        (vec![Pdu::ResetQuery], Code::CORRUPT_DATA),
        (vec![response(8)], Code::CORRUPT_DATA),
        (vec![response(7), end(8, 2)], Code::CORRUPT_DATA),
        (vec![response(7), announced("10.0.0.0/8")], Code::DUPLICATE_ANNOUNCEMENT_RECEIVED),
        (
            vec![response(7), announced("11.0.0.0/8"), announced("11.0.0.0/8")],
            Code::DUPLICATE_ANNOUNCEMENT_RECEIVED,
        ),
        (vec![response(7), withdrawn("11.0.0.0/8")], Code::WITHDRAWAL_OF_UNKNOWN_RECORD),
        (
            vec![response(7), withdrawn("10.0.0.0/8"), withdrawn("10.0.0.0/8")],
            Code::WITHDRAWAL_OF_UNKNOWN_RECORD,
        ),
    ] {
        let mut session = synchronized();
        session.later(3_600);
        session.sent();
        session.say(1, &pdus);
        session.assert_refused(code);

        // Data of another session are dropped, all others stay until they expire.
        let is_other = pdus.contains(&response(8)) || pdus.contains(&end(8, 2));
        assert_eq!(session.table().is_none(), is_other, "{pdus:?}");
    }
}

#[test]
fn a_cache_that_refuses_a_serial_query_is_asked_for_everything() {
    let mut session = synchronized();
    session.later(3_600);
    assert_eq!(session.sent(), [query(7, 1)]);
    let code = RtrErrorCode::INTERNAL_ERROR;
    session.say(1, &[Pdu::ErrorReport { code, pdu: Vec::new(), text: String::new() }]);
    assert_eq!(session.outputs()[0], RtrOutput::Close);
    assert!(session.table().is_some(), "the data are used until they expire");

    session.reconnect();
    assert_eq!(session.sent(), [(1, Pdu::ResetQuery)]);
}

#[test]
fn after_refused_changes_everything_is_queried_and_the_data_are_used_meanwhile() {
    let mut session = synchronized();
    session.later(3_600);
    session.sent();
    session.say(1, &[response(7), announced("10.0.0.0/8")]);
    session.assert_refused(RtrErrorCode::DUPLICATE_ANNOUNCEMENT_RECEIVED);

    // A connection that fails in between does not make the changes acceptable.
    session.reconnect();
    assert_eq!(session.sent(), [(1, Pdu::ResetQuery)]);
    session.client.disconnected(session.now, "reset".to_owned());
    session.reconnect();
    assert_eq!(session.sent(), [(1, Pdu::ResetQuery)]);
    assert_eq!(session.table().map(|it| it.len()), Some(2));

    session.say(1, &[response(7), announced("10.0.0.0/8"), end(7, 2)]);
    assert_eq!(session.table(), Some(vec![vrp("10.0.0.0/8")]));
    session.say(1, &[Pdu::SerialNotify { session_id: 7, serial: 3 }]);
    assert_eq!(session.sent(), [query(7, 2)]);
}

#[test]
fn changes_of_data_that_expire_during_the_answer_are_not_used() {
    let mut session = synchronized();
    session.later(3_600);
    session.sent();
    // The cache is slow, and never silent for a whole minute.
    session.say(1, &[response(7)]);
    for _ in 0..71 {
        session.later(50);
        session.say(1, &[Pdu::RouterKey]);
    }
    assert_eq!(session.table().map(|it| it.len()), Some(2));
    session.outputs();
    session.later(50);
    let expired = RtrOutput::Failed(RtrFailure::Expired);
    assert_eq!(session.outputs(), [RtrOutput::VrpsChanged, RtrOutput::Close, expired]);

    session.say(1, &[announced("11.0.0.0/8"), end(7, 2)]);
    assert_eq!(session.table(), None, "the changes alone are not the data");
    session.reconnect();
    assert_eq!(session.sent(), [(1, Pdu::ResetQuery)]);
}

#[test]
fn data_that_expire_during_a_whole_answer_do_not_disturb_it() {
    let mut session = synchronized();
    session.later(3_600);
    session.say(1, &[Pdu::CacheReset, response(8)]);
    session.sent();
    for _ in 0..73 {
        session.later(50);
        session.say(1, &[Pdu::RouterKey]);
    }
    assert_eq!(session.table(), None);
    session.say(1, &[announced("11.0.0.0/8"), end(8, 1)]);
    assert_eq!(session.table(), Some(vec![vrp("11.0.0.0/8")]));
}

#[test]
fn rfc_8210_section_5_11_no_error_report_answers_another() {
    for octets in [
        // Lengths inside that are not possible, and a whole that is too long.
        &[1, 10, 0, 0, 0, 0, 0, 16, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..],
        &[1, 10, 0, 0, 0, 0xff, 0xff, 0xff],
    ] {
        let mut session = synchronized();
        session.client.read_buffer().extend_from_slice(octets);
        session.client.received(session.now);
        assert_eq!(session.sent(), []);
        assert_eq!(session.outputs().first(), Some(&RtrOutput::Close));
        assert_eq!(session.client.state(), RtrState::Waiting);
    }
}

#[test]
fn an_error_report_repeats_the_faulty_pdu_and_nothing_after_it() {
    let (faulty, next) = ([1, 5, 0, 0, 0, 0, 0, 8], [1, 8, 0, 0, 0, 0, 0, 8]);
    let (too_long, too_short) = ([1, 9, 0, 0, 0xff, 0, 0, 0], [1, 3, 0, 7, 0, 0, 0, 7]);
    for (octets, quoted) in [
        ([faulty, next].concat(), faulty.to_vec()),
        ([too_short, next].concat(), too_short.to_vec()),
        ([too_long, next].concat(), [too_long, next].concat()),
    ] {
        let mut session = synchronized();
        session.client.read_buffer().extend_from_slice(&octets);
        session.client.received(session.now);
        let sent = session.sent();
        let Some((_, Pdu::ErrorReport { pdu, .. })) = sent.last() else { panic!("{sent:?}") };
        assert_eq!(*pdu, quoted);
    }
}

#[test]
fn rfc_8210_section_7_a_notice_in_another_version_than_the_agreed_one_is_refused() {
    let mut session = synchronized();
    session.say(0, &[Pdu::SerialNotify { session_id: 7, serial: 2 }]);
    session.assert_refused(RtrErrorCode::UNEXPECTED_PROTOCOL_VERSION);
}

#[test]
fn octets_that_are_no_pdu_end_the_session() {
    let mut session = synchronized();
    session.client.read_buffer().extend_from_slice(&[1, 9, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    session.client.received(session.now);
    session.assert_refused(RtrErrorCode::CORRUPT_DATA);
    // What comes later on the closed connection is not read.
    session.say(1, &[response(7)]);
    assert_eq!(session.sent(), []);
    session.reconnect();
    assert_eq!(session.sent(), [query(7, 1)]);
}
