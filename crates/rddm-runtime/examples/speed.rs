//! Megapixels a second of a model for tile sizes and engines, measured in turns in one run, and
//! how far each cut is from the whole picture in one pass.
//!
//! `cargo run --release -p rddm-runtime --features ort --example speed -- MANIFEST SIDE OVERLAP TILE…`
//! reads the networks beside the manifest as its URLs say, and ONNX Runtime as `ORT_DYLIB_PATH` says.
#![allow(clippy::print_stdout, reason = "it is a command that prints a table")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use ndarray::Array3;
use rddm_manifest::Manifest;
use rddm_runtime::{Control, Restorer, engines};

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, side, overlaps, tiles @ ..] = arguments.as_slice() else {
        return Err("give MANIFEST SIDE OVERLAP[,OVERLAP…] TILE…".into());
    };
    let manifest = Manifest::parse(&std::fs::read_to_string(path)?)?;
    let folder = Path::new(path).parent().unwrap_or(Path::new("."));
    let files = manifest
        .networks
        .iter()
        .map(|network| std::fs::read(folder.join(network.url.as_str())))
        .collect::<Result<Vec<_>, _>>()?;
    let side: usize = side.parse()?;
    let picture = scene(side);

    let mut rows = Vec::new();
    for engine in engines() {
        for overlap in overlaps.split(',') {
            for tile in tiles {
                let (tile, overlap) = (tile.parse::<usize>()?, overlap.parse::<usize>()?);
                let mut builder = Restorer::builder(&manifest).engine(engine.name());
                if let Some(library) = std::env::var_os("ORT_DYLIB_PATH") {
                    builder = builder.library(library);
                }
                let restorer = builder.tile(tile).overlap(overlap).seed(1).build(&files)?;
                rows.push(Row {
                    name: engine.name(),
                    tile,
                    overlap,
                    restorer,
                    best: None,
                    result: None,
                });
            }
        }
    }
    // In turns, and the best of each: other work on the machine hits all alike.
    for _ in 0..3 {
        for row in &mut rows {
            let begin = Instant::now();
            row.result =
                Some(row.restorer.restore(picture.view(), None, &mut |_| Control::Continue)?);
            let took = begin.elapsed();
            row.best = Some(row.best.map_or(took, |best: Duration| best.min(took)));
        }
    }

    let whole = Restorer::builder(&manifest).tile(1 << 20).seed(1).build(&files)?;
    let whole = whole.restore(picture.view(), None, &mut |_| Control::Continue)?;
    println!(
        "{} {}, {side}×{side}, {} steps",
        manifest.id, manifest.version, manifest.sampler.steps
    );
    println!("engine  overlap  tile   ms     MP/s   MB   off by > 1 level   farthest");
    for Row { name, tile, overlap, restorer, best, result } in &rows {
        let seconds = best.unwrap_or_default().as_secs_f64();
        let (off, farthest) = result.as_ref().map_or((0.0, 0.0), |result| apart(result, &whole));
        println!(
            "{name:6}  {overlap:7}  {tile:4}  {:6.0}  {:5.3}  {:4}  {:9.4} %  {farthest:14.2}",
            seconds * 1e3,
            (side * side) as f64 / 1e6 / seconds,
            restorer.memory_estimate([side, side])?.bytes / 1_000_000,
            off * 100.0,
        );
    }
    Ok(())
}

struct Row {
    name: &'static str,
    tile: usize,
    overlap: usize,
    restorer: Restorer,
    best: Option<Duration>,
    result: Option<Array3<f32>>,
}

/// The share of values that differ by more than a level of 8 bits, and the farthest in levels.
fn apart(a: &Array3<f32>, b: &Array3<f32>) -> (f64, f64) {
    let levels = || a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs()) * 255.0);
    let off = levels().filter(|&level| level > 1.0).count();
    (off as f64 / a.len() as f64, levels().fold(0.0, f64::max))
}

/// Slopes, edges, texture and grain.
fn scene(side: usize) -> Array3<f32> {
    let mut state = 1_u32;
    Array3::from_shape_fn((3, side, side), |(c, y, x)| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
        let edge = if (x / 37 + y / 53 + c) % 3 == 0 { 0.25 } else { 0.0 };
        let texture = 0.1 * (x as f32 * 0.7).sin() * (y as f32 * 0.4).cos();
        (0.35 + edge + texture + 0.2 * (x + y) as f32 / side as f32 + 0.08 * grain).clamp(0.0, 1.0)
    })
}
