//! The answers of a process under `/v1`, checked against the published schema.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// The schema of all answers, as it is published.
pub(crate) const SCHEMA: &str = include_str!("../../../docs/api/v1.schema.json");

/// A place where a process answers.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    Socket(PathBuf),
}

/// A response: its status, its head and its body.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Place {
    /// Sends a request with these lines of a head, and returns the response.
    pub(crate) fn request(&self, line: &str, headers: &[&str]) -> Response {
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
        for header in headers {
            request.push_str(&format!("{header}\r\n"));
        }
        request.push_str("\r\n");

        let timeout = Some(Duration::from_secs(20));
        let text = match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(timeout).unwrap();
                exchange(stream, &request)
            }
            Self::Socket(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(timeout).unwrap();
                exchange(stream, &request)
            }
        };
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request(&format!("GET {path}"), &["Host: localhost"])
    }

    /// Returns a successful answer, which must have the form that the schema gives to this path.
    pub(crate) fn answer(&self, path: &str, form: &str) -> Value {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        let answer = serde_json::from_str(&response.body).unwrap();
        check("answers", form, &answer);
        answer
    }

    /// Returns the error of a request that must fail with this status.
    pub(crate) fn error(&self, path: &str, status: u16) -> String {
        let response = self.get(path);
        assert_eq!(response.status, status, "{path}: {}", response.body);
        let error: Value = serde_json::from_str(&response.body).unwrap();
        check("answers", "an error", &error);
        error["error"].as_str().unwrap().to_owned()
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Checks a value against the schema of `answers` or `requests` with this name. Fields that the schema does not have are errors.
pub(crate) fn check(part: &str, name: &str, value: &Value) {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let wanted = schema[part][name].clone();
    assert!(wanted.is_object(), "the schema has no {part} {name}");
    for definition in schema["$defs"].as_object_mut().unwrap().values_mut() {
        if definition["type"] == "object" {
            definition["additionalProperties"] = json!(false);
        }
    }
    schema["allOf"] = json!([wanted]);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{part} {name}: {errors:#?}\n{value:#}");
}

/// The lists of a process, each with the name of its form.
pub(crate) const LISTS: [(&str, &str); 5] = [
    ("/v1/nodes", "/v1/nodes"),
    ("/v1/peers", "/v1/peers"),
    ("/v1/services", "/v1/services"),
    ("/v1/pools", "/v1/pools"),
    ("/v1/bfd", "/v1/bfd"),
];

/// Returns the place with this address, or the socket at this path.
pub(crate) fn place(text: impl AsRef<Path>) -> Place {
    let path = text.as_ref();
    match path.to_str().and_then(|text| text.parse().ok()) {
        Some(address) => Place::Tcp(address),
        None => Place::Socket(path.to_owned()),
    }
}
