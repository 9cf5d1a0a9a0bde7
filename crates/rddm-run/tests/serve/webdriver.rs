//! A browser, driven as the W3C's WebDriver has it.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http;

/// The key with an arrow to the right.
pub const RIGHT: &str = "\u{e014}";

/// A headless browser with one window.
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

/// Starts a driver, and gives it with its port; none where it ended before it had one.
fn launch() -> io::Result<Option<(Child, u16)>> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        driver.wait()?;
    }
    Ok(port.map(|port| (driver, port)))
}

impl Browser {
    /// Starts a browser whose downloads go to a folder, and for which evil.example is this machine.
    /// Where there is no `chromedriver`, says so
    /// and gives none; in CI it has to be there.
    pub fn start(downloads: &Path) -> Option<Self> {
        // Once in many runs a driver ended before it had a port.
        let launched = (0..5).find_map(|_| launch().transpose()).unwrap();
        let (driver, port) = match launched {
            Ok(launched) => launched,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "chromedriver: {error}");
                eprintln!("SKIPPED: no browser test: chromedriver: {error}");
                return None;
            }
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut browser = Self { driver, address, session: String::new() };
        let begun = browser.command(
            "POST",
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {
                    "args": [
                        "--headless=new",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-dev-shm-usage",
                        "--window-size=1000,900",
                        "--host-resolver-rules=MAP evil.example 127.0.0.1",
                    ],
                    "prefs": {"download.default_directory": downloads},
                },
            }}}),
        );
        browser.session = format!("/{}", begun["sessionId"].as_str().unwrap());
        Some(browser)
    }

    pub fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    pub fn click(&self, css: &str) {
        let path = format!("/element/{}/click", self.element(css));
        self.command("POST", &path, &json!({}));
    }

    /// Types into an element; into a choice of files, their paths.
    pub fn type_into(&self, css: &str, text: &str) {
        let path = format!("/element/{}/value", self.element(css));
        self.command("POST", &path, &json!({ "text": text }));
    }

    /// Presses and lifts the mouse at a place of an element, pixels from its middle.
    pub fn press(&self, css: &str, x: i64, y: i64) {
        self.drag(css, &[(x, y)]);
    }

    /// Presses the mouse at the first of some places of an element, pixels from its middle, and lifts it at
    /// the last.
    pub fn drag(&self, css: &str, way: &[(i64, i64)]) {
        self.run("document.querySelector(arguments[0]).scrollIntoView()", json!([css]));
        let element = json!({"element-6066-11e4-a52e-4f735466cecf": self.element(css)});
        let moves = way.iter().map(
            |(x, y)| json!({"type": "pointerMove", "duration": 0, "x": x, "y": y, "origin": element}),
        );
        let mut actions: Vec<Value> = moves.collect();
        actions.insert(1, json!({"type": "pointerDown", "button": 0}));
        actions.push(json!({"type": "pointerUp", "button": 0}));
        let all = json!({"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]});
        self.command("POST", "/actions", &all);
    }

    /// Runs a script's function body, and gives what it returns, or what that promised.
    pub fn run(&self, script: &str, arguments: Value) -> Value {
        self.command("POST", "/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// A command of Chromium's own protocol.
    pub fn devtools(&self, name: &str, parameters: Value) {
        let body = json!({ "cmd": name, "params": parameters });
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// Errors of the console, such as a policy that was broken.
    pub fn errors(&self) -> Vec<Value> {
        let log = self.command("POST", "/se/log", &json!({"type": "browser"}));
        let severe = |entry: &&Value| entry["level"] == "SEVERE";
        log.as_array().unwrap().iter().filter(severe).cloned().collect()
    }

    /// Waits until an expression of the page is true.
    #[track_caller]
    pub fn wait(&self, expression: &str) {
        let begun = Instant::now();
        while self.run(&format!("return Boolean({expression})"), json!([])) != true {
            if begun.elapsed() > Duration::from_secs(60) {
                let text = self.run("return document.body.innerText", json!([]));
                panic!("{expression} never came true; the page says: {text}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn element(&self, css: &str) -> String {
        let body = json!({ "using": "css selector", "value": css });
        let found = self.command("POST", "/element", &body);
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let line = format!("{method} /session{}{path} HTTP/1.1", self.session);
        let host = format!("Host: {}", self.address);
        let lines = [line.as_str(), &host, "Connection: close", "Content-Type: application/json"];
        let answer = http::send(self.address, &lines, body.to_string().as_bytes()).unwrap();
        let value = answer.json()["value"].clone();
        assert_eq!(answer.status, 200, "{path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the browser; without it, it would outlive its driver.
            let line = format!("DELETE /session{} HTTP/1.1", self.session);
            let host = format!("Host: {}", self.address);
            let _ = http::send(self.address, &[&line, &host, "Connection: close"], b"");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
