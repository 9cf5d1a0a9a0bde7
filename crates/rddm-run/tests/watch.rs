//! `--watch`: pictures that come and change are restored, until the interrupt.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;

use support::{Bench, Done, colours, interrupt, signal, until, wait_until_it_listens};

/// What is written over its input is no change of it, and a name that is taken ends nothing.
#[test]
fn a_folder_that_is_restored_in_place_is_watched() {
    let bench = Bench::new();
    bench.picture("in/first.png", 16, 12);
    let words = "--model tiny --registry registry --allow-unsigned --threads 1 in -o in --overwrite --watch --json";
    let log = bench.path("registry/log");
    let mut command = bench.command();
    command.args(words.split(' ')).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
    let child = command.spawn().unwrap();
    wait_until_it_listens(child.id());
    let said = |words: &str| std::fs::read_to_string(&log).unwrap().matches(words).count();
    until(|| said("in/first.png → ") == 1);
    bench.picture("in/second.png", 20, 10);
    until(|| said("in/second.png → ") >= 1);
    // Three looks more.
    std::thread::sleep(std::time::Duration::from_millis(3500));
    assert_eq!((said("in/first.png → "), said("in/second.png → ")), (1, 1));
    interrupt(child.id());
    Done::of(child.wait_with_output().unwrap()).ends(130);
}

/// As by `nohup`, at the end of a session.
#[test]
fn a_signal_that_was_ignored_stays_so() {
    let bench = Bench::new();
    bench.picture("in/first.png", 16, 12);
    let words = "--model tiny --registry registry --allow-unsigned --threads 2 in -o out --watch";
    let command = format!("trap '' HUP; exec '{}' {words}", env!("CARGO_BIN_EXE_rddm-run"));
    let mut shell = std::process::Command::new("sh");
    bench.settle(&mut shell);
    let child = shell.args(["-c", &command]).stderr(Stdio::piped()).spawn().unwrap();
    until(|| bench.path("out/first.png").exists());
    signal(child.id(), "HUP");
    bench.picture("in/second.png", 20, 10);
    until(|| bench.path("out/second.png").exists());
    interrupt(child.id());
    Done::of(child.wait_with_output().unwrap()).ends(130);
}

/// What it writes into the watched folder is no picture to restore, and stops nothing.
#[test]
fn what_is_written_into_a_watched_folder_is_left_alone() {
    let bench = Bench::new();
    bench.picture("in/first.png", 16, 12);
    let words = "--model tiny --registry registry --allow-unsigned --threads 1 in -o in --format jpg --preview in --steps 1 --watch";
    let log = bench.path("registry/log");
    let mut command = bench.command();
    command.args(words.split(' ')).stderr(File::create(&log).unwrap());
    let child = command.spawn().unwrap();
    wait_until_it_listens(child.id());
    let said = |words: &str| std::fs::read_to_string(&log).unwrap().matches(words).count();
    until(|| said("in/first.png → ") == 1);
    bench.picture("in/second.png", 20, 10);
    until(|| said("in/second.png → ") == 1);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(said(" → "), 2, "{}", std::fs::read_to_string(&log).unwrap());
    interrupt(child.id());
    Done::of(child.wait_with_output().unwrap()).ends(130);
    let files = [
        "first.jpg",
        "first.png",
        "first.step-01.png",
        "second.jpg",
        "second.png",
        "second.step-01.png",
    ];
    assert_eq!(bench.files(), files.map(|name| format!("in/{name}")));
}

#[test]
fn a_folder_is_watched() {
    let bench = Bench::new();
    bench.picture("in/first.png", 16, 12);
    let words =
        "--model tiny --registry registry --allow-unsigned --threads 1 in -o out -r --watch --json";
    let log = bench.path("registry/log");
    let mut command = bench.command();
    command.args(words.split(' ')).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
    let child = command.spawn().unwrap();
    wait_until_it_listens(child.id());
    let bytes = |name: &str| std::fs::read(bench.path(name)).ok();
    let restored = |name: &str| bytes(&format!("out/{name}"));
    until(|| restored("first.png").is_some());

    // One that comes, in a folder that was not there.
    bench.picture("in/deep/second.png", 20, 10);
    until(|| restored("deep/second.png").is_some());

    // One that is being written when it is seen: it fails, which stops nothing, until it is whole.
    let file = rddm_image::encode(&colours(30, 20), &Default::default()).unwrap().bytes;
    bench.write("in/third.png", &file[..file.len() / 2]);
    let said = |words: &str| std::fs::read_to_string(&log).unwrap().contains(words);
    until(|| said("in/third.png: the PNG file is broken"));
    bench.write("in/third.png", &file);
    until(|| restored("third.png").is_some());

    // One that changes is restored again, and what did not change is left alone.
    let untouched = bench.path("out/deep/second.png").metadata().unwrap().modified().unwrap();
    let before = restored("first.png");
    bench.picture("in/first.png", 40, 30);
    until(|| restored("first.png") != before);

    interrupt(child.id());
    let done = Done::of(child.wait_with_output().unwrap()).ends(130);
    assert!(said("watching"));
    assert_eq!(
        bench.path("out/deep/second.png").metadata().unwrap().modified().unwrap(),
        untouched
    );
    assert_eq!(bench.read("out/first.png").width(), 40);
    let report = done.json();
    assert_eq!(report["interrupted"], true);
    assert_eq!((&report["written"], &report["failed"]), (&4.into(), &1.into()));
    assert_eq!(
        bench.files(),
        [
            "in/deep/second.png",
            "in/first.png",
            "in/third.png",
            "out/deep/second.png",
            "out/first.png",
            "out/third.png"
        ]
    );
}

#[test]
fn what_cannot_be_watched_is_two() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.restore("- -o b.png --watch").ends(2).says(&["can't be watched"]);
    bench.restore("a.png --watch --dry-run").ends(2);
}

/// What may never come is not waited for, however little was asked.
#[test]
fn one_interrupt_ends_the_wait_for_a_stream() {
    let bench = Bench::new();
    let words = "--model tiny --registry registry --allow-unsigned --threads 1 - -o a.png";
    let mut command = bench.command();
    let mut child = command.args(words.split(' ')).stdin(Stdio::piped()).spawn().unwrap();
    // More than a pipe holds, so that it was begun to be read.
    let mut stream = child.stdin.take().unwrap();
    stream.write_all(&[0; 1 << 20]).unwrap();
    interrupt(child.id());
    let child = std::cell::RefCell::new(child);
    until(|| child.borrow_mut().try_wait().unwrap().is_some());
    assert_eq!(child.borrow_mut().wait().unwrap().code(), Some(130));
    assert!(bench.files().is_empty());
}
