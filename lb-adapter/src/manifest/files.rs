//! The files that a path stands for, and their content.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::manifests::Source;
use crate::config::Diagnostic;

/// Returns the files that a path stands for, sorted by name: the path itself, or the files of a directory that end in `.yaml`,
/// `.yml` or `.json`. Files in subdirectories are left out, and names that begin with a dot, which editors and Kubernetes'
/// volumes give to their own files.
///
/// # Errors
///
/// The path does not exist or the directory cannot be listed.
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }

    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if is_manifest(&file) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn is_manifest(file: &Path) -> bool {
    let is_hidden =
        file.file_name().is_none_or(|name| name.as_encoded_bytes().first() == Some(&b'.'));
    let extension = file.extension().and_then(|extension| extension.to_str());
    !is_hidden && matches!(extension, Some("yaml" | "yml" | "json"))
}

/// Returns true if a path stands for stdin.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Returns the name of a path in messages.
pub fn shown(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() }
}

/// Reads the files that can be read, or stdin for `-`, and reports the others.
pub fn load(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<Source> {
    let name = shown(path);
    if is_stdin(path) {
        return source(&name, read_stdin(), diagnostics).into_iter().collect();
    }

    let files = match files(path) {
        Ok(files) if files.is_empty() => {
            let message = "expected files that end in .yaml, .yml or .json, found none";
            diagnostics.push(Diagnostic::file_error(name, message));
            return Vec::new();
        }
        Ok(files) => files,
        Err(error) => {
            diagnostics.push(Diagnostic::file_error(name, format!("cannot be read: {error}")));
            return Vec::new();
        }
    };

    let mut sources = Vec::new();
    for file in files {
        let name = file.display().to_string();
        sources.extend(source(&name, read_file(&file), diagnostics));
    }
    sources
}

fn source(
    name: &str,
    octets: io::Result<Vec<u8>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Source> {
    match octets {
        Ok(octets) => limited(name, octets, diagnostics),
        Err(error) => {
            diagnostics.push(Diagnostic::file_error(name, format!("cannot be read: {error}")));
            None
        }
    }
}

/// Returns the content of a file, or reports that it is too large.
pub fn limited(name: &str, octets: Vec<u8>, diagnostics: &mut Vec<Diagnostic>) -> Option<Source> {
    if octets.len() > MAX_OCTETS {
        let message = format!("file is too large, at most {MAX_OCTETS} octets are read");
        diagnostics.push(Diagnostic::file_error(name, message));
        return None;
    }
    Some(Source { name: name.to_owned(), octets })
}

/// Reads stdin to its end, or one octet more than the limit.
fn read_stdin() -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    io::stdin().lock().take(LIMIT).read_to_end(&mut octets)?;
    Ok(octets)
}

/// Reads a file to its end, or one octet more than the limit, so that the caller notices if it is too large.
fn read_file(file: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(file)?.take(LIMIT).read_to_end(&mut octets)?;
    Ok(octets)
}

/// The largest file that is read: enough for about 5,000 Services with their slices as the API server prints them.
const MAX_OCTETS: usize = 16 * 1024 * 1024;
/// One octet more.
const LIMIT: u64 = 16 * 1024 * 1024 + 1;

#[cfg(test)]
mod tests {
    use super::super::tests::{CONFIG, lines, source};
    use super::super::{parse, read};
    use super::*;

    #[test]
    fn a_directory_lists_its_manifests_by_name_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for name in ["b.yaml", "a.yml", "c.json", "README.md", ".d.yaml", "e.yaml~"] {
            fs::write(path.join(name), "").unwrap();
        }
        fs::create_dir(path.join("f.yaml")).unwrap();
        let listed = files(path).unwrap();
        let names: Vec<_> =
            listed.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.yml", "b.yaml", "c.json"]);
        assert_eq!(files(&path.join("README.md")).unwrap(), [path.join("README.md")]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let shown = path.display();
        assert_eq!(
            lines(read(path)),
            [format!(
                "{shown}: error: expected files that end in .yaml, .yml or .json, found none"
            )]
        );
        let missing = lines(read(&path.join("none")));
        assert!(
            missing.len() == 1 && missing[0].contains("none: error: cannot be read: "),
            "{missing:?}"
        );
        fs::write(path.join("config.yaml"), CONFIG).unwrap();
        fs::write(path.join("large.yaml"), vec![b'#'; 17 * 1024 * 1024]).unwrap();
        assert_eq!(
            lines(read(path)),
            [format!(
                "{shown}/large.yaml: error: file is too large, at most 16777216 octets are read"
            )]
        );
    }

    #[test]
    fn a_file_of_ten_megabytes_is_read() {
        let mut text = CONFIG.to_owned();
        let mut count = 0;
        while text.len() < 10 * 1024 * 1024 {
            let padding = "x".repeat(2_000);
            text.push_str(&format!("---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s{count}\n  annotations: {{a: {padding}}}\nspec: {{ports: [{{port: 80}}]}}\n"));
            count += 1;
        }
        assert_eq!(parse("d", &[source("f", &text)]).unwrap().services.len(), count);
    }
}
