//! Files that change while the lab runs.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{Manifests, Process, next_hops, wait_until};

const SMTP: &str = "172.22.35.70/32";

/// Starts a lab that follows the manifests. Returns its first document too.
fn followed(manifests: &Manifests) -> (Process, Value) {
    let lab = Process::lab(&manifests.path(), &["--output", "json"]);
    let document = lab.document();
    assert_eq!(next_hops(&document, SMTP), ["172.22.35.26"]);
    (lab, document)
}

fn move_pod(manifests: &Manifests, from: &str, to: &str) {
    manifests.replace(
        "endpoints.yaml",
        &format!("10.244.2.15\n  nodeName: {from}"),
        &format!("10.244.2.15\n  nodeName: {to}"),
    );
}

#[test]
fn moving_the_endpoint_moves_the_route_in_under_a_second() {
    let manifests = Manifests::reference();
    let (lab, _) = followed(&manifests);
    let mut times = Vec::new();
    for (from, to, hop) in [
        ("kube2", "kube3", "172.22.35.27"),
        ("kube3", "kube1", "172.22.35.25"),
        ("kube1", "kube2", "172.22.35.26"),
    ] {
        let started = Instant::now();
        move_pod(&manifests, from, to);
        let document = lab.document();
        times.push(started.elapsed());
        assert_eq!(next_hops(&document, SMTP), [hop]);
        assert_eq!(next_hops(&document, "172.22.35.64/32").len(), 3, "the others stay");
    }

    // A single slow attempt may be due to a busy machine.
    assert!(times.iter().min() < Some(&Duration::from_secs(1)), "{times:?}");
}

#[test]
fn deleting_a_service_withdraws_its_route_and_nothing_else() {
    let manifests = Manifests::reference();
    let (lab, before) = followed(&manifests);
    let services = manifests.read("services.yaml");
    let (_, others) = services.split_once("\n---\n").unwrap();
    manifests.write("services.yaml", others);
    let document = lab.document();
    assert_eq!(next_hops(&document, SMTP), [""; 0]);
    let of = |document: &Value, prefix| next_hops(document, prefix);
    for prefix in ["172.22.35.64/32", "200.1.154.64/32"] {
        assert_eq!(of(&document, prefix), of(&before, prefix));
    }
    assert_eq!(document["sessions"], before["sessions"]);
}

#[test]
fn a_broken_file_is_reported_and_changes_nothing_until_it_is_fixed() {
    let manifests = Manifests::reference();
    let (lab, _) = followed(&manifests);
    let config = manifests.read("config.yaml");
    // Both changes are made at once: neither must take effect.
    move_pod(&manifests, "kube2", "kube3");
    manifests.write("config.yaml", &config.replace("auto-assign:", "auto-asign:"));
    let error = lab.error(|line| line.contains("auto-asign"));
    let line = config.lines().position(|line| line.contains("auto-assign:")).unwrap() + 1;
    let said = format!("config.yaml:{line}:7: error: address-pools[1].auto-asign: ");
    assert!(error.contains(&said), "{error}");
    assert!(error.contains("did you mean auto-assign?"), "{error}");
    lab.error(|line| line.contains("the last valid configuration stays in force"));
    // The next document shows the corrected files.
    manifests.write("config.yaml", &config);
    lab.error(|line| line.contains("no errors any more"));
    assert_eq!(next_hops(&lab.document(), SMTP), ["172.22.35.27"]);
}

#[test]
fn files_that_vanish_leave_the_last_good_configuration_in_force() {
    let manifests = Manifests::reference();
    let (lab, before) = followed(&manifests);
    fs::rename(manifests.path(), manifests.beside("elsewhere")).unwrap();
    lab.error(|line| line.contains("the last valid configuration stays in force"));
    fs::rename(manifests.beside("elsewhere"), manifests.path()).unwrap();
    lab.error(|line| line.contains("no errors any more"));
    move_pod(&manifests, "kube2", "kube1");
    let document = lab.document();
    assert_eq!(next_hops(&document, SMTP), ["172.22.35.25"]);
    assert_eq!(document["services"], before["services"]);
}

