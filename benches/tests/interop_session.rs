//! The benchmark of sessions works: it measures, keeps its results, and leaves nothing behind.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_small_scenario_is_measured_kept_and_plotted() {
    if !test_peers::requested() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [output, plots] = ["results.jsonl", "plots"].map(|name| directory.path().join(name));
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_session"));
        command.args(["--quick", "--scenario", "sending to a sink: 10,000"]);
        command.args(["--contestant", "ferrolb,bird,octets"]);
        command.arg("--output").arg(&output).arg("--plots").arg(&plots).args(more);
        let run = command.output().unwrap();
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success(), "{text}{}", String::from_utf8_lossy(&run.stderr));
        text
    };

    let text = run(&[]);
    assert!(text.contains("### Sending to a sink"), "{text}");

    let results = std::fs::read_to_string(&output).unwrap();
    let results: Vec<Value> =
        results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let contestants: Vec<_> = results.iter().map(|it| it["contestant"].as_str().unwrap()).collect();
    assert_eq!(contestants, ["FerroLB", "BIRD", "octets"]);
    for result in &results {
        assert_eq!(result["failed"], Value::Null, "{result}");
        assert!(result["figures"]["seconds"].as_f64().unwrap() > 0.0, "{result}");
        let has_process = result["contestant"] != "octets";
        assert_eq!(result["figures"]["MB"].as_f64().is_some(), has_process, "{result}");
    }

    let svg = std::fs::read_to_string(plots.join("sending.svg")).unwrap();
    assert!(svg.contains("10,000, one set"), "{svg}");

    let again = run(&["--resume"]);
    assert!(!again.contains("round 1"), "it measures nothing twice: {again}");
    assert!(again.contains("### Sending to a sink"), "{again}");
}
