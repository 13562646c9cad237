use proptest::prelude::*;

use super::*;

fn held(rows: &[(&str, &[&str])]) -> HeldAddresses {
    let row = |(name, addresses): &(&str, &[&str])| {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        (ServiceKey::new("default", *name), addresses)
    };
    rows.iter().map(row).collect()
}

/// A state file in a directory of its own, which goes with the value.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    /// What is said of a file with this text.
    fn complaint(&self, text: &str) -> String {
        self.write(text);
        let error = load(&self.file()).unwrap_err().to_string();
        assert_eq!(fs::read_to_string(self.file()).unwrap(), text, "it is left alone");
        error.strip_prefix(&format!("state file {}: ", self.file().display())).unwrap().to_owned()
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let place = Place::new();
    let held = held(&[("smtp", &["172.22.35.70"]), ("web", &["172.22.35.64", "fd00::1"])]);
    save(&place.file(), &held).unwrap();
    assert_eq!(load(&place.file()).unwrap(), held);
    let files: Vec<_> = fs::read_dir(place.directory.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing else is left behind");
}

#[test]
fn the_file_is_json_that_a_person_can_read() {
    let text = render(&held(&[("smtp", &["172.22.35.70"])])).unwrap();
    let expected = r#"{
  "version": 1,
  "services": [
    {
      "namespace": "default",
      "name": "smtp",
      "addresses": [
        "172.22.35.70"
      ]
    }
  ]
}
"#;
    assert_eq!(text, expected);
}

#[test]
fn a_file_that_does_not_exist_remembers_nothing() {
    assert_eq!(load(&Place::new().file()).unwrap(), HeldAddresses::new());
}

#[test]
fn a_file_that_was_half_written_is_an_error_at_every_length() {
    let place = Place::new();
    let whole = render(&held(&[("smtp", &["172.22.35.70"])])).unwrap();
    for length in 0..whole.trim_end().len() {
        let complaint = place.complaint(&whole[..length]);
        assert!(complaint.starts_with("expected JSON as ferrolb writes it, version 1: "));
        assert!(complaint.ends_with("move the file away to begin without remembered addresses"));
    }
}

#[test]
fn a_malformed_file_says_where() {
    let place = Place::new();
    let complaint = place.complaint("{\"version\": 1,\n \"services\": [7]}");
    assert!(complaint.contains("line 2 column 15"), "{complaint}");
    let complaint = place.complaint(r#"{"version": 1, "services": [], "comment": ""}"#);
    assert!(complaint.contains("unknown field `comment`"), "{complaint}");
    let complaint = place.complaint(r#"{"services": []}"#);
    assert!(complaint.contains("missing field `version`"), "{complaint}");
    let row = r#"{"namespace": "default", "name": "a", "addresses": ["10.0.0.1"]}"#;
    let complaint = place.complaint(&format!(r#"{{"version": 1, "services": [{row}, {row}]}}"#));
    assert!(complaint.contains("service default/a stands there twice"), "{complaint}");
    let bad = row.replace("10.0.0.1", "10.0.0");
    let complaint = place.complaint(&format!(r#"{{"version": 1, "services": [{bad}]}}"#));
    assert!(complaint.contains("invalid IP address"), "{complaint}");
}

#[test]
fn a_file_of_a_later_version_is_an_error_whatever_else_is_in_it() {
    let complaint = Place::new().complaint(r#"{"version": 2, "holdings": {}}"#);
    assert_eq!(
        complaint,
        "expected version 1, found 2; use the ferrolb that wrote it, or move the file away to \
         begin without remembered addresses"
    );
}

#[test]
fn a_crash_between_writing_and_renaming_leaves_the_old_file_in_force() {
    let place = Place::new();
    let old = held(&[("smtp", &["172.22.35.70"])]);
    save(&place.file(), &old).unwrap();
    let leftover = temporary_of(&place.file());
    fs::write(&leftover, "{\"version\": 1, \"serv").unwrap();
    assert_eq!(load(&place.file()).unwrap(), old);
    let new = held(&[("smtp", &["172.22.35.71"])]);
    save(&place.file(), &new).unwrap();
    assert_eq!(load(&place.file()).unwrap(), new);
    assert!(!leftover.exists(), "the next save takes its place");
}

#[test]
fn a_failed_save_leaves_the_old_file_in_force() {
    let place = Place::new();
    let old = held(&[("smtp", &["172.22.35.70"])]);
    save(&place.file(), &old).unwrap();
    fs::create_dir(temporary_of(&place.file())).unwrap();
    let error = save(&place.file(), &HeldAddresses::new()).unwrap_err();
    assert!(matches!(error, StateError::Write { .. }), "{error}");
    assert_eq!(load(&place.file()).unwrap(), old);
}

#[test]
fn a_place_that_cannot_be_used_is_named() {
    let place = Place::new();
    let nowhere = place.directory.path().join("missing").join("state.json");
    let error = save(&nowhere, &HeldAddresses::new()).unwrap_err().to_string();
    assert!(error.contains("missing/state.json: expected a place that can be written"), "{error}");
    let error = load(place.directory.path()).unwrap_err().to_string();
    assert!(error.contains("expected a file that can be read"), "{error}");
}

#[test]
fn what_a_vanished_service_held_does_no_harm() {
    use crate::allocator::Allocator;
    use crate::model::{Pool, Service};

    let place = Place::new();
    save(&place.file(), &held(&[("gone", &["10.0.0.0"]), ("here", &["10.0.0.1"])])).unwrap();
    let pools = [Pool::new("default", vec!["10.0.0.0/31".parse().unwrap()])];
    let services = ["here", "new"].map(|name| Service::new(ServiceKey::new("default", name)));
    let outcome = Allocator::new().reconcile(&pools, &services, &load(&place.file()).unwrap());
    assert_eq!(outcome.held(), held(&[("here", &["10.0.0.1"]), ("new", &["10.0.0.0"])]));
}

#[test]
fn a_bare_file_name_is_in_the_current_directory() {
    assert_eq!(directory_of(Path::new("state.json")), Path::new("."));
    assert_eq!(temporary_of(Path::new("state.json")), Path::new("state.json.tmp"));
    assert_eq!(temporary_of(Path::new("/a/state.json")), Path::new("/a/state.json.tmp"));
}

proptest! {
    #[test]
    fn every_state_reads_back(
        rows in prop::collection::btree_map(
            ("[a-z]{1,8}", ".{0,12}"),
            prop::collection::vec(any::<IpAddr>(), 0..3),
            0..6,
        ),
    ) {
        let held: HeldAddresses = rows
            .into_iter()
            .map(|((namespace, name), addresses)| (ServiceKey::new(namespace, name), addresses))
            .collect();
        prop_assert_eq!(parse(&render(&held).unwrap()).ok(), Some(held));
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in ".{0,80}") {
        let _ = parse(&text);
    }
}