#[test]
fn an_editor_that_replaces_the_file_is_followed() {
    let manifests = Manifests::reference();
    let (lab, _) = followed(&manifests);
    let file = manifests.path().join("endpoints.yaml");
    for (from, to, hop) in [("kube2", "kube3", "172.22.35.27"), ("kube3", "kube2", "172.22.35.26")]
    {
        let at = |node: &str| format!("10.244.2.15\n  nodeName: {node}");
        let edited = manifests.read("endpoints.yaml").replace(&at(from), &at(to));
        // As vim does: the old file becomes a backup, and a new one gets its name.
        fs::rename(&file, manifests.path().join("endpoints.yaml~")).unwrap();
        fs::write(manifests.path().join(".endpoints.yaml.swp"), "not a manifest").unwrap();
        fs::write(manifests.path().join("new"), edited).unwrap();
        fs::rename(manifests.path().join("new"), &file).unwrap();
        wait_until("the new route", || next_hops(&lab.document(), SMTP) == [hop]);
    }
}

#[cfg(unix)]
#[test]
fn the_links_of_a_kubernetes_volume_are_followed() {
    use std::os::unix::fs::symlink;
    let manifests = Manifests::reference();
    let volume = manifests.beside("volume");
    fs::create_dir_all(volume.join("..first")).unwrap();
    fs::create_dir_all(volume.join("..second")).unwrap();
    for entry in fs::read_dir(manifests.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        fs::copy(entry.path(), volume.join("..first").join(&name)).unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        let text = text.replace("10.244.2.15\n  nodeName: kube2", "10.244.2.15\n  nodeName: kube3");
        fs::write(volume.join("..second").join(&name), text).unwrap();
        symlink(std::path::Path::new("..data").join(&name), volume.join(&name)).unwrap();
    }
    symlink("..first", volume.join("..data")).unwrap();

    let lab = Process::lab(&volume, &["--output", "json"]);
    assert_eq!(next_hops(&lab.document(), SMTP), ["172.22.35.26"]);
    symlink("..second", volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    assert_eq!(next_hops(&lab.document(), SMTP), ["172.22.35.27"]);
}

#[test]
fn a_change_of_one_peer_touches_no_session_with_another() {
    let manifests = Manifests::reference();
    let second = "    - {peer-address: 172.22.35.2, peer-asn: 64701, my-asn: 64636, hold-time: 30s}
    address-pools:";
    manifests.replace("config.yaml", "    address-pools:", second);
    let lab = Process::lab(&manifests.path(), &[]);
    lab.line(|line| line.contains("note: router 172.22.35.2 listens on"));
    manifests.replace("config.yaml", "peer-asn: 64701", "peer-asn: 64702");
    let mut news = Vec::new();
    while news.iter().filter(|line: &&String| line.ends_with(": Established")).count() < 3 {
        news.push(lab.line(|line| line.contains(" session ")));
    }
    let (touched, others): (Vec<_>, Vec<_>) =
        news.iter().partition(|line| line.contains("with 172.22.35.2:"));
    assert_eq!(others, Vec::<&String>::new());
    assert!(touched.iter().any(|line| line.contains(": down")), "{touched:?}");
}

#[test]
fn a_lab_ends_quietly_when_its_reader_is_gone() {
    use std::process::Stdio;
    let manifests = Manifests::reference();
    let path = manifests.path();
    let mut command =
        crate::world::ferrolb(&["lab", path.to_str().unwrap(), "--port", "0", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(crate::world::text(&output.stderr), "");
}

#[test]
fn a_lab_that_follows_exits_with_0_on_a_signal() {
    let manifests = Manifests::reference();
    let (mut lab, _) = followed(&manifests);
    lab.signal("INT");
    assert_eq!(lab.wait().code(), Some(0));
    assert_eq!(lab.rest(), [""; 0]);
}
