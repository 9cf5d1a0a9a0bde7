//! Pictures that are larger than the memory that is allowed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../rddm-runtime/tests/support/mod.rs"]
mod networks;
mod support;

use std::path::Path;

use ndarray::{Array2, Array3};
use networks::Model;
use rddm_image::{Depth, EncodeOptions, Format, Header, Metadata, Picture, RowWriter};
use support::{Bench, apart, colours};

/// Less than a picture of `1500×1000` takes as a whole, and more than it takes row by row.
const LITTLE: &str = "--max-memory 80MB";

fn large() -> Picture {
    let mut picture = colours(1500, 1000);
    picture.depth = Depth::Sixteen;
    picture.alpha = Some(Array2::from_shape_fn((1000, 1500), |(y, x)| {
        ((y * 31 + x * 17) % 65536) as f32 / 65535.0
    }));
    picture.metadata.exif = Some(b"II\x2a\0\x08\0\0\0\0\0\0\0\0\0".to_vec());
    picture.metadata.add_properties("dc", "urn:dc", &[("creator", "somebody")]);
    picture
}

/// A file of any size, made without holding its picture.
fn write_rows(path: &Path, width: usize, height: usize) {
    let shape = Header::new(width, height, 3);
    let mut writer = RowWriter::create(path, &shape, &Metadata::default()).unwrap();
    let mut row = vec![0.0; shape.values_in_row()];
    for y in 0..height {
        for (x, value) in row.iter_mut().enumerate() {
            *value = ((y * 3 + x * 5 + (x * y) % 7) % 256) as f32 / 255.0;
        }
        writer.write(&row).unwrap();
    }
    writer.finish(true).unwrap();
}

#[test]
fn a_large_file_stays_below_what_is_allowed() {
    let bench = Bench::new();
    let (width, height) = (3000, 2000);
    write_rows(&bench.path("a.png"), width, height);
    let report = bench.restore("a.png -o b.png --steps 1 --max-memory 90MB --json").ends(0).json();
    let memory = &report["pictures"][0]["memory"];
    assert_eq!(memory["rows"], true);
    let said = memory["bytes"].as_u64().unwrap();
    assert!(said <= 90_000_000, "{said}");
    if let Some(peak) = report["peak_bytes"].as_u64() {
        assert!(peak <= said, "said {said}, took {peak}");
    }
    let seconds = &report["pictures"][0]["seconds"];
    assert!(seconds["networks"].as_f64().unwrap() > 0.0);
    let output = rddm_image::read_header(bench.path("b.png"), &Default::default()).unwrap();
    assert_eq!((output.width, output.height), (width, height));
}

#[test]
fn rows_give_the_file_that_the_whole_picture_gives() {
    let bench = Bench::new();
    bench.save("a.png", &large());
    let whole = bench.restore("a.png -o whole.png --steps 2 --json").ends(0).json();
    assert!(whole["pictures"][0].get("memory").is_none());
    let rows = bench.restore(&format!("a.png -o rows.png --steps 2 --json {LITTLE}")).ends(0);
    assert_eq!(rows.json()["pictures"][0]["memory"]["rows"], true);
    let (whole, rows) = (bench.read("whole.png"), bench.read("rows.png"));
    // Tiles may be smaller, which changes the order of sums.
    assert!(apart(&whole, &rows) <= 1.01);
    assert_eq!(whole.alpha, rows.alpha);
    assert_eq!(whole.depth, rows.depth);
    assert_eq!(whole.metadata, rows.metadata);

    // The same tiles give the same file, with two threads and without.
    bench.restore(&format!("a.png -o one.png --steps 2 --tile 32 {LITTLE}")).ends(0);
    bench.restore("a.png -o all.png --steps 2 --tile 32").ends(0);
    let words = "--model tiny --registry registry --allow-unsigned --threads 2 a.png -o two.png";
    bench.run(&format!("{words} --steps 2 --tile 32 {LITTLE}")).ends(0);
    assert_eq!(bench.read("one.png"), bench.read("all.png"));
    assert_eq!(bench.read("one.png"), bench.read("two.png"));
    bench.restore(&format!("a.png -o bare.png --steps 1 --strip {LITTLE}")).ends(0);
    assert_eq!(bench.read("bare.png").metadata, Default::default());
}

/// A PNG file with a chunk that makes it an animation of two frames.
fn animate(path: &Path) {
    const SIGNATURE_AND_HEADER: usize = 33;
    let chunk = b"\0\0\0\x08acTL\0\0\0\x02\0\0\0\0\xf3\x8d\x93\x70";
    let mut file = std::fs::read(path).unwrap();
    file.splice(SIGNATURE_AND_HEADER..SIGNATURE_AND_HEADER, *chunk);
    std::fs::write(path, file).unwrap();
}

