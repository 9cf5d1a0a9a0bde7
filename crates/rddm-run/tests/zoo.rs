//! The models of the zoo on real pictures: needs the checkout's `manifests/` and the pictures
//! (`RDDM_DATA`, or `../shared/data` beside the repository).

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and report")]

mod support;

use std::path::{Path, PathBuf};

use rddm_image::Picture;
use rddm_metrics::{psnr_rgb, psnr_y, quantise};
use support::{Bench, Done, apart};

#[test]
fn derain_takes_the_rain_away() {
    restores(
        "derain",
        "test/rain100",
        "input_L/056.png",
        "gt/056.png",
        |restored, input, clean| {
            let gain = decibel_y(restored, clean) - decibel_y(input, clean);
            assert!(gain > 3.0, "{gain} dB");
        },
    );
}

#[test]
fn denoise_takes_the_noise_away() {
    let name = "d800_iso3200_1.png";
    let input = format!("input/{name}");
    restores("denoise", "test/cc15", &input, &format!("gt/{name}"), |restored, input, clean| {
        let of = |p: &Picture| psnr_rgb(quantise(p.pixels.view()).view(), clean.pixels.view());
        let gain = of(restored).unwrap() - of(input).unwrap();
        assert!(gain > 1.0, "{gain} dB");
    });
}

/// Restores one picture twice, in tiles of two sizes, and looks at the first.
fn restores(
    model: &str,
    set: &str,
    input: &str,
    clean: &str,
    look: impl Fn(&Picture, &Picture, &Picture),
) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let registry = root.join("manifests");
    assert!(registry.join(format!("{model}.toml")).exists(), "no model {model} in the checkout");
    let data =
        std::env::var_os("RDDM_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let set = data.join(set);
    if !set.is_dir() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no pictures at {}; set RDDM_DATA",
            set.display()
        );
        eprintln!(
            "SKIPPED: there are no pictures in {}; name their folder in RDDM_DATA",
            set.display()
        );
        return;
    }
    let bench = Bench::new();
    let run = |output: &str, tile: &str, threads: &str| {
        let mut command = bench.command();
        command.args(["--model", model, "-o", output, "--tile", tile, "--threads", threads]);
        command.arg("--registry").arg(&registry).arg(set.join(input));
        Done::of(command.output().unwrap()).ends(0);
        bench.read(output)
    };
    let restored = run("a.png", "512", "1");
    assert!(apart(&restored, &run("b.png", "128", "2")) <= 1.01, "tiles differ");
    let read = |name: &str| rddm_image::read(set.join(name), &Default::default()).unwrap();
    look(&restored, &read(input), &read(clean));
}

fn decibel_y(picture: &Picture, clean: &Picture) -> f64 {
    psnr_y(picture.pixels.view(), clean.pixels.view()).unwrap()
}
