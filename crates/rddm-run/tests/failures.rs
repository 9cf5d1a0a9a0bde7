//! What goes wrong says so, with its exit code, and leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::process::Command;

use support::{Bench, Done, NETWORK};
#[cfg(target_os = "linux")]
use support::{interrupt, wait_until_it_listens};

#[test]
fn usage_is_two() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.run("").ends(2);
    bench.run("a.png").ends(2).says(&["--model"]);
    bench.run("--model tiny").ends(2).says(&["INPUT"]);
    bench.run("--model ../tiny a.png").ends(2);
    bench.restore("a.png --steps 0").ends(2).says(&["steps"]);
    bench.restore("a.png --steps 1001").ends(2);
    bench.restore("a.png --eta 2").ends(2);
    bench.restore("a.png --strength nan").ends(2).says(&["strength"]);
    bench.restore("a.png --tile 0").ends(2);
    bench.restore("a.png --device ../x").ends(2);
    bench.restore("a.png --max-memory lots").ends(2);
    let report = bench.restore("a.png --steps many --json").ends(2).json();
    assert_eq!((&report["schema"], &report["error"]["code"]), (&1.into(), &2.into()));
    assert!(report["error"]["what"].as_str().unwrap().contains("'many'"), "{report}");
    bench.run("--json").ends(2).json();
    assert_eq!(bench.files(), ["a.png"]);
}

#[test]
fn a_mask_that_is_missing_or_too_much_is_two() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.restore("a.png --mask a.png").ends(2).says(&["tiny takes no mask"]);
    let manifest = std::fs::read_to_string(bench.path("registry/tiny.toml")).unwrap();
    bench.publish(&manifest.replace("mask = false", "mask = true"));
    bench.restore("a.png").ends(2).says(&["tiny needs a mask", "--mask FILE"]);
    assert_eq!(bench.files(), ["a.png"]);
}

#[test]
fn a_picture_that_cannot_be_read_is_three() {
    let bench = Bench::new();
    bench.write("text.png", b"I am no picture");
    bench.write("empty.png", b"");
    bench.picture("whole.png", 40, 40);
    let whole = std::fs::read(bench.path("whole.png")).unwrap();
    bench.write("cut.png", &whole[..whole.len() / 2]);
    bench.restore("none.png").ends(3).says(&["none.png"]);
    bench.restore("text.png").ends(3).says(&["text.png", "no picture"]);
    bench.restore("empty.png").ends(3).says(&["empty"]);
    bench.picture("whole.jpg", 40, 40);
    let whole = std::fs::read(bench.path("whole.jpg")).unwrap();
    bench.write("cut.jpg", &whole[..whole.len() - 99]);
    bench.restore("cut.jpg").ends(3).says(&["cut.jpg", "its end is missing", "get the whole file"]);
    bench.restore("cut.png").ends(3).says(&["cut.png", "broken"]);
    bench.write("folder/notes.txt", b"");
    bench.restore("folder").ends(3).says(&["no pictures", "--recursive"]);
    let report = bench.restore("text.png --json").ends(3).json();
    assert_eq!(report["pictures"][0]["error"]["code"], 3);
    assert!(!bench.files().iter().any(|file| file.contains(".tiny.")));
}

#[test]
fn a_model_that_is_not_here_is_four_and_says_how_to_get_it() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    let done = bench.run("--model other --registry registry --allow-unsigned a.png --json").ends(4);
    assert!(done.stderr.contains("other"), "{}", done.stderr);
    assert_eq!(done.json()["error"]["code"], 4);
    bench
        .run("--model tiny --registry https://zoo.example a.png")
        .ends(4)
        .says(&["rddm-zoo pull tiny --registry https://zoo.example/"]);
    bench.run("--model tiny --registry nowhere a.png").ends(4).says(&["nowhere", "RDDM_REGISTRY"]);
}

#[test]
fn a_binary_away_from_the_checkout_says_how_to_name_a_registry() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    let binary = bench.path("away/rddm-run");
    std::fs::create_dir_all(bench.path("away")).unwrap();
    // By another process: what this one has open for writing, its other tests' children hold while they begin, and a file
    // that is open for writing can't be run.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_rddm-run")).arg(&binary).status();
    assert!(copied.unwrap().success());
    let mut command = Command::new(binary);
    bench.settle(&mut command);
    let done = Done::of(command.args(["--model", "derain", "a.png"]).output().unwrap());
    done.ends(4).says(&["derain", "--registry", "RDDM_REGISTRY", "rddm-zoo pull derain"]);
}

#[test]
fn a_flipped_byte_is_five_and_nothing_runs() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    for at in [0, NETWORK.len() / 2, NETWORK.len() - 1] {
        let mut broken = NETWORK.to_vec();
        broken[at] ^= 1;
        bench.write("zoo/tiny/tiny.onnx", &broken);
        bench.restore("a.png").ends(5).says(&["tiny.onnx"]);
    }
    bench.write("zoo/tiny/tiny.onnx", &NETWORK[..NETWORK.len() - 1]);
    bench.restore("a.png").ends(5);
    std::fs::remove_file(bench.path("zoo/tiny/tiny.onnx")).unwrap();
    bench.restore("a.png").ends(5).says(&["missing"]);
    assert_eq!(bench.files(), ["a.png"]);
}

#[test]
fn an_index_that_nobody_signed_is_five() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.run("--model tiny --registry registry a.png").ends(5).says(&["not signed"]);
    assert_eq!(bench.files(), ["a.png"]);
}

#[test]
fn an_output_that_cannot_be_written_is_seven() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.write("file", b"in the way");
    bench.restore("a.png -o file/b.png").ends(7).says(&["file"]);
    // A folder of its name is no output that exists.
    std::fs::create_dir(bench.path("a.tiny.png")).unwrap();
    bench.restore("a.png --skip-existing").ends(7).says(&["a.tiny.png"]);
}

#[test]
fn a_picture_that_is_too_large_says_what_to_do() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    let mut file = std::fs::read(bench.path("a.png")).unwrap();
    let head = b"\0\0\xc3\x50\0\0\xc3\x50\x08\x02\0\0\0\xc4\xcd\xaa\x9d";
    file[16..33].copy_from_slice(head);
    bench.write("a.png", &file);
    bench.restore("a.png").ends(3).says(&["a.png", "50000", "next: ", "--max-memory"]);
}

#[test]
fn an_engine_that_is_not_there_is_eight() {
    let bench = Bench::new();
    bench.picture("a.png", 8, 8);
    bench.restore("a.png --engine torch").ends(8).says(&["torch", "tract"]);
    bench.restore("a.png --device cuda").ends(8).says(&["cuda"]);
    // Whether the engine is in the build or not, its library is not.
    bench
        .restore("a.png --engine ort --ort-library nowhere/libonnxruntime.so")
        .ends(8)
        .says(&["ONNX Runtime"]);
    assert_eq!(bench.files(), ["a.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_is_130_and_leaves_no_half_file() {
    let bench = Bench::new();
    bench.picture("a.png", 900, 700);
    bench.picture("b.png", 16, 16);
    let words = "--model tiny --registry registry --allow-unsigned --threads 1 --steps 400 a.png b.png -o out --json";
    let child = bench
        .command()
        .args(words.split(' '))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_it_listens(child.id());
    interrupt(child.id());
    let done = Done::of(child.wait_with_output().unwrap()).ends(130).says(&["interrupted"]);
    assert_eq!(done.json()["interrupted"], true);
    assert_eq!(bench.files(), ["a.png", "b.png"]);
}
