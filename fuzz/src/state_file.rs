//! The state file: any text is read or refused in one line, and what is read can be written and reads the same again.

use std::path::Path;

use lb_adapter::state_file::{read, text};

use crate::judge::judge_text;

/// The input is a file.
pub fn check(input: &[u8]) {
    let path = Path::new("state.json");
    let held = match read(path, &String::from_utf8_lossy(input)) {
        Ok(held) => held,
        Err(error) => return judge_text(&error.to_string()),
    };

    let written = text(&held).expect("addresses can be written");
    let again = read(path, &written).expect("what is written can be read");
    assert_eq!(again, held);
    assert_eq!(text(&again).expect("addresses can be written"), written);
}

/// A file as it is written, and ones that are refused.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let row = |name| {
        format!(r#"{{"namespace":"d","name":"{name}","addresses":["192.0.2.1","2001:db8::1"]}}"#)
    };
    let file = |rows: &[String]| format!(r#"{{"version":1,"services":[{}]}}"#, rows.join(","));
    [
        ("two", file(&[row("a"), row("b")])),
        ("none", file(&[])),
        ("twice", file(&[row("a"), row("a")])),
        ("later", r#"{"version":2,"pools":{}}"#.to_owned()),
        ("torn", file(&[row("a")])[..50].to_owned()),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .to_vec()
}