#[test]
fn frames_that_stay_behind_are_told_row_by_row_and_as_a_whole() {
    let bench = Bench::new();
    write_rows(&bench.path("a.png"), 1500, 1000);
    animate(&bench.path("a.png"));
    for memory in [LITTLE, ""] {
        let done = bench.restore(&format!("a.png --overwrite --steps 1 --json {memory}")).ends(0);
        let report = done.json();
        let picture = &report["pictures"][0];
        assert_eq!(picture.get("memory").is_some(), memory == LITTLE);
        assert!(picture["losses"][0].as_str().unwrap().contains("frames"), "{report}");
        done.says(&["note: a.png: the further frames"]);
    }
}

#[test]
fn the_smallest_memory_that_is_named_is_enough() {
    let bench = Bench::new();
    write_rows(&bench.path("a.png"), 1500, 1000);
    let done = bench.restore("a.png --max-memory 1MB").ends(2).says(&["a.png", "need at least"]);
    let words: Vec<&str> = done.stderr.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "least").unwrap();
    let enough: u64 = words[at + 1].parse().unwrap();
    bench.restore(&format!("a.png --max-memory {}MB", enough - 1)).ends(2);
    assert_eq!(bench.files(), ["a.png"]);
    bench.restore(&format!("a.png --max-memory {enough}MB")).ends(0);
}

/// However many bytes a file has, here behind its pixels, where nothing reads them.
#[test]
fn a_file_of_more_than_a_gibibyte_goes_row_by_row() {
    let bench = Bench::new();
    write_rows(&bench.path("a.png"), 100, 50);
    let file = std::fs::File::options().write(true).open(bench.path("a.png")).unwrap();
    file.set_len(5 << 30).unwrap();
    let report = bench.restore(&format!("a.png --steps 1 --json {LITTLE}")).ends(0).json();
    assert_eq!(report["pictures"][0]["memory"]["rows"], true);
    bench.restore("a.png").ends(3).says(&["the file has", "--max-memory"]);
}

#[test]
fn what_cannot_go_by_rows_says_what_to_do() {
    let bench = Bench::new();
    let picture = large();
    bench.save("a.png", &picture);
    let jpeg = EncodeOptions::default().with_format(Format::Jpeg);
    bench.write("a.jpg", &rddm_image::encode(&picture, &jpeg).unwrap().bytes);
    bench.save("mask.png", &Picture::new(Array3::ones((1, 1000, 1500))));
    for (words, why) in [
        ("a.jpg", "only a PNG file"),
        ("a.jpg -o b.png", "only a PNG file"),
        ("a.png -o b.jpg", "only PNG files are written"),
        ("a.png -o -", "standard output"),
        ("a.png --compare", "--compare"),
        ("a.png --mask mask.png", "mask"),
    ] {
        if why == "mask" {
            let model = Model::masked();
            bench.publish_joint(&model.manifest().to_toml().unwrap(), &model.files()[0]);
        }
        let done = bench.restore(&format!("{words} {LITTLE}")).ends(2);
        done.says(&["1500×1000", "as a whole", "80 MB are allowed", "PNG to PNG", why]);
    }
    assert_eq!(bench.files(), ["a.jpg", "a.png", "mask.png"]);
}

#[test]
fn a_dry_run_says_how_a_large_picture_would_go() {
    let bench = Bench::new();
    bench.save("a.png", &large());
    let done = bench.restore(&format!("a.png --dry-run --json {LITTLE}")).ends(0);
    let picture = &done.json()["pictures"][0];
    assert_eq!(picture["status"], "planned");
    assert_eq!(picture["memory"]["rows"], true);
    assert!(done.stderr.contains("row by row, at most"), "{}", done.stderr);
    assert_eq!(bench.files(), ["a.png"]);
}

#[test]
fn a_file_that_breaks_off_leaves_no_output() {
    let bench = Bench::new();
    bench.save("whole.png", &large());
    let whole = std::fs::read(bench.path("whole.png")).unwrap();
    bench.write("cut.png", &whole[..whole.len() * 3 / 4]);
    bench.restore(&format!("cut.png --steps 1 {LITTLE}")).ends(3).says(&["cut.png", "broken"]);
    bench.write("file", b"in the way");
    bench.restore(&format!("whole.png -o file/b.png {LITTLE}")).ends(7).says(&["file"]);
    assert_eq!(bench.files(), ["cut.png", "file", "whole.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_leaves_no_half_file() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let bench = Bench::new();
    write_rows(&bench.path("a.png"), 2000, 2000);
    for insisting in [false, true] {
        let words = "--model tiny --registry registry --allow-unsigned --threads 1 --steps 5 a.png --max-memory 110MB";
        let mut child = bench
            .command()
            .args(words.split(' '))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while bench.files().len() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no output was begun");
            assert!(child.try_wait().unwrap().is_none(), "it has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..1 + usize::from(insisting) {
            support::interrupt(child.id());
        }
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(bench.files(), ["a.png"]);
    }
}
