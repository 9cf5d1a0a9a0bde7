//! The figures that are published for the degraded inputs of the test sets. Needs the pictures:
//! `RDDM_DATA`, or `../shared/data` beside the repository.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

use std::path::{Path, PathBuf};

use ndarray::{Array3, s};
use rddm_metrics::{Error, psnr_rgb, psnr_y};

type Measure = fn(ndarray::ArrayView3<'_, f32>, ndarray::ArrayView3<'_, f32>) -> Result<f64, Error>;

#[test]
fn inputs_have_their_published_figures() {
    let Some(data) = data() else { return };
    let rain = ["train/rain100", "test/rain100"];
    let cases: [(&[&str], &str, Measure, f64, f64); 5] = [
        // Published for the whole sets of a hundred pictures; fifty of them are here.
        (&rain, "input_L", psnr_y, 26.9, 0.2),
        (&rain, "input_H", psnr_y, 13.6, 0.1),
        (&["test/polyu"], "input", psnr_rgb, 35.88, 0.06),
        (&["test/cc15"], "input", psnr_rgb, 33.41, 0.01),
        (&["test/cc15"], "mcwnnm", psnr_rgb, 36.88, 0.01),
    ];
    for (sets, side, measure, published, tolerance) in cases {
        let value = mean(&data, sets, side, measure);
        println!("{sets:?} {side}: {value:.3} dB, published {published}");
        assert!((value - published).abs() <= tolerance, "{sets:?} {side}: {value} dB");
    }
}

/// The figures of NumPy, in f64, for the twelve scenes kept for tests.
#[test]
fn rain_of_the_test_scenes_agrees_with_an_independent_implementation() {
    let Some(data) = data() else { return };
    for (side, measure, expected) in [
        ("input_L", psnr_y as Measure, 28.484_084),
        ("input_H", psnr_y, 13.026_278),
        ("input_L", psnr_rgb, 27.093_122),
        ("input_H", psnr_rgb, 11.619_416),
    ] {
        let value = mean(&data, &["test/rain100"], side, measure);
        assert!((value - expected).abs() < 1e-4, "{side}: {value} dB is not {expected}");
    }
}

fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("RDDM_DATA").map_or_else(beside, PathBuf::from);
    if folder.join("test").is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no test pictures in {}; name their folder in RDDM_DATA", folder.display());
    assert!(std::env::var_os("CI").is_none(), "no test pictures in {}", folder.display());
    None
}

fn mean(data: &Path, sets: &[&str], side: &str, measure: Measure) -> f64 {
    let mut values = Vec::new();
    for set in sets {
        for entry in std::fs::read_dir(data.join(set).join(side)).unwrap() {
            let path = entry.unwrap().path();
            let degraded = picture(&path);
            let clean = picture(&data.join(set).join("gt").join(path.file_name().unwrap()));
            // The clean picture of heavy rain is one pixel larger: its top left counts.
            let (_, height, width) = degraded.dim();
            values.push(measure(degraded.view(), clean.slice(s![.., ..height, ..width])).unwrap());
        }
    }
    values.iter().sum::<f64>() / values.len() as f64
}

fn picture(path: &Path) -> Array3<f32> {
    let pixels = image::open(path).unwrap().to_rgb8();
    let (width, height) = pixels.dimensions();
    Array3::from_shape_fn((3, height as usize, width as usize), |(c, y, x)| {
        f32::from(pixels.get_pixel(x as u32, y as u32)[c]) / 255.0
    })
}
