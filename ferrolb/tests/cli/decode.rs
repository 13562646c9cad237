//! `ferrolb decode`: exit codes, and lines that are answered as they arrive.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const MARKER: &str = "ffffffffffffffffffffffffffffffff";

fn ferrolb() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrolb"));
    command.arg("decode").env_remove("FERROLB_LOG").stdin(Stdio::null());
    command
}

/// The exit code, stdout and stderr.
fn ended(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = ferrolb().args(arguments).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_decoded_message_exits_with_0_for_any_verdict() {
    for message in ["001304", "00140400", "001306"] {
        let (code, page, _) = ended(&[&format!("{MARKER}{message}")]);
        assert_eq!(code, Some(0), "{page}");
        assert!(page.contains("verdict: "), "{page}");
    }
    // The octets may have blanks or colons between them, or be several arguments.
    let (code, page, _) = ended(&["ff:ff ff ff ff ff ff ff", "ffffffffffffffff", "0013", "04"]);
    assert_eq!(code, Some(0), "{page}");
}

#[test]
fn input_that_is_not_one_message_exits_with_1_and_says_why() {
    for (message, why) in [
        ("0037", "truncated: expected 55 octets, found 18"),
        ("00370200", "truncated: expected 55 octets, found 20"),
        ("001304ff", "surplus octets: expected 19, found 20"),
    ] {
        let (code, page, _) = ended(&[&format!("{MARKER}{message}")]);
        assert_eq!(code, Some(1), "{page}");
        assert!(page.ends_with(&format!("not one message: {why}\n")), "{page}");
    }
    let (_, help, _) = ended(&["--help"]);
    assert!(help.contains("1  HEX is truncated, or more than one message"), "{help}");
}

#[test]
fn unreadable_input_exits_with_2_and_names_the_location() {
    let (code, _, error) = ended(&["ffzz"]);
    assert_eq!(
        (code, error.trim_end()),
        (Some(2), "ferrolb: error: HEX: 'z' at 2: expected a hexadecimal digit")
    );
    let (code, _, error) = ended(&["--mrt", "no/such/file"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("no/such/file"), "{error}");
    let (code, _, _) = ended(&["--mrt", "file", "--two-octet-as"]);
    assert_eq!(code, Some(2));
    let (code, _, _) = ended(&[]);
    assert_eq!(code, Some(2));
}

#[cfg(feature = "captures")]
#[test]
fn a_capture_from_a_file_or_stdin_is_decoded_and_what_it_lacks_is_a_warning() {
    let keepalive = [&[0xff; 16][..], &[0, 19, 4]].concat();
    let mut octets = crate::documentation::capture(&keepalive);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session");
    std::fs::write(&file, &octets).unwrap();
    let file = file.to_str().unwrap();

    let (code, text, error) = ended(&["--pcap", file]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let first = "# message 1, packet 1, time 1600000000.000005 from 10.0.0.1:179 to 10.0.0.2:40000";
    assert_eq!(text.lines().next(), Some(first));

    let (code, text, error) = ended(&["--pcap", file, "--port", "1790"]);
    assert_eq!((code, text.as_str()), (Some(0), ""));
    assert!(error.contains("none of the 1 packets is TCP with port 1790"), "{error}");

    // The last octet of the message is missing.
    octets.pop();
    let mut command = ferrolb();
    command.args(["--pcap", "-", "--jsonl"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(&octets).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("-: ends within a packet"), "{error}");
}

#[test]
fn what_is_no_capture_exits_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.pcap");
    std::fs::write(&file, "ffffffffffffffffffffffffffffffff001304").unwrap();
    let file = file.to_str().unwrap();

    let (code, _, error) = ended(&["--pcap", file]);
    assert_eq!(code, Some(2));
    let expected = if cfg!(feature = "captures") { "expected a capture" } else { "--features" };
    assert!(error.contains(expected) && error.contains(file), "{error}");
    for arguments in [&["--port", "179"][..], &["--pcap", file, "--mrt", file]] {
        assert_eq!(ended(arguments).0, Some(2), "{arguments:?}");
    }

    // The name of a file in the place of HEX.
    let (code, _, error) = ended(&[file]);
    assert_eq!(code, Some(2));
    assert!(error.contains(&format!("To read the file {file}, use --pcap")), "{error}");
}

#[test]
fn each_line_is_answered_as_it_arrives() {
    let mut child =
        ferrolb().arg("--jsonl").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut questions = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();

    let megabytes = "0".repeat(3_000_000);
    for (question, outcome) in [
        (format!("{{\"id\":1,\"hex\":\"{MARKER}001304\"}}\r").into_bytes(), "\"ok\""),
        (b"".to_vec(), "no JSON"),
        (b"{\"id\":2,\"hex\":\"\xff\"}".to_vec(), "no JSON"),
        (vec![b'['; 200_000], "no JSON"),
        (format!("{{\"id\":3,\"hex\":\"{MARKER}{megabytes}\"}}").into_bytes(), "session-reset"),
        (
            format!("{{\"id\":4,\"hex\":\"{MARKER}001704{megabytes}\"}}").into_bytes(),
            "session-reset",
        ),
        (
            format!("{{\"id\":5,\"hex\":\"{MARKER}001304{megabytes}\"}}").into_bytes(),
            "surplus octets",
        ),
        (b"{\"id\":6,\"hex\":\"\",\"ctx\":{\"asn4\":[]}}".to_vec(), "ctx.asn4"),
    ] {
        questions.write_all(&question).unwrap();
        questions.write_all(b"\n").unwrap();
        questions.flush().unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.contains(outcome), "{answer}");
    }

    // The answer repeats an id as it was written.
    for id in ["123456789012345678901234567890", "1.50", "{\"b\": 1e400, \"a\": [ ]}", "null"] {
        writeln!(questions, "{{\"hex\":\"{MARKER}001304\",\"id\":0,\"id\":{id}}}").unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.starts_with(&format!("{{\"id\":{id},\"decoded\":{{")), "{answer}");
    }

    // The last line needs no newline.
    write!(questions, "{{\"id\":7,\"hex\":\"{MARKER}001304\"}}").unwrap();
    drop(questions);
    assert!(answers.next().unwrap().unwrap().contains("\"id\":7"));
    assert!(answers.next().is_none());
    assert!(child.wait().unwrap().success());
}
