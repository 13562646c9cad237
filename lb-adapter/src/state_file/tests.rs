use proptest::prelude::*;

use super::*;

fn held(rows: &[(&str, &[&str])]) -> HeldAddresses {
    let mut held = HeldAddresses::new();
    for (name, addresses) in rows {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        held.insert(ServiceKey::new("default", *name), addresses);
    }
    held
}

/// A temporary directory for a state file, removed with the value.
struct TestDirectory {
    directory: tempfile::TempDir,
}

impl TestDirectory {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    /// The error for a file with this text.
    fn error(&self, text: &str) -> String {
        self.write(text);
        let error = load(&self.file()).unwrap_err().to_string();
        assert_eq!(fs::read_to_string(self.file()).unwrap(), text, "the file is unchanged");
        error.strip_prefix(&format!("state file {}: ", self.file().display())).unwrap().to_owned()
    }
}

#[test]
fn saved_addresses_are_loaded() {
    let test = TestDirectory::new();
    let held = held(&[("smtp", &["172.22.35.70"]), ("web", &["172.22.35.64", "fd00::1"])]);
    save(&test.file(), &held).unwrap();
    assert_eq!(load(&test.file()).unwrap(), held);
    let files: Vec<_> = fs::read_dir(test.directory.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "there are no leftovers");
}

#[test]
fn the_file_is_readable_json() {
    let text = text(&held(&[("smtp", &["172.22.35.70"])])).unwrap();
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
fn a_missing_file_contains_no_addresses() {
    assert_eq!(load(&TestDirectory::new().file()).unwrap(), HeldAddresses::new());
}

#[test]
fn a_file_truncated_at_any_length_is_an_error() {
    let test = TestDirectory::new();
    let whole = text(&held(&[("smtp", &["172.22.35.70"])])).unwrap();
    for length in 0..whole.trim_end().len() {
        let error = test.error(&whole[..length]);
        assert!(error.starts_with("expected JSON as ferrolb writes it, version 1: "));
        assert!(error.ends_with("move the file away to start without remembered addresses"));
    }
}

#[test]
fn the_error_for_a_malformed_file_has_a_position() {
    let test = TestDirectory::new();
    let error = test.error("{\"version\": 1,\n \"services\": [7]}");
    assert!(error.contains("line 2 column 15"), "{error}");
    let error = test.error(r#"{"services": []}"#);
    assert!(error.contains("missing field `version`"), "{error}");
    let row = r#"{"namespace": "default", "name": "a", "addresses": ["10.0.0.1"]}"#;
    let error = test.error(&format!(r#"{{"version": 1, "services": [{row}, {row}]}}"#));
    assert!(error.contains("service default/a appears twice"), "{error}");
    let bad = row.replace("10.0.0.1", "10.0.0");
    let error = test.error(&format!(r#"{{"version": 1, "services": [{bad}]}}"#));
    assert!(error.contains("invalid IP address"), "{error}");
}

/// After a downgrade, the file may have fields of a newer program.
#[test]
fn unknown_fields_are_ignored() {
    let test = TestDirectory::new();
    test.write(
        r#"{"version": 1, "written_by": {"release": "0.2.0"}, "services": [
            {"namespace": "default", "name": "smtp", "addresses": ["172.22.35.70"], "pool": "a"}]}"#,
    );
    let expected = held(&[("smtp", &["172.22.35.70"])]);
    assert_eq!(load(&test.file()).unwrap(), expected);
    save(&test.file(), &expected).unwrap();
    assert_eq!(load(&test.file()).unwrap(), expected);
}

/// The file as version 0.1.0 wrote it. It is never written again: a later version must go on reading it.
#[test]
fn the_file_of_version_0_1_0_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats/state-0.1.0.json");
    let expected = held(&[("smtp", &["172.22.35.70"]), ("web", &["172.22.35.64", "fd00::1"])]);
    assert_eq!(load(&path).unwrap(), expected);
}

#[test]
fn a_file_of_a_later_version_is_an_error_whatever_it_contains() {
    let error = TestDirectory::new().error(r#"{"version": 2, "holdings": {}}"#);
    assert_eq!(
        error,
        "expected version 1, found 2; use the ferrolb that wrote it, or move the file away to \
         start without remembered addresses"
    );
}

#[test]
fn a_crash_between_write_and_rename_leaves_the_old_file() {
    let test = TestDirectory::new();
    let old = held(&[("smtp", &["172.22.35.70"])]);
    save(&test.file(), &old).unwrap();
    let leftover = temporary_of(&test.file());
    fs::write(&leftover, "{\"version\": 1, \"serv").unwrap();
    assert_eq!(load(&test.file()).unwrap(), old);
    let new = held(&[("smtp", &["172.22.35.71"])]);
    save(&test.file(), &new).unwrap();
    assert_eq!(load(&test.file()).unwrap(), new);
    assert!(!leftover.exists(), "the next save replaces it");
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let test = TestDirectory::new();
    let old = held(&[("smtp", &["172.22.35.70"])]);
    save(&test.file(), &old).unwrap();
    fs::create_dir(temporary_of(&test.file())).unwrap();
    let error = save(&test.file(), &HeldAddresses::new()).unwrap_err();
    assert!(matches!(error, StateError::Write { .. }), "{error}");
    assert_eq!(load(&test.file()).unwrap(), old);
}

#[test]
fn an_unusable_path_is_named() {
    let test = TestDirectory::new();
    let nowhere = test.directory.path().join("missing").join("state.json");
    let error = save(&nowhere, &HeldAddresses::new()).unwrap_err().to_string();
    assert!(error.contains("missing/state.json: expected a writable file"), "{error}");
    let error = load(test.directory.path()).unwrap_err().to_string();
    assert!(error.contains("expected a readable file"), "{error}");
}

#[test]
fn addresses_of_deleted_services_do_no_harm() {
    use crate::allocator::Allocator;
    use crate::model::{Pool, Service};

    let test = TestDirectory::new();
    save(&test.file(), &held(&[("gone", &["10.0.0.0"]), ("here", &["10.0.0.1"])])).unwrap();
    let pools = [Pool::new("default", vec!["10.0.0.0/31".parse().unwrap()])];
    let services = ["here", "new"].map(|name| Service::new(ServiceKey::new("default", name)));
    let outcome = Allocator::new().reconcile(&pools, &services, &load(&test.file()).unwrap());
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
    fn every_state_parses_back(
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
        prop_assert_eq!(parse(&text(&held).unwrap()).ok(), Some(held));
    }

    #[test]
    fn arbitrary_text_does_not_panic(text in ".{0,80}") {
        let _ = parse(&text);
    }
}

#[test]
fn a_problem_is_on_one_line_whatever_it_quotes() {
    let row = r#"{"namespace":"d","name":"a\nb","addresses":[]}"#;
    let twice = format!(r#"{{"version":1,"services":[{row},{row}]}}"#);
    let wrong = "{\"version\":1,\"services\":\"a\u{9b}\"}";
    for text in [twice.as_str(), wrong] {
        let error = read(Path::new("state.json"), text).unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}
