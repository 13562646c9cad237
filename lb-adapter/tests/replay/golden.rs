//! Recordings and their expected answers.

use std::fs;
use std::path::{Path, PathBuf};

use lb_adapter::planner::PlannerOptions;
use lb_adapter::recording::Replay;

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
    assert!(recordings.len() >= 6, "the recordings are missing");
    for path in recordings {
        let text = fs::read_to_string(&path).unwrap();
        let expects_sync = text.contains(r#"{"sync": true}"#);
        let mut replay = Replay::new("metallb-system", PlannerOptions::default(), expects_sync);
        let answers: Vec<_> = text
            .lines()
            .map(|line| serde_json::to_string(&replay.step(line.as_bytes())).unwrap())
            .collect();
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
