//! Pulls a file of 1 GiB from the loopback, and transfers and hashes it with `curl` and
//! `sha256sum` right after, several times in turn:
//!
//! ```text
//! cargo build --release -p rddm-zoo
//! cargo run --release -p rddm-zoo --example throughput -- [MiB] [ROUNDS]
//! ```
//!
//! Prints the seconds of both, their ratio, and the largest memory of the pull (`VmHWM`, on Linux).
//! Files lie in the current folder's `target/throughput`, so on a real disk, and are removed.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rddm_zoo::{PublishOptions, publish};

const DRAFT: &str = include_str!("../../rddm-manifest/tests/draft.toml");

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().unwrap());
    let (mebibytes, rounds) = (arguments.next().unwrap_or(1024), arguments.next().unwrap_or(3));
    let root = std::env::current_dir().unwrap().join("target").join("throughput");
    let _ = fs::remove_dir_all(&root);
    make_zoo(&root, mebibytes);
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("rddm-zoo");
    let mut server = Command::new(&program)
        .args(["serve", "--json", "--allow-unsigned", "--listen", "127.0.0.1:0", "--registry"])
        .arg(root.join("manifests"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(server.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    let url = serde_json::from_str::<serde_json::Value>(&line).unwrap()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    thread::spawn(move || for _ in lines.lines() {});
    println!("{mebibytes} MiB, {rounds} rounds, times in seconds");
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        let (pulled, memory) = pull(&program, &url, &root);
        let compared = curl(&url, &root);
        ratios.push(pulled / compared);
        println!(
            "pull {pulled:.2}  curl + sha256sum {compared:.2}  ratio {:.2}  memory {:.1} MiB",
            pulled / compared,
            memory / 1024.0
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ratios.len() / 2]);
    server.kill().unwrap();
    server.wait().unwrap();
    let _ = fs::remove_dir_all(&root);
}

fn make_zoo(root: &Path, mebibytes: usize) {
    let model = root.join("zoo/derain");
    fs::create_dir_all(&model).unwrap();
    fs::write(model.join("model.toml"), DRAFT).unwrap();
    fs::write(model.join("recipe.toml"), "").unwrap();
    let mut network = File::create(model.join("derain.onnx")).unwrap();
    let mut state = 1_u64;
    let mut block = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        network.write_all(&block).unwrap();
    }
    network.sync_all().unwrap();
    let options = PublishOptions {
        zoo: &root.join("zoo"),
        registry: &root.join("manifests"),
        key: None,
        now: rddm_zoo::now(),
        days: 1,
        renew: false,
        check: None,
        allow_expired: false,
        after: 0,
        set_back: false,
        retire: &[],
        empty: false,
    };
    publish(&options).unwrap();
}

/// Seconds and KiB of a pull into an empty store.
fn pull(program: &Path, url: &str, root: &Path) -> (f64, f64) {
    let home = root.join("home");
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args([
            "pull",
            "derain",
            "-q",
            "--allow-unsigned",
            "--proxy",
            "none",
            "--registry",
            url,
            "--home",
        ])
        .arg(&home)
        .spawn()
        .unwrap();
    let mut memory = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        memory = memory.max(peak(child.id()).unwrap_or(0.0));
        thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success());
    let seconds = begun.elapsed().as_secs_f64();
    fs::remove_dir_all(home).unwrap();
    (seconds, memory)
}

fn peak(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").trim().parse().ok()
}

/// Seconds of the same with the tools that everybody has.
fn curl(url: &str, root: &Path) -> f64 {
    let file: PathBuf = root.join("curl.onnx");
    let source = url.replace("manifests/", "zoo/derain/derain.onnx");
    let begun = Instant::now();
    let fetched = Command::new("curl")
        .args(["-s", "--noproxy", "*", "-o"])
        .arg(&file)
        .arg(&source)
        .status()
        .unwrap();
    assert!(fetched.success());
    let hashed = Command::new("sha256sum").arg(&file).stdout(Stdio::null()).status().unwrap();
    assert!(hashed.success());
    let seconds = begun.elapsed().as_secs_f64();
    fs::remove_file(file).unwrap();
    seconds
}
