//! Headless Chromium, driven through chromedriver.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the reader prefers, as the page's style sheet asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

/// One browser with a fresh profile. Dropping it ends it and everything that it started.
pub struct Browser {
    /// For clicks and keys.
    pub client: Client,
    driver: Child,
    /// `http://127.0.0.1:PORT/session/ID`
    session: String,
    http: reqwest::Client,
    _profile: TempDir,
}

impl Browser {
    pub async fn start() -> Self {
        let programs = programs();
        let profile = TempDir::new().expect("a directory for the profile");
        let mut driver = Command::new(&programs.driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its own group, so that the browser's many processes can be ended together.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not start: {e}", programs.driver.display()));
        let port = port(&mut driver);
        let capabilities = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": programs.browser,
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-dev-shm-usage", "--hide-scrollbars",
                    format!("--user-data-dir={}", profile.path().display()),
                ],
            },
        });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let mut builder = ClientBuilder::native();
        builder.capabilities(capabilities);
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await;
        let client = client.expect("chromedriver starts the browser");
        let id = client.session_id().await.expect("it answers").expect("a session was made");
        let session = format!("http://127.0.0.1:{port}/session/{id}");
        Self { client, driver, session, http: reqwest::Client::new(), _profile: profile }
    }

    /// Shows pages in a window of this width and in this theme from now on.
    pub async fn emulate(&self, width: u32, theme: Theme) {
        let scheme = match theme {
            Theme::Light => "light",
            Theme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|e| panic!("{url} does not load: {e}"));
    }

    /// The value of a script's `return`.
    pub async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|e| panic!("{script}\nfailed: {e}"))
    }

    /// How many pixels of the page lie outside of the window, to its right.
    pub async fn overflow(&self) -> i64 {
        let width = self.script("return document.scrollingElement.scrollWidth - innerWidth").await;
        width.as_f64().expect("a number") as i64
    }

    /// What the browser objected to since it was last asked: refused resources, failed scripts.
    pub async fn complaints(&self) -> Vec<String> {
        let reply = self.post("se/log", &json!({ "type": "browser" })).await;
        let entries = reply["value"].as_array().cloned().unwrap_or_default();
        let is_severe = |entry: &&Value| entry["level"] == "SEVERE";
        entries.iter().filter(is_severe).map(|entry| entry["message"].to_string()).collect()
    }

    /// The page as it looks, as PNG: all of it and no more, or what the window shows.
    pub async fn picture(&self, whole: bool) -> Vec<u8> {
        use base64::Engine;
        let mut parameters = json!({ "format": "png", "captureBeyondViewport": whole });
        if whole {
            let size = "return { x: 0, y: 0, width: innerWidth, height: document.body.offsetHeight, scale: 1 }";
            parameters["clip"] = self.script(size).await;
        }
        let reply = self.devtools("Page.captureScreenshot", parameters).await;
        let data = reply["value"]["data"].as_str().expect("a picture in base64");
        base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let reply = self.http.post(format!("{}/{path}", self.session)).json(body).send().await;
        let reply = reply.expect("chromedriver answers").json().await;
        reply.expect("chromedriver speaks JSON")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_raw(self.driver.id().cast_signed()).expect("a child has a pid");
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.driver.wait();
    }
}

/// The port that chromedriver chose.
fn port(driver: &mut Child) -> u16 {
    let stdout = driver.stdout.take().expect("piped");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("started successfully on port"));
    let line = line.expect("chromedriver says on which port it listens");
    // It goes on writing: its pipe must stay open, and be read.
    std::thread::spawn(move || lines.for_each(drop));
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}

struct Programs {
    browser: PathBuf,
    driver: PathBuf,
}

/// Chromium and its driver, from the path; else from the system's package manager, where it may be asked.
fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        find_both().unwrap_or_else(|| {
            let install = ["install", "-y", "--no-install-recommends", "chromium", "chromium-driver"];
            let outcome = Command::new("apt-get").args(install).output();
            find_both().unwrap_or_else(|| {
                panic!(
                    "the browser tests need Chromium and chromedriver on the path: install the packages chromium and \
                     chromium-driver (`apt-get install -y chromium chromium-driver` as root on Debian). Trying that \
                     gave: {outcome:?}"
                )
            })
        })
    })
}

fn find_both() -> Option<Programs> {
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find)?;
    Some(Programs { browser, driver: find("chromedriver")? })
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
