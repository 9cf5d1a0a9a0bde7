//! `--mask`: from files, pipes and standard input, for several pictures.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../rddm-runtime/tests/support/mod.rs"]
mod networks;
mod support;

use ndarray::Array2;
use networks::Model;
use rddm_image::{EncodeOptions, Format, Picture};
use support::{Bench, Done, colours};

fn masked() -> Bench {
    let (bench, model) = (Bench::new(), Model::masked());
    bench.publish_joint(&model.manifest().to_toml().unwrap(), &model.files()[0]);
    bench
}

fn white(width: usize, height: usize) -> Picture {
    Picture::new(ndarray::Array3::ones((3, height, width)))
}

#[test]
fn one_mask_from_standard_input_serves_all_pictures() {
    let bench = masked();
    bench.picture("in/a.png", 24, 16);
    bench.picture("in/b.png", 24, 16);
    bench.save("mask.png", &white(24, 16));
    let words = "--model tiny --registry registry --allow-unsigned --mask - in -o out";
    let mut command = bench.command();
    command.args(words.split(' ')).stdin(std::fs::File::open(bench.path("mask.png")).unwrap());
    Done::of(command.output().unwrap()).ends(0);
    bench.restore("in/a.png -o a.png --mask mask.png").ends(0);
    assert_eq!(bench.read("out/a.png"), bench.read("a.png"));
    bench.restore("- -o b.png --mask -").ends(2).says(&["standard input can be read once"]);
}

/// A mask that lies among the pictures is none of them.
#[test]
fn a_mask_is_no_picture_of_its_folder() {
    let bench = masked();
    bench.picture("in/a.png", 24, 16);
    bench.save("in/mask.png", &white(24, 16));
    let report = bench.restore("in -o out --mask in/mask.png --json").ends(0).json();
    assert_eq!(report["written"], 1);
}

#[test]
fn what_is_transparent_marks_nothing() {
    let bench = masked();
    bench.picture("a.png", 24, 16);
    let mut mask = white(24, 16);
    mask.alpha = Some(Array2::from_shape_fn((16, 24), |(_, x)| if x < 4 { 1.0 } else { 0.0 }));
    bench.save("mask.png", &mask);
    bench.restore("a.png -o b.png --mask mask.png").ends(0);
    let (before, after) = (bench.read("a.png").pixels, bench.read("b.png").pixels);
    let changed = |from: usize, to: usize| {
        let part = ndarray::s![.., .., from..to];
        before.slice(part) != after.slice(part)
    };
    assert!(changed(0, 4) && !changed(4, 24));
}

/// A turned photograph and its mask have one size, with a limit of memory and without.
#[test]
fn a_mask_fits_what_is_seen() {
    let bench = masked();
    let turned = include_bytes!("../../rddm-image/tests/samples/turned.jpg");
    bench.write("a.jpg", turned);
    bench.save("mask.png", &white(12, 16));
    bench.save("lying.png", &white(16, 12));
    for memory in ["", "--max-memory 300MB"] {
        let ask =
            |words: &str| bench.restore(&format!("a.jpg -o b.jpg --overwrite {words} {memory}"));
        let report = ask("--mask mask.png --dry-run --json").ends(0).json();
        assert_eq!(report["pictures"][0]["size"], serde_json::json!({ "width": 12, "height": 16 }));
        ask("--mask mask.png").ends(0);
        for words in ["--mask lying.png", "--mask lying.png --dry-run"] {
            ask(words).ends(3).says(&["the mask is 16×12 and the picture 12×16"]);
        }
    }
}

/// A pipe can be read once, and is.
#[cfg(unix)]
#[test]
fn pictures_and_masks_come_through_pipes() {
    let bench = masked();
    let options = EncodeOptions::default().with_format(Format::Png);
    for (name, picture) in [("picture", colours(24, 16)), ("mask", white(24, 16))] {
        let pipe = bench.path(name);
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let bytes = rddm_image::encode(&picture, &options).unwrap().bytes;
        std::thread::spawn(move || std::fs::write(pipe, bytes).unwrap());
    }
    bench.restore("picture -o b.png --mask mask --max-memory 300MB").ends(0);
    assert_eq!(bench.read("b.png").width(), 24);
}
