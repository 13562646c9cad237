//! What the binary says is the same wherever it is built. `scripts/check-reproducible` builds a release twice for this, which takes
//! minutes; here the development build must not contain the folder of the workspace. The compiler replaces the paths of
//! packages only in a release.

use std::fs;
use std::path::Path;

/// The parts of an ELF file that a process has in memory, without the information for debuggers.
fn loaded(file: &[u8]) -> Vec<&[u8]> {
    let number = |at: usize, octets: usize| {
        let mut value = [0; 8];
        value[..octets].copy_from_slice(&file[at..at + octets]);
        usize::try_from(u64::from_le_bytes(value)).unwrap()
    };
    assert_eq!(file[..6], *b"\x7fELF\x02\x01", "a 64-bit little-endian ELF file");

    let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let header = |index: usize| headers + index * size;
    let is_loaded = |at: &usize| number(*at, 4) == 1;
    let content = |at: usize| {
        let begin = number(at + 8, 8);
        &file[begin..begin + number(at + 32, 8)]
    };
    (0..count).map(header).filter(is_loaded).map(content).collect()
}

#[test]
fn the_binary_does_not_know_the_folder_that_it_was_built_in() {
    let binary = fs::read(env!("CARGO_BIN_EXE_ferrolb")).unwrap();
    let segments = loaded(&binary);
    let holds = |text: &str| {
        let finder = |segment: &&[u8]| segment.windows(text.len()).any(|it| it == text.as_bytes());
        segments.iter().any(finder)
    };
    assert!(holds("GRACEFUL_SHUTDOWN"), "the data is searched");

    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let found =
        segments.iter().find_map(|segment| path_below(segment, workspace.to_str().unwrap()));
    assert_eq!(found, None);
}

/// The first path of something in this folder. A short name such as `/src` is also a part of the paths of packages, so that
/// there the path must not begin earlier. What precedes a path in the data may be another text.
fn path_below(data: &[u8], folder: &str) -> Option<String> {
    let is_short = folder.matches('/').count() < 3;
    let folder = format!("{folder}/");
    let is_part = |octet: &u8| octet.is_ascii_alphanumeric() || b"_.-/".contains(octet);
    let begins = |at: &usize| {
        data[*at..].starts_with(folder.as_bytes())
            && !(is_short && data[..*at].last().is_some_and(is_part))
    };
    let begin = (0..data.len()).find(begins)?;
    let path = data[begin..].iter().take_while(|octet| octet.is_ascii_graphic());
    Some(path.map(|octet| char::from(*octet)).take(200).collect())
}

#[test]
fn a_folder_is_found_where_a_path_begins_with_it() {
    let found = |data: &[u8]| path_below(data, "/src");
    assert_eq!(found(b"\0/src/main.rs\0"), Some("/src/main.rs".to_owned()));
    assert_eq!(found(b"/src/main.rs: no"), Some("/src/main.rs:".to_owned()));
    let others: [&[u8]; 4] = [b"/crates/serde/src/lib.rs", b"x-/src/a", b"/srcs/a", b"/src "];
    assert_eq!(others.map(found), [const { None }; 4]);
    let long = path_below(b"text/opt/some/src/a", "/opt/some/src");
    assert_eq!(long, Some("/opt/some/src/a".to_owned()));
}
