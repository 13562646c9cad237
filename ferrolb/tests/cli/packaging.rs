//! The same objects get the same verdict in every kind of file and in every order.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::generated::{World, Written, worlds};
use crate::world::{explained, ferrolb, text};

/// The output of a command that must succeed without an error.
fn printed(arguments: &[&str]) -> String {
    let output = ferrolb(arguments).output().unwrap();
    let errors = text(&output.stderr);
    assert!(!errors.contains("error"), "{arguments:?}: {errors}");
    if arguments[0] == "explain" {
        return explained(&output);
    }
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    text(&output.stdout)
}

/// The output of `explain` about every Service, and of `diff` about the change to another world and back.
fn verdict(written: &Written, world: &World, other: &Written) -> Vec<String> {
    let from = written.text();
    let explained = world.services.iter().map(|service| {
        printed(&["explain", &format!("web/{}", service.name), "--from", &from, "-o", "json"])
    });
    let mut verdict: Vec<_> = explained.collect();
    verdict.push(printed(&["diff", &from, &other.text()]));
    verdict.push(printed(&["diff", &other.text(), &from]));
    verdict
}

/// The exit code of `check` and its problems, without their places.
fn checked(written: &Written) -> Vec<String> {
    let output = ferrolb(&["check", &written.text(), "-o", "json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut said = vec![format!("{:?}", output.status.code())];
    let problems = document["problems"].as_array().unwrap();
    said.extend(problems.iter().map(|row| format!("{} {}", row["severity"], row["message"])));
    said.sort();
    said
}

#[test]
fn recordings_lists_streams_and_folders_give_the_same_verdict_in_any_order() {
    let shuffled = worlds().prop_flat_map(|world| {
        let objects = Just(world.objects());
        (Just(world), objects.clone().prop_shuffle(), objects.prop_shuffle(), 1..4_usize)
    });
    let mut runner =
        TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&shuffled, |(world, objects, others, files)| {
        let mut other = world.clone();
        other.services.pop();
        other.aggregation_length = 30;
        let other = other.manifests();
        let expected = verdict(&world.manifests(), &world, &other);
        let check = checked(&world.manifests());

        let size = objects.len().div_ceil(files);
        let folder: Vec<_> = objects.chunks(size).map(<[_]>::to_vec).collect();
        for (name, written, is_manifests) in [
            ("a folder", Written::folder(&folder), true),
            ("a stream", Written::stream(&others), true),
            ("a List", Written::list(&objects), true),
            ("a recording", Written::recording(&others), false),
            ("a recording of a List", Written::list_recording(&objects), false),
        ] {
            prop_assert_eq!(&verdict(&written, &world, &other), &expected, "{}", name);
            if is_manifests {
                prop_assert_eq!(&checked(&written), &check, "{}", name);
            }
        }
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn resources_without_a_namespace_belong_to_the_configuration_in_a_recording_too() {
    let mut runner = TestRunner::deterministic();
    let world = worlds().new_tree(&mut runner).unwrap();
    let world = proptest::strategy::ValueTree::current(&world);
    let mut objects = world.objects();
    for object in &mut objects {
        let metadata = object["metadata"].as_object_mut().unwrap();
        if metadata.get("namespace").is_some_and(|it| it == "metallb-system") {
            metadata.remove("namespace");
        }
    }
    let other = world.manifests();
    let expected = verdict(&other, &world, &other);
    for written in [Written::folder(&[objects.clone()]), Written::recording(&objects)] {
        assert_eq!(verdict(&written, &world, &other), expected);
    }
}

#[test]
fn explain_reports_the_lines_of_a_recording_whose_errors_were_not_corrected() {
    let advertisement = r#"{"apply": {"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement", "metadata": {"name": "all", "namespace": "metallb-system"}, "spec": {"communities": ["shops"]}}}"#;
    let community = r#"{"apply": {"apiVersion": "metallb.io/v1beta1", "kind": "Community", "metadata": {"name": "all", "namespace": "metallb-system"}, "spec": {"communities": [{"name": "shops", "value": "64636:20"}]}}}"#;
    let service = r#"{"apply": {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": "web"}, "spec": {"type": "LoadBalancer"}}}"#;
    let gone = r#"{"delete": {"kind": "Node", "name": "kube9"}}"#;
    let directory = tempfile::tempdir().unwrap();
    let stderr_of = |lines: &[&str]| {
        let path = directory.path().join("recording.jsonl");
        std::fs::write(&path, lines.join("\n")).unwrap();
        let explain = ["explain", "web/shop", "--from", path.to_str().unwrap()];
        text(&ferrolb(&explain).output().unwrap().stderr)
    };
    assert_eq!(stderr_of(&[advertisement, community, service]), "");
    let history = stderr_of(&[advertisement, community, service, gone]);
    assert!(history.contains("line 4") && !history.contains("line 1"), "{history}");
    let missing = stderr_of(&[advertisement, service]);
    assert!(missing.contains("line 1") && missing.contains("shops"), "{missing}");
}
