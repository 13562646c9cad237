//! Recordings and their expected answers.
//!
//! `version-0.1.0.jsonl` has every kind of step as that version wrote it. A later version must go on reading it, so it is never
//! written again.

use std::fs;
use std::path::{Path, PathBuf};

use lb_adapter::planner::PlannerOptions;
use lb_adapter::recording::{Replay, is_sync};

fn recordings() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .filter(|path| !path.to_string_lossy().ends_with(".expected.jsonl"))
        .collect();
    found.sort();
    found
}

/// Compares the answers to each recording with the file beside it. If `FERROLB_BLESS` is set, the file is written instead:
/// review the difference.
#[test]
fn every_recording_has_the_expected_answers() {
    let recordings = recordings();
    assert!(recordings.len() >= 7, "the recordings are missing");
    for path in recordings {
        let text = fs::read_to_string(&path).unwrap();
        let answers = answers(&text);
        let expected = path.with_extension("expected.jsonl");
        if std::env::var_os("FERROLB_BLESS").is_some() {
            fs::write(&expected, answers.join("\n") + "\n").unwrap();
            continue;
        }
        let wanted = fs::read_to_string(&expected).unwrap();
        for (step, (found, wanted)) in answers.iter().zip(wanted.lines()).enumerate() {
            assert_eq!(found, wanted, "{}, step {}", path.display(), step + 1);
        }
        assert_eq!(answers.len(), wanted.lines().count(), "{}", path.display());
    }
}

/// The answers to a recording.
fn answers(text: &str) -> Vec<String> {
    let expects_sync = text.lines().any(|line| is_sync(line.as_bytes()));
    let mut replay = Replay::new("metallb-system", PlannerOptions::default(), expects_sync);
    text.lines().map(|line| serde_json::to_string(&replay.step(line.as_bytes())).unwrap()).collect()
}

/// A newer version may say more about a step, a session, a probe or a dataplane. The fields of objects belong to their API.
#[test]
fn what_a_newer_version_adds_to_a_recording_is_ignored() {
    let newer = serde_json::json!({"than": ["this", "version"]});
    for path in recordings() {
        let text = fs::read_to_string(&path).unwrap();
        let mut lines = Vec::new();
        for line in text.lines() {
            let mut step: serde_json::Value = serde_json::from_str(line).unwrap();
            for key in ["session", "probe", "dataplane", "delete"] {
                if let Some(fields) = step.get_mut(key).and_then(|it| it.as_object_mut()) {
                    fields.insert("newer".to_owned(), newer.clone());
                }
            }
            // The marks are found by their text.
            if step.get("sync").is_none() {
                step["newer"] = newer.clone();
                lines.push(step.to_string());
            } else {
                lines.push(line.to_owned());
            }
        }
        assert_eq!(answers(&lines.join("\n")), answers(&text), "{}", path.display());
    }
}
