//! A folder to work in, a registry with one tiny model, and the real binary.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and report, and each suite uses a part of this"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ndarray::Array3;
use rddm_image::{EncodeOptions, Picture};
use rddm_manifest::Digest;

pub const NETWORK: &[u8] = include_bytes!("../../src/commands/self_test.onnx");

pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A folder with `registry/` and nothing else.
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let manifest = include_str!("../../src/commands/self_test.toml")
            .replace("self-test", "tiny")
            .replace("self_test.onnx", "../zoo/tiny/tiny.onnx")
            .replace("{{sha256}}", &Digest::of(NETWORK).hex())
            .replace("{{size}}", &NETWORK.len().to_string());
        bench.write("zoo/tiny/tiny.onnx", NETWORK);
        bench.publish(&manifest);
        bench
    }

    /// Makes a registry of one model, `tiny`, of the network that its manifest names `tiny-joint.onnx`.
    pub fn publish_joint(&self, manifest: &str, network: &[u8]) {
        self.write("registry/tiny-joint.onnx", network);
        self.publish(manifest);
    }

    /// Makes a registry of one model, `tiny`.
    pub fn publish(&self, manifest: &str) {
        let index = format!(
            "schema = 1\nversion = 1\ncreated = \"2026-01-01T00:00:00Z\"\nexpires = \"2126-01-01T00:00:00Z\"\n\
             [[models]]\nid = \"tiny\"\nversion = \"0.1.0\"\nmanifest = \"tiny.toml\"\nsha256 = \"{}\"\nsize = {}\n\
             task = \"tiny\"\nsummary = \"Fixed weights\"\n",
            Digest::of(manifest.as_bytes()).hex(),
            manifest.len()
        );
        self.write("registry/tiny.toml", manifest.as_bytes());
        self.write("registry/index.toml", index.as_bytes());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A colour picture of a fixed formula.
    pub fn picture(&self, name: &str, width: usize, height: usize) -> Picture {
        let picture = colours(width, height);
        self.save(name, &picture);
        picture
    }

    pub fn save(&self, name: &str, picture: &Picture) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        rddm_image::write(self.path(name), picture, &EncodeOptions::default()).unwrap();
    }

    pub fn read(&self, name: &str) -> Picture {
        rddm_image::read(self.path(name), &Default::default()).unwrap()
    }

    /// All files below the folder but those of the registry, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.folder.path(), self.folder.path(), &mut found);
        found.retain(|name| !name.starts_with("registry/") && !name.starts_with("zoo/"));
        found.sort();
        found
    }

    /// The command, in the folder, with no settings but the options.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rddm-run"));
        self.settle(&mut command);
        command
    }

    pub fn settle(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["RDDM_REGISTRY", "RDDM_DATA", "ORT_DYLIB_PATH"] {
            command.env_remove(name);
        }
        command.env("RDDM_HOME", self.path("home"));
    }

    /// Runs the command with these words.
    pub fn run(&self, words: &str) -> Done {
        Done::of(self.command().args(words.split_whitespace()).output().unwrap())
    }

    /// Runs a restoration with the tiny model.
    pub fn restore(&self, words: &str) -> Done {
        self.run(&format!("--model tiny --registry registry --allow-unsigned --threads 1 {words}"))
    }
}

pub struct Done {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Done {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, after a look at the exit code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "stdout: {}\nstderr: {}",
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in: {}", String::from_utf8_lossy(&self.stdout)))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Asks a process to end; not as the keyboard does, which is ignored where the tests run in a shell's background.
pub fn interrupt(process: u32) {
    signal(process, "TERM");
}

pub fn signal(process: u32, name: &str) {
    let killed = Command::new("kill").args(["-s", name, &process.to_string()]).status().unwrap();
    assert!(killed.success());
}

/// Waits until a process has a handler for the interrupt.
#[cfg(target_os = "linux")]
pub fn wait_until_it_listens(process: u32) {
    const INTERRUPT: u64 = 1 << 1;
    until(|| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & INTERRUPT != 0
    });
}

/// Waits until something holds, at most two minutes.
#[track_caller]
pub fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "it never came to pass");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn colours(width: usize, height: usize) -> Picture {
    Picture::new(Array3::from_shape_fn((3, height, width), |(c, y, x)| {
        (((c + 1) * 40 + y * 3 + x * 5 + (x * y) % 7) % 256) as f32 / 255.0
    }))
}

/// The largest difference, in levels of 8 bits.
pub fn apart(a: &Picture, b: &Picture) -> f32 {
    assert_eq!(a.pixels.dim(), b.pixels.dim());
    a.pixels.iter().zip(&b.pixels).map(|(a, b)| (a - b).abs() * 255.0).fold(0.0, f32::max)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}
