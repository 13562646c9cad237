//! Bad input, which is reported with its file, line and path and exit code 1, and wrong usage, with exit code 2.

use crate::world::{Manifests, ferrolb, lab, reference, text};

/// A text of the configuration, its invalid replacement, and the expected parts of the error.
struct Bad {
    from: &'static str,
    to: &'static str,
    /// The start of the line that the error must name.
    line: &'static str,
    expected: &'static [&'static str],
}

const BAD: [Bad; 6] = [
    Bad {
        from: "    peers:\n",
        to: "    peers: ]\n",
        line: "    peers: ]",
        expected: &[": error: "],
    },
    Bad {
        from: "      my-asn: 64636",
        to: "      my-asm: 64636",
        line: "      my-asm",
        expected: &[":7: error: peers[0].my-asm: ", "did you mean my-asn?"],
    },
    Bad {
        from: "      peer-asn: 64635\n",
        to: "",
        line: "    - peer-address",
        expected: &[":7: error: peers[0].peer-asn: ", "an AS number"],
    },
    Bad {
        from: "      - 200.1.154.64/26",
        to: "      - 172.22.35.96/27",
        line: "      - 172.22.35.96/27",
        expected: &[":9: error: address-pools[1].addresses[0]: ", "172.22.35.64/26"],
    },
    Bad {
        from: "aggregation-length: 32\n        localpref: 100\n        communities:\n    #",
        to: "aggregation-length: 25\n        localpref: 100\n        communities:\n    #",
        line: "      - aggregation-length: 25",
        expected: &[": error: address-pools[0].bgp-advertisements[0].aggregation-length: "],
    },
    Bad {
        from: "kind: ConfigMap\n",
        to: "kind: {ConfigMap: \n",
        line: "metadata:",
        expected: &[": error: "],
    },
];

/// The location `FILE:LINE:` of the first line with this start.
fn place(manifests: &Manifests, file: &str, start: &str) -> String {
    let text = manifests.read(file);
    let line = text.lines().position(|line| line.starts_with(start)).unwrap() + 1;
    format!("{file}:{line}:")
}

#[test]
fn each_kind_of_bad_input_is_reported_with_its_location_and_exits_with_1() {
    for Bad { from, to, line, expected } in &BAD {
        let manifests = Manifests::reference();
        manifests.replace("config.yaml", from, to);
        let place = place(&manifests, "config.yaml", line);
        let output = lab(&manifests.path(), &["--once", "--output", "json"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{to:?}: {stderr}");
        assert_eq!(text(&output.stdout), "", "{to:?}");
        let is_reported =
            |line: &str| line.contains(&place) && expected.iter().all(|part| line.contains(part));
        assert!(stderr.lines().any(is_reported), "{to:?}: {place} {expected:?} is not in {stderr}");
        assert!(stderr.trim_end().ends_with("in the files: nothing is announced"), "{stderr}");
    }
}

#[test]
fn a_missing_configuration_is_an_error() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "metallb-system", "elsewhere");
    let output = lab(&manifests.path(), &["--once"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("expected a ConfigMap metallb-system/config"), "{stderr}");
}

#[test]
fn all_errors_of_all_files_are_reported_together() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "my-asn: 64636", "my-asn: 0").replace(
        "nodes.yaml",
        "address: 172.22.35.25",
        "address: kube1.example.org",
    );
    let output = lab(&manifests.path(), &["--once"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for place in [
        place(&manifests, "config.yaml", "      my-asn: 0"),
        place(&manifests, "nodes.yaml", "    address: kube1.example.org"),
    ] {
        assert!(stderr.contains(&place), "{stderr}");
    }
    assert!(stderr.contains("2 errors in the files"), "{stderr}");
}

#[test]
fn host_bits_of_a_pool_are_masked_with_a_warning() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "172.22.35.64/26", "172.22.35.65/26");
    let output = lab(&manifests.path(), &["--once"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let place = place(&manifests, "config.yaml", "      - 172.22.35.65/26");
    let expected = format!("{place}9: warning: address-pools[0].addresses[0]: ");
    assert!(stderr.contains(&expected) && stderr.contains("172.22.35.64/26"), "{stderr}");
    assert!(text(&output.stdout).contains("172.22.35.64/32"), "the first address is used");
}

#[test]
fn problems_in_json_logs_are_objects_with_the_location() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "my-asn:", "my-asm:");
    let output = lab(&manifests.path(), &["--once", "--log-format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    let events: Vec<serde_json::Value> =
        stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let event = events.iter().find(|event| event["path"] == "peers[0].my-asm").unwrap();
    let place = place(&manifests, "config.yaml", "      my-asm");
    assert_eq!(format!("config.yaml:{}:", event["line"]), place);
    assert_eq!(event["level"], "ERROR");
}

#[test]
fn a_missing_directory_is_unreadable_input() {
    let output = lab(std::path::Path::new("no-such-directory"), &["--once"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot read no-such-directory: "), "{stderr}");
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["lab"][..],
        &["lab", "somewhere", "--once", "--follow"],
        &["lab", "somewhere", "--timeout", "soon"],
        &["run", "somewhere"],
        &["fly"],
    ] {
        let output = ferrolb(arguments).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_invalid_log_level_is_an_error_and_a_general_one_is_accepted() {
    let reference = reference();
    let check = ["check", reference.to_str().unwrap()];
    let wrong = ferrolb(&[&check[..], &["--log-level", "info,inof"]].concat()).output().unwrap();
    let stderr = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("\"inof\": expected off, error, warn, info, debug or trace"),
        "{stderr}"
    );

    for (variable, value, is_warned) in
        [("RUST_LOG", "hyper", true), ("RUST_LOG", "", false), ("FERROLB_LOG", "", false)]
    {
        let output = ferrolb(&check).env(variable, value).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{variable}: {stderr}");
        assert_eq!(stderr.contains("ignoring RUST_LOG: \"hyper\""), is_warned, "{stderr}");
    }
}

#[test]
#[cfg(feature = "kubernetes")]
fn the_error_about_a_proxy_names_its_variable_and_hides_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let config = "{apiVersion: v1, kind: Config, current-context: a, \
         contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: {}}], \
         clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9', \
         proxy-url: 'http://me:hidden@bastion.example:3128'}}]}";
    std::fs::write(&kubeconfig, config).unwrap();
    let output =
        ferrolb(&["explain", "web", "--kubeconfig", kubeconfig.to_str().unwrap()]).output();
    let output = output.unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("the proxy bastion.example for the API server"), "{stderr}");
    assert!(!stderr.contains("hidden"), "{stderr}");
}

#[test]
fn help_describes_the_program_and_shows_how_to_start() {
    for (arguments, parts) in [
        (&["--help"][..], &["MetalLB", "ferrolb lab examples/reference", "Exit codes:"][..]),
        (&["lab", "--help"], &["no root", "127.22.35.1", "FERROLB_PORT", "--output json"]),
        (&["run", "--help"], &["FERROLB_NODE", "state file", "Cease", "same addresses"]),
    ] {
        let output = ferrolb(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let stdout = text(&output.stdout);
        for part in parts {
            assert!(stdout.contains(part), "{part:?} is not in {stdout}");
        }
    }
}
