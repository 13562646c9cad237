//! RTR: any octets of a cache, in any pieces and with any pauses, leave a client with the data of complete answers.

use std::time::{Duration, Instant};

use bgp_core::Asn;
use bgp_core::rpki::{DecodedPdu, Pdu, RtrClient, RtrErrorCode, RtrOutput, RtrState, Vrp};
use bytes::{Buf, BytesMut};

use crate::input::Input;

/// The input is the cache's part of a conversation: steps of a pause and a piece of octets each.
pub fn check(input: &[u8]) {
    judge_codec(input);

    let mut now = Instant::now();
    let mut client = RtrClient::new(now);
    let mut query = Pdu::ResetQuery;
    let mut input = Input::new(input);
    while !input.is_empty() {
        now += Duration::from_secs(u64::from(input.octet()) * 32);
        client.handle_timeout(now);
        drive(&mut client, now, &mut query);

        let piece = usize::from(input.octet());
        client.read_buffer().extend_from_slice(input.take(piece));
        client.received(now);
        drive(&mut client, now, &mut query);
        judge(&mut client, now, &query);
    }
}

/// What is read can be written, and read again. An incomplete PDU is never read.
fn judge_codec(octets: &[u8]) {
    let Ok(Some(DecodedPdu { version, pdu, length })) = Pdu::decode(octets) else { return };
    for end in 0..length.min(64) {
        assert_eq!(Pdu::decode(&octets[..end]), Ok(None), "to {end} of {length}");
    }
    if pdu == Pdu::RouterKey || version > 1 {
        return;
    }

    let mut written = BytesMut::new();
    pdu.encode(version, &mut written);
    let decoded = Pdu::decode(&written).expect("a PDU").expect("the whole PDU");
    assert_eq!((decoded.version, decoded.pdu, decoded.length), (version, pdu, written.len()));
}

/// Connects whenever the client asks, and reads what it sends. Keeps the last query.
fn drive(client: &mut RtrClient, now: Instant, query: &mut Pdu) {
    loop {
        let mut sent = BytesMut::new();
        client.poll_transmit(&mut sent);
        while let Some(decoded) = Pdu::decode(&sent).expect("the client sends PDUs") {
            sent.advance(decoded.length);
            if !matches!(decoded.pdu, Pdu::ErrorReport { .. }) {
                *query = decoded.pdu;
            }
        }
        assert!(sent.is_empty(), "the client sends whole PDUs");

        match client.poll_output() {
            Some(RtrOutput::Connect) => client.connected(now),
            Some(_) => {}
            None => return,
        }
    }
}

/// Every state has a next deadline, which lies ahead. Only complete answers leave data, and changes are awaited only for data
/// that are still there.
fn judge(client: &mut RtrClient, now: Instant, query: &Pdu) {
    assert_ne!(client.state(), RtrState::Connecting);
    let deadline = client.poll_timeout().expect("something is always due");
    assert!(deadline > now, "a deadline that has passed would make the driver spin");
    assert_eq!(client.vrps().is_some(), client.serial().is_some());
    if client.state() == RtrState::Querying && matches!(query, Pdu::SerialQuery { .. }) {
        assert!(client.vrps().is_some(), "changes of nothing");
    }
    assert!(client.read_buffer().len() <= Pdu::MOST_OCTETS);
}

/// Conversations of caches in both versions, and answers that end them.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let vrp = |prefix: &str| Vrp::new(prefix.parse().expect("a prefix"), Asn(64_500));
    let prefix = |is_announced, text: &str| Pdu::Prefix { is_announced, vrp: vrp(text) };
    let begin = Pdu::CacheResponse { session_id: 7 };
    let end = |serial| Pdu::EndOfData { session_id: 7, serial, timers: None };
    let notify = Pdu::SerialNotify { session_id: 7, serial: 2 };
    let report = |code| Pdu::ErrorReport { code, pdu: vec![1, 2], text: "why".to_owned() };

    let full = [begin.clone(), prefix(true, "10.0.0.0/8"), prefix(true, "2001:db8::/32"), end(1)];
    let changes = [notify, begin.clone(), prefix(false, "10.0.0.0/8"), Pdu::RouterKey, end(2)];
    vec![
        ("serials".to_owned(), conversation(1, &[&full, &changes, &[begin, end(2)]])),
        ("version-0".to_owned(), conversation(0, &[&full, &changes[..3], &[end(2)]])),
        ("cache-reset".to_owned(), conversation(1, &[&full, &[Pdu::CacheReset], &full])),
        (
            "no-data".to_owned(),
            conversation(1, &[&[report(RtrErrorCode::NO_DATA_AVAILABLE)], &full]),
        ),
        (
            "older-version".to_owned(),
            conversation(0, &[&[report(RtrErrorCode::UNSUPPORTED_PROTOCOL_VERSION)], &full]),
        ),
    ]
}

/// An input with these answers and long pauses between them.
fn conversation(version: u8, answers: &[&[Pdu]]) -> Vec<u8> {
    let mut input = Vec::new();
    for answer in answers {
        let mut octets = BytesMut::new();
        for pdu in *answer {
            pdu.encode(version, &mut octets);
        }
        input.extend([113, u8::try_from(octets.len()).expect("a short answer")]);
        input.extend(octets);
    }
    input
}
