//! Headless Chromium with a profile of its own: what it shows, logs and requests, and what axe finds.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::web_driver::{Key, WebDriver};

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// A window of Chromium.
pub(crate) struct Browser {
    driver: WebDriver,
    driver_process: Child,
    _profile: TempDir,
}

/// How the page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
}

/// A wide window, light.
pub(crate) const LIGHT: Look = Look { name: "light", width: 1200, height: 860, scheme: "light" };
/// A wide window, dark.
pub(crate) const DARK: Look = Look { name: "dark", width: 1200, height: 860, scheme: "dark" };
/// The narrowest phone.
pub(crate) const PHONE: Look = Look { name: "phone", width: 320, height: 720, scheme: "light" };

impl Browser {
    /// Starts Chromium with an empty profile.
    pub(crate) async fn start() -> Self {
        for (program, package) in [(CHROMIUM, "chromium"), (CHROMEDRIVER, "chromium-driver")] {
            assert!(
                Path::new(program).is_file(),
                "the tests of the page need {program}, which is not installed: `make test-deps` \
                 installs it (Debian package {package})"
            );
        }
        let mut driver_process = Command::new(CHROMEDRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver");
        let port = port_of(&mut driver_process);

        let profile = tempfile::tempdir().expect("a profile");
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ];
        let mut flags: Vec<_> = flags.map(str::to_owned).into();
        flags.push(format!("--user-data-dir={}", profile.path().display()));

        let options = json!({"binary": CHROMIUM, "args": flags});
        let driver = WebDriver::start(port, options).await;
        Self { driver, driver_process, _profile: profile }
    }

    /// Looks at the page in another way.
    pub(crate) async fn look(&self, look: Look) {
        let size = json!({
            "width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({"name": "prefers-color-scheme", "value": look.scheme});
        let still = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        self.command("Emulation.setEmulatedMedia", json!({"features": [scheme, still]})).await;
    }

    async fn command(&self, method: &str, parameters: Value) {
        self.driver.dev_tools(method, parameters).await;
    }

    /// Opens an address.
    pub(crate) async fn open(&self, url: &str) {
        self.driver.open(url).await;
    }

    /// Goes to another view of the open page.
    pub(crate) async fn view(&self, hash: &str) {
        let go = "location.hash = arguments[0]; return document.title;";
        let _: String = self.eval(go, vec![json!(hash)]).await;
    }

    /// Runs a script in the page.
    pub(crate) async fn eval<T: DeserializeOwned>(&self, script: &str, with: Vec<Value>) -> T {
        let result = self.driver.execute(script, &with).await;
        let result = result.unwrap_or_else(|error| panic!("{script}: {error}"));
        serde_json::from_value(result).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Runs a script that calls its last argument with the result.
    pub(crate) async fn eval_async<T: DeserializeOwned>(&self, script: &str) -> T {
        let result = self.driver.execute_async(script).await;
        let result = result.unwrap_or_else(|error| panic!("{script}: {error}"));
        serde_json::from_value(result).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Returns the text that a reader sees in the main part.
    pub(crate) async fn text(&self) -> String {
        self.eval("return document.querySelector('main').innerText;", vec![]).await
    }

    /// Waits until a condition in the page is true.
    pub(crate) async fn wait(&self, what: &str, condition: &str) {
        let deadline = Instant::now() + PATIENCE;
        let script = format!("return Boolean({condition});");
        while !self.eval::<bool>(&script, vec![]).await {
            if Instant::now() > deadline {
                let title = self.driver.title().await;
                panic!("{what} does not come to be: {title:?}\n{}", self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the main part has this text.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        let text = serde_json::to_string(text).expect("a text");
        let condition = format!("document.querySelector('main').innerText.includes({text})");
        self.wait(&text, &condition).await;
    }

    /// Types into a field.
    pub(crate) async fn type_into(&self, field: &str, text: &str) {
        self.driver.type_into(field, text).await;
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn press(&self, key: Key) {
        self.driver.press(key).await;
    }

    /// Panics if axe finds a violation in the page, or the page is wider than the window.
    pub(crate) async fn assert_accessible(&self, what: &str) {
        let wide =
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";
        let overflow: i64 = self.eval(wide, vec![]).await;
        assert_eq!(overflow, 0, "{what} is wider than the window");

        let loaded: bool = self.eval("return typeof axe === 'object';", vec![]).await;
        if !loaded {
            let _: Value = self.eval(&axe(), vec![]).await;
        }
        let run = "const done = arguments[0];
            axe.run(document, { resultTypes: ['violations'] }).then((found) =>
                done(found.violations.map((one) => `${one.id}: ${one.help}: ` +
                    one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(' and '))),
                (error) => done([String(error)]));";
        let found: Vec<String> = self.eval_async(run).await;
        assert!(found.is_empty(), "axe finds in {what}:\n{}", found.join("\n"));
    }

    /// Panics if the page has logged an error or a warning since the last call.
    pub(crate) async fn assert_no_errors(&self) {
        let log = self.driver.log("browser").await;
        assert!(log.is_empty(), "the page logs {log:#?}");
    }

    /// Panics if the page has sent a request to another origin.
    pub(crate) async fn assert_only_asks(&self, origin: &str) {
        let log = self.driver.log("performance").await;
        let mut requests = 0;
        for entry in log {
            let message: Value = serde_json::from_str(entry["message"].as_str().expect("a text"))
                .expect("a message");
            let message = &message["message"];
            let parameters = &message["params"];
            let document = parameters["documentURL"].as_str().unwrap_or_default();
            // The page with which Chromium starts is not ours.
            if message["method"] != "Network.requestWillBeSent" || document.starts_with("chrome:") {
                continue;
            }
            let url = parameters["request"]["url"].as_str().expect("the address");
            requests += 1;
            assert!(url.starts_with(origin) || url.starts_with("data:"), "a request to {url}");
        }
        assert!(requests > 10, "the log has only {requests} requests");
    }

    /// Takes a picture of the window.
    pub(crate) async fn picture(&self, file: &Path) {
        std::fs::write(file, self.driver.screenshot().await).expect("a picture");
    }

    /// Closes the window.
    pub(crate) async fn end(self) {
        self.driver.quit().await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its Chromium, too.
        let end = format!("kill -s TERM {}", self.driver_process.id());
        let _ = Command::new("sh").args(["-c", &end]).status();
        let _ = self.driver_process.wait();
    }
}

/// Returns the port that chromedriver prints.
fn port_of(process: &mut Child) -> u16 {
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let found = lines.find_map(|line| {
        let line = line.ok()?;
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // It must be read on, or it blocks.
    std::thread::spawn(move || lines.for_each(drop));
    found.expect("the port of chromedriver")
}

/// Returns the script of axe. It is no part of this repository, since its licence differs.
fn axe() -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../target/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&file).unwrap_or_else(|error| {
        panic!(
            "the tests of the page need axe-core at {}: {error}: `make test-deps` installs it",
            file.display()
        )
    })
}
