//! MRT files: any octets are read to the end or to an error, and the output is text and valid contexts.

use std::time::Duration;

use bgp_core::mrt::{
    MrtError, Precision, RECORD_HEADER_LENGTH, Record, RecordContent, Records, RibRecord, Sessions,
};
use bgp_core::wire::Message;
use bytes::BytesMut;
use ferrolb::commands::decode;
use ferrolb::output::OutputFormat;

use crate::decode::judge_page;

/// The time in records that are written.
const AT: Duration = Duration::from_secs(1_700_000_000);

/// The input is a file, possibly compressed.
pub fn check(input: &[u8]) {
    judge_records(input);
    for format in [OutputFormat::Text, OutputFormat::Json] {
        let mut page = Vec::new();
        let _ = decode::mrt(input, format, &mut page);
        judge_page(&page);
    }
}

/// The records follow each other; none depends on the octets after it; every message has a context.
fn judge_records(file: &[u8]) {
    let mut sessions = Sessions::new();
    let mut records = Records::new(file);
    let mut at = 0;
    for record in records.by_ref() {
        let octets = record.as_bytes();
        assert_eq!(&file[at..at + octets.len()], octets);
        at += octets.len();
        assert_eq!(octets.len(), RECORD_HEADER_LENGTH + record.body().len());
        assert_eq!(Record::split(octets), Some(record));
        assert_eq!(Record::split(&octets[..octets.len() - 1]), None);

        match record.content() {
            Ok(RecordContent::Message(recorded)) => {
                let cx = sessions.context(&recorded);
                assert_eq!(cx.is_four_octet_as(), recorded.four_octet_as);
                assert!(record.body().ends_with(recorded.octets));
                judge_written(record.content(), |out| recorded.encode(AT, Precision::Seconds, out));
            }
            Ok(RecordContent::StateChange(change)) => {
                judge_written(record.content(), |out| change.encode(AT, Precision::Seconds, out));
            }
            Ok(RecordContent::PeerIndexTable(table)) => {
                assert!(table.peers().count() <= record.body().len());
            }
            Ok(RecordContent::Rib(rib)) => judge_rib(&rib),
            _ => {}
        }
    }

    assert_eq!(records.rest(), &file[at..]);
    assert_eq!(Record::split(records.rest()), None);
}

/// A content that is written as a record reads back unchanged.
fn judge_written(content: Result<RecordContent<'_>, MrtError>, write: impl FnOnce(&mut BytesMut)) {
    let mut out = BytesMut::new();
    write(&mut out);
    let record = Record::split(&out).expect("a whole record");
    assert_eq!(record.as_bytes().len(), out.len());
    assert_eq!(record.content(), content);
}

/// An entry becomes one complete UPDATE, or nothing.
fn judge_rib(rib: &RibRecord<'_>) {
    let mut out = BytesMut::from(&b"before"[..]);
    for entry in rib.entries() {
        let written = rib.encode_update(&entry, &mut out);
        let message = out.split_off(6);
        assert_eq!((&out[..], message.is_empty()), (&b"before"[..], !written));
        if !written {
            continue;
        }

        let decoded = crate::judge::decode(&message, rib.context());
        if let (Some(Message::Update(update)), Some(prefix)) = (decoded, rib.prefix()) {
            let mut routes = update
                .nlri()
                .map(Into::into)
                .chain(update.mp_reach().into_iter().flat_map(|mp| mp.nlri()));
            assert!(routes.all(|route: bgp_core::IpNet| route == prefix));
        }
    }
}
