//! The real command, listening on a free port.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use crate::http::{self, Response};
use crate::networks::Model;
use crate::support::{self, Bench, Done};

pub static OPENAPI: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../src/commands/serve/openapi.json")).unwrap()
});

pub struct Server {
    pub bench: Bench,
    pub address: SocketAddr,
    /// What it printed when it listened.
    pub report: Value,
    child: Child,
}

impl Server {
    /// Serves the tiny model, with some more options.
    pub fn new(words: &str) -> Self {
        Self::of(Bench::new(), words)
    }

    /// Serves a model of its shape that takes a mask.
    pub fn masked(words: &str) -> Self {
        let (bench, model) = (Bench::new(), Model::masked());
        bench.publish_joint(&model.manifest().to_toml().unwrap(), &model.files()[0]);
        Self::of(bench, words)
    }

    fn of(bench: Bench, words: &str) -> Self {
        let mut command = bench.command();
        command
            .args(
                "serve --listen 127.0.0.1:0 --registry registry --allow-unsigned --json".split(' '),
            )
            .args(words.split_whitespace());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !text.ends_with("}\n") && lines.read_line(&mut text).unwrap() > 0 {}
        let Ok(report) = serde_json::from_str::<Value>(&text) else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("the server did not start: {said}");
        };
        let url = report["url"].as_str().unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        Self { bench, address, report, child }
    }

    pub fn url(&self) -> &str {
        self.report["url"].as_str().unwrap()
    }

    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &[u8]) -> Response {
        self.request("POST", path, &[], body)
    }

    /// Sends a request, and sees that its answer is one that the OpenAPI text knows.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Response {
        let (line, host) = (format!("{method} {path} HTTP/1.1"), format!("Host: {}", self.address));
        let lines = [&[line.as_str(), host.as_str()], headers].concat();
        let response = http::send(self.address, &lines, body).unwrap();
        let plain = match path.split('?').next().unwrap() {
            path if path.len() > "/api/restore/".len() && path.starts_with("/api/restore/") => {
                "/api/restore/{id}"
            }
            path => path,
        };
        let method = if method == "HEAD" { "get" } else { &method.to_lowercase() };
        let known = &OPENAPI["paths"][plain][method]["responses"];
        let status = response.status.to_string();
        assert!(known.is_null() || !known[&status].is_null(), "{path}: {status} is not documented");
        response
    }

    /// Begins a restoration whose place is taken for certain: the server has said that it reads the
    /// body, which is still to be sent.
    pub fn begin(&self, query: &str, length: usize) -> TcpStream {
        let mut stream = self.ask_politely(query, length);
        let mut word = [0; 25];
        stream.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }

    /// Sends the head of a restoration, and waits for a word before its body.
    pub fn ask_politely(&self, query: &str, length: usize) -> TcpStream {
        let mut stream = http::connect(self.address);
        let (line, address) = (format!("POST /api/restore?{query} HTTP/1.1"), self.address);
        let rest = format!("Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
        write!(stream, "{line}\r\nHost: {address}\r\n{rest}").unwrap();
        stream
    }

    /// Sends the signal of the keyboard's interrupt, and waits for the end.
    pub fn interrupt(mut self) -> Done {
        support::interrupt(self.child.id());
        let status = self.child.wait().unwrap();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Done { code: status.code().unwrap_or(-1), stdout: Vec::new(), stderr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended, or is no longer wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A form of some parts, and the header that says so.
pub fn form(parts: &[(&str, &[u8])]) -> (&'static str, Vec<u8>) {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!(
            "--the-edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.png\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--the-edge--\r\n");
    ("Content-Type: multipart/form-data; boundary=the-edge", body)
}

/// A file of the bench's formula as PNG.
pub fn png(width: usize, height: usize) -> Vec<u8> {
    let picture = support::colours(width, height);
    rddm_image::encode(&picture, &Default::default()).unwrap().bytes
}
