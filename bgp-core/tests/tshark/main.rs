//! Real captures, read by tshark and by this crate: both must read the same from every message, attribute by attribute.
//!
//! The captures are in `../shared/data/pcap` next to the workspace. The test needs tshark and runs with
//! `FERROLB_TEST_INTEROP=1` (`make interop`).

mod capture;
mod files;
mod node;
mod ours;
mod session;
mod theirs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use bgp_core::wire::{Frame, Message, WireContext};

use capture::{Capture, Captured};
use files::{COVERED, FILES, File, KNOWN_BAD};
use session::Sessions;

/// Returns true if the test was requested; tshark must be installed then.
fn requested() -> bool {
    let requested = std::env::var("FERROLB_TEST_INTEROP").unwrap_or_default();
    if requested == "0" {
        return false;
    }
    if requested.is_empty() {
        // Not `eprintln!`, which the test runner would capture.
        let _ = writeln!(
            std::io::stderr(),
            "skipped the comparison with tshark: run `make test`, or install tshark and set \
             FERROLB_TEST_INTEROP=1"
        );
        return false;
    }

    let found = Command::new("tshark").arg("--version").output();
    assert!(
        found.is_ok_and(|output| output.status.success()),
        "the comparison of captures needs the program `tshark`, which is not installed: \
         `make test-deps` installs it (Debian package tshark)"
    );
    true
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A prefix, with its path identifier if it has one.
fn prefix(path_id: Option<u32>, prefix: &str) -> String {
    match path_id {
        Some(id) => format!("{prefix} path {id}"),
        None => prefix.to_owned(),
    }
}

/// The lines of this crate for a message, and its verdict if there is an error; no lines if the session ends.
fn decoded(message: &Captured, cx: WireContext) -> (Option<Vec<String>>, Option<String>) {
    let decoded = Frame::split(&message.octets, cx.limit())
        .and_then(|frame| Message::decode(frame.unwrap(), cx));
    match decoded {
        Err(error) => (None, Some(format!("session-reset: {error}"))),
        Ok(decoded) => {
            let verdict = match &decoded {
                Message::Update(update) => update.error().map(|e| (update.treatment(), e)),
                _ => None,
            };
            let verdict = verdict.map(|(treatment, error)| format!("{treatment}: {error}"));
            (Some(ours::lines(&decoded, message.octets.len())), verdict)
        }
    }
}

/// The first line that differs.
fn difference(ours: &[String], theirs: &[String]) -> Option<String> {
    let none = "nothing".to_owned();
    (0..ours.len().max(theirs.len()))
        .map(|at| (ours.get(at).unwrap_or(&none), theirs.get(at).unwrap_or(&none)))
        .find(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| format!("we have `{ours}`, tshark has `{theirs}`"))
}

/// The subject of a line: attributes, capabilities and messages by their number, all others by their first word.
fn subject(line: &str) -> String {
    let mut words = line.split([' ', ':']);
    match (words.next(), words.next()) {
        (Some(word @ ("attribute" | "capability" | "type")), Some(number)) => {
            format!("{word} {number}")
        }
        (word, _) => word.unwrap_or_default().to_owned(),
    }
}

/// Compares the messages of a file, and returns all differences from the expected content.
fn compare(directory: &Path, file: &File, covered: &mut BTreeMap<String, usize>) -> Vec<String> {
    let capture = Capture::read(&directory.join(file.name));
    let sessions =
        Sessions::new(&capture, file.negotiated, |other| Capture::read(&directory.join(other)));
    let (mut verdicts, mut wrong) = (Vec::new(), Vec::new());
    for message in &capture.messages {
        let packet = message.packet;
        let (ours, verdict) = decoded(message, sessions.context(message));
        verdicts.extend(verdict.map(|verdict| format!("packet {packet}: {verdict}")));
        let Some(ours) = ours else { continue };
        let difference = difference(&ours, &theirs::lines(&message.fields));
        wrong.extend(difference.map(|text| format!("{}: packet {packet}: {text}", file.name)));
        for line in ours {
            *covered.entry(subject(&line)).or_default() += 1;
        }
    }

    let counts = capture.counts();
    assert!(counts.keys().all(|kind| (1..=5).contains(kind)), "{}: {counts:?}", file.name);
    let counts = [1, 2, 3, 4, 5].map(|kind| counts.get(&kind).copied().unwrap_or(0));
    let of_file = KNOWN_BAD.iter().filter(|(name, _)| *name == file.name);
    let known_bad: Vec<_> = of_file.map(|(_, verdict)| *verdict).collect();
    let mut expect = |what: &str, found: String, expected: String| {
        if found != expected {
            wrong.push(format!("{}: {what}: {found}, expected {expected}", file.name));
        }
    };
    expect("messages", format!("{counts:?}"), format!("{:?}", file.counts));
    expect("octets left over", capture.left_over.to_string(), file.left_over.to_string());
    expect("our verdicts", format!("{verdicts:#?}"), format!("{known_bad:#?}"));

    let complaints = format!("{:#?}", capture.complaints);
    expect("tshark's complaints", complaints, format!("{:#?}", file.complaints));
    wrong
}

#[test]
fn every_captured_message_is_read_like_tshark() {
    if !requested() {
        return;
    }
    let Some(directory) = capture::directory() else { return };
    let there: BTreeSet<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let listed: BTreeSet<_> = FILES.iter().map(|file| file.name.to_owned()).collect();
    assert_eq!(there, listed, "every capture is listed in files.rs, and no other");
    let mut covered = BTreeMap::new();
    let wrong: Vec<_> =
        FILES.iter().flat_map(|file| compare(&directory, file, &mut covered)).collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    let expected = COVERED.iter().map(|(subject, lines)| ((*subject).to_owned(), *lines)).collect();
    assert_eq!(covered, expected);
}
