//! A client of chromedriver: the commands of the W3C's WebDriver that the tests of the page need.
//!
//! The crates for this turn on `serde_json/preserve_order`, which reaches every program that is built with them in one
//! workspace, and changes the order of the keys that ours print.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A key of the keyboard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    Tab,
    Enter,
    Escape,
}

/// A session with chromedriver, which has one window.
pub(crate) struct WebDriver {
    port: u16,
    session: String,
}

impl Key {
    fn code(self) -> &'static str {
        match self {
            Self::Tab => "\u{e004}",
            Self::Enter => "\u{e007}",
            Self::Escape => "\u{e00c}",
        }
    }
}

impl WebDriver {
    /// Opens a window with these options of Chromium, and keeps its logs.
    pub(crate) async fn start(port: u16, options: Value) -> Self {
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let body = json!({"capabilities": {"alwaysMatch": capabilities}});
        let session = exchange(port, "POST", "/session", Some(body)).await.expect("a window");
        let session = session["sessionId"].as_str().expect("the name of the session").to_owned();
        Self { port, session }
    }

    /// Opens an address.
    pub(crate) async fn open(&self, url: &str) {
        self.post("url", json!({"url": url})).await.expect("the page");
    }

    /// Returns the title of the page.
    pub(crate) async fn title(&self) -> Value {
        self.request("GET", "title", None).await.unwrap_or_default()
    }

    /// Runs a script, and returns its result.
    ///
    /// # Errors
    ///
    /// The error of the script.
    pub(crate) async fn execute(&self, script: &str, with: &[Value]) -> Result<Value, String> {
        self.post("execute/sync", json!({"script": script, "args": with})).await
    }

    /// Runs a script that calls its last argument, and returns what it calls it with.
    ///
    /// # Errors
    ///
    /// The error of the script.
    pub(crate) async fn execute_async(&self, script: &str) -> Result<Value, String> {
        self.post("execute/async", json!({"script": script, "args": []})).await
    }

    /// Replaces the text of a field.
    pub(crate) async fn type_into(&self, field: &str, text: &str) {
        let by = json!({"using": "css selector", "value": field});
        let element = self.post("element", by).await.expect("the field");
        let element = element[ELEMENT].as_str().expect("the name of the field").to_owned();
        self.post(&format!("element/{element}/clear"), json!({})).await.expect("an empty field");
        let keys = json!({"text": text});
        self.post(&format!("element/{element}/value"), keys).await.expect("keys");
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn press(&self, key: Key) {
        let code = key.code();
        let keys = json!([{"type": "keyDown", "value": code}, {"type": "keyUp", "value": code}]);
        let actions = json!([{"type": "key", "id": "keyboard", "actions": keys}]);
        self.post("actions", json!({"actions": actions})).await.expect("a key");
    }

    /// Carries out a command of Chromium's DevTools.
    pub(crate) async fn dev_tools(&self, command: &str, parameters: Value) {
        let body = json!({"cmd": command, "params": parameters});
        self.post("goog/cdp/execute", body).await.expect("a command of DevTools");
    }

    /// Returns the entries of a log since the last call.
    pub(crate) async fn log(&self, name: &str) -> Vec<Value> {
        let entries = self.post("se/log", json!({"type": name})).await.expect("a log");
        entries.as_array().expect("entries").clone()
    }

    /// Returns a picture of the window as PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        let picture = self.request("GET", "screenshot", None).await.expect("a picture");
        STANDARD.decode(picture.as_str().expect("a picture")).expect("a picture in base64")
    }

    /// Closes the window.
    pub(crate) async fn quit(&self) {
        let path = format!("/session/{}", self.session);
        exchange(self.port, "DELETE", &path, None).await.expect("the end of Chromium");
    }

    async fn post(&self, command: &str, body: Value) -> Result<Value, String> {
        self.request("POST", command, Some(body)).await
    }

    async fn request(
        &self,
        method: &str,
        command: &str,
        body: Option<Value>,
    ) -> Result<Value, String> {
        let path = format!("/session/{}/{command}", self.session);
        exchange(self.port, method, &path, body).await
    }
}

/// Sends a command, and returns its value, or the text of its error.
async fn exchange(
    port: u16,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Result<Value, String> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );

    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("chromedriver");
    stream.write_all(head.as_bytes()).await.expect("a request");
    stream.write_all(body.as_bytes()).await.expect("a request");
    let mut answer = read_answer(stream).await;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap_or_default())),
        None => Ok(value),
    }
}

/// Reads a response, and returns its body. chromedriver keeps the connection open, so its length says where it ends.
async fn read_answer(stream: TcpStream) -> Value {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.expect("the head of a response");
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }

    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("the body of a response");
    serde_json::from_slice(&body).expect("a response in JSON")
}

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
