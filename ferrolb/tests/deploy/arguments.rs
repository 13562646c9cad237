//! The command lines of our manifests and of MetalLB's.

use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use ferrolb::cli::{Cli, Command};
use serde_json::Value;

use crate::documents::{one, text};

const MANIFEST: &str = "deploy/manifests/ferrolb-system.yaml";

/// The words after the program's name in a Deployment or a DaemonSet.
pub(crate) fn arguments(object: &Value) -> Vec<String> {
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    // The image's entry point is the binary itself.
    assert!(container["command"].is_null());
    let words = container["args"].as_array().unwrap().iter();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

pub(crate) fn parse(words: impl IntoIterator<Item = impl Into<String>>) -> Command {
    let words: Vec<String> = words.into_iter().map(Into::into).collect();
    let line = words.join(" ");
    let all = ["ferrolb".to_owned()].into_iter().chain(words);
    Cli::try_parse_from(all).unwrap_or_else(|error| panic!("{line}: {error}")).command
}

#[test]
fn the_controllers_arguments_in_the_manifest_parse() {
    let Command::Controller(args) = parse(arguments(&one(MANIFEST, "Deployment"))) else {
        panic!("a controller")
    };
    assert_eq!(args.cluster.port, 7472);
}

#[test]
fn the_speakers_arguments_in_the_manifest_parse_and_leave_time_to_drain() {
    let set = one(MANIFEST, "DaemonSet");
    let words = arguments(&set).into_iter().chain(["--node-name=kube1".to_owned()]);
    let Command::Speaker(args) = parse(words) else { panic!("a speaker") };
    assert_eq!(args.cluster.port, 7472);
    let grace = set["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    let drain = args.drain.drain_marked + args.drain.drain_withdrawn;
    // The sessions need some time to end as well.
    assert!(drain + Duration::from_secs(5) <= Duration::from_secs(grace), "{drain:?} of {grace} s");
}

#[test]
fn every_option_in_the_chart_exists() {
    for (name, template) in [("controller", "controller.yaml"), ("speaker", "speaker.yaml")] {
        let cli = Cli::command();
        let command = cli.find_subcommand(name).unwrap();
        let known: Vec<_> = command
            .get_arguments()
            .chain(cli.get_arguments().filter(|it| it.is_global_set()))
            .filter_map(clap::Arg::get_long)
            .collect();
        let template = text(&format!("deploy/charts/ferrolb/templates/{template}"));
        let mut options = 0;
        for line in template.lines().filter_map(|line| line.trim().strip_prefix("- --")) {
            let option = line.split('=').next().unwrap();
            assert!(known.contains(&option), "{name}: --{option} is not among {known:?}");
            options += 1;
        }
        assert!(options >= 4, "{name}");
    }
}

#[test]
fn the_arguments_of_metallbs_controller_are_accepted() {
    parse([
        "controller",
        "--port=9120",
        "--namespace=metallb-system",
        "--ml-secret-name=metallb-memberlist",
        "--deployment=metallb-controller",
        "--log-level=all",
        "--pprof-bind-address=127.0.0.1:6060",
        "--health-probe-port=17472",
        "--disable-cert-rotation=true",
        "--cert-dir=/certs",
        "--cert-service-name=metallb-webhook-service",
        "--lb-class=example.com/lb",
        "--webhook-mode=enabled",
        "--webhook-secret=metallb-webhook-cert",
        "--pod-name=controller-0",
        "--webhook-http2=false",
        "--tls-min-version=VersionTLS12",
        "--tls-cipher-suites=TLS_AES_128_GCM_SHA256",
        "--tls-curve-preferences=X25519",
        "--metrics-cert-dir=/metrics-certs",
    ]);

    // The arguments of version 0.7.3. Switches have no value.
    parse(["controller", "--port=7472", "--config=config"]);
    parse(["controller", "--disable-cert-rotation", "--webhook-http2"]);
}

#[test]
fn the_arguments_of_metallbs_speaker_are_accepted() {
    let words = [
        "speaker",
        "--bgp-debounce-timeout=3000",
        "--namespace=metallb-system",
        "--host=192.0.2.1",
        "--ml-bindaddr=192.0.2.1",
        "--ml-bindport=7946",
        "--ml-labels=app=metallb,component=speaker",
        "--ml-secret-key-path=/etc/ml_secret_key",
        "--ml-wan-config=true",
        "--node-name=kube1",
        "--pod-name=speaker-0",
        "--port=9120",
        "--log-level=none",
        "--pprof-bind-address=127.0.0.1:6060",
        "--health-probe-port=17472",
        "--lb-class=example.com/lb",
        "--ignore-exclude-lb=true",
        "--frrk8s-namespace=frr-k8s-system",
        "--frrk8s-secret-passthrough=true",
        "--tls-min-version=VersionTLS12",
        "--tls-cipher-suites=TLS_AES_128_GCM_SHA256",
        "--tls-curve-preferences=X25519",
        "--metrics-cert-dir=/metrics-certs",
    ];
    let Command::Speaker(args) = parse(words) else { panic!("a speaker") };
    assert!(args.ignore_exclude_lb);
    assert_eq!(args.node_name, "kube1");

    let Command::Speaker(args) =
        parse(["speaker", "--node-name=a", "--ignore-exclude-lb=false", "--ml-wan-config"])
    else {
        panic!("a speaker")
    };
    assert!(!args.ignore_exclude_lb);

    let Command::Speaker(args) = parse([
        "speaker",
        "--port=7472",
        "--config=config",
        "--node-name",
        "a",
        "--ignore-exclude-lb",
    ]) else {
        panic!("a speaker")
    };
    assert!(args.ignore_exclude_lb);
}

/// The manifests repeat the defaults of the programs.
#[test]
fn the_durations_in_the_manifest_are_the_defaults() {
    let Command::Speaker(plain) = parse(["speaker", "--node-name=a"]) else { panic!("a speaker") };
    let words =
        arguments(&one(MANIFEST, "DaemonSet")).into_iter().chain(["--node-name=a".to_owned()]);
    let Command::Speaker(args) = parse(words) else { panic!("a speaker") };
    assert_eq!(args.drain.drain_marked, plain.drain.drain_marked);
    assert_eq!(args.drain.drain_withdrawn, plain.drain.drain_withdrawn);
    assert_eq!(args.on_exit, plain.on_exit);
    let values: Value = crate::documents::documents("deploy/charts/ferrolb/values.yaml").remove(0);
    assert_eq!(values["speaker"]["drain"]["marked"], "10s");
    assert_eq!(plain.drain.drain_marked, Duration::from_secs(10));
    assert_eq!(values["speaker"]["heartbeat"], "60s");
    assert_eq!(plain.heartbeat, Duration::from_secs(60));
}

#[test]
fn every_option_and_variable_is_documented() {
    let page = text("docs/kubernetes.md");
    let cli = Cli::command();
    for name in ["controller", "speaker"] {
        for argument in cli.find_subcommand(name).unwrap().get_arguments() {
            let Some(option) = argument.get_long().filter(|_| !argument.is_hide_set()) else {
                continue;
            };
            assert!(page.contains(&format!("`--{option}`")), "{name}: --{option}");
            if let Some(variable) = argument.get_env() {
                let variable = variable.to_str().unwrap();
                assert!(page.contains(&format!("`{variable}`")), "{name}: {variable}");
            }
        }
    }
}
