//! `rddm-run self-test`: whether this build computes on this machine what it should.
//!
//! `self_test.onnx` is a network of fixed weights with what the zoo's networks are made of
//! (unshuffled pixels, convolutions, a time); `self_test.golden` holds what ONNX Runtime on an
//! ordinary processor makes of [`golden_input`], as little-endian `f32`: residual, then noise.

use std::time::Instant;

use ndarray::{Array2, Array3, Array4};
use rddm_manifest::{Digest, Manifest};
use rddm_runtime::{Control, Engine, EngineOptions, Restorer, engine, engines};
use serde::Serialize;

use super::synthetic;
use crate::args::SelfTest;
use crate::failure::{Failure, code};
use crate::model;
use crate::terminal::{Terminal, table};

const NETWORK: &[u8] = include_bytes!("self_test.onnx");
const GOLDEN: &[u8] = include_bytes!("self_test.golden");
const HEIGHT: usize = 20;
const WIDTH: usize = 28;
const TIME: f32 = 250.0;

/// Engines add in another order; the values are below 2, so this is a few hundred roundings.
const TOLERANCE: f32 = 1e-4;
/// One level of 8 bits, and half a one for a value that lies between two.
const LEVEL: f32 = 1.5 / 255.0;

#[derive(Serialize)]
struct Report {
    schema: u32,
    passed: bool,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    engine: &'static str,
    check: String,
    /// Absent where the engine's library was not named, so that nothing could be checked.
    passed: Option<bool>,
    detail: String,
    seconds: f64,
}

pub(crate) fn run(args: &SelfTest, terminal: &mut Terminal) -> Result<u8, Failure> {
    let resolved = match &args.model {
        Some(id) => Some(model::find(id, &args.registry, None)?),
        None => None,
    };
    let tiny = tiny_manifest()?;
    let mut checks = Vec::new();
    for engine in engines() {
        if let Some(detail) = not_here(*engine, args) {
            let (engine, check) = (engine.name(), "engine".to_owned());
            checks.push(Check { engine, check, passed: None, detail, seconds: 0.0 });
            continue;
        }
        let mut record = |check: &str, outcome: &dyn Fn() -> Outcome| {
            let begun = Instant::now();
            let (passed, detail) = match outcome() {
                Ok(detail) => (true, detail),
                Err(detail) => (false, detail),
            };
            let seconds = begun.elapsed().as_secs_f64();
            checks.push(Check {
                engine: engine.name(),
                check: check.to_owned(),
                passed: Some(passed),
                detail,
                seconds,
            });
        };
        record("golden values", &|| golden(engine.name(), args));
        let files = [NETWORK.to_vec()];
        record("picture", &|| picture(&tiny, &files, engine.name(), args));
        if let Some(found) = &resolved {
            let files: Vec<Vec<u8>> =
                found.networks.iter().map(|network| network.bytes.clone()).collect();
            let name = format!("model {}", model::title(&found.manifest));
            record(&name, &|| picture(&found.manifest, &files, engine.name(), args));
        }
    }
    let passed = checks.iter().all(|check| check.passed != Some(false));
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            let mark = match check.passed {
                Some(true) => "ok",
                Some(false) => "FAILED",
                None => "SKIPPED",
            };
            vec![format!("{:<7} {:<7} {}: {}", mark, check.engine, check.check, check.detail)]
        })
        .collect();
    terminal.result(&table(&rows))?;
    terminal.report(&Report { schema: 1, passed, checks })?;
    Ok(if passed { 0 } else { code::ENGINE })
}

/// Why an engine can't be checked: its library was not named. One that was named and does not load
/// is a failure.
fn not_here(engine: &dyn Engine, args: &SelfTest) -> Option<String> {
    let named = args.library.path().is_some();
    engine
        .devices(&EngineOptions::default())
        .err()
        .filter(|_| !named)
        .map(|error| error.to_string())
}

/// What was measured, or what is wrong.
type Outcome = Result<String, String>;

/// One pass of the network against the values of another machine.
fn golden(name: &str, args: &SelfTest) -> Outcome {
    let mut options = EngineOptions::default();
    options.device = args.device.clone();
    options.library = args.library.path();
    let text = |error: rddm_runtime::Error| error.to_string();
    let mut network =
        engine(name).and_then(|engine| engine.load(NETWORK, &options)).map_err(text)?;
    let outputs = network.run(golden_input().view(), &[TIME]).map_err(text)?;
    let values: Vec<f32> = outputs.iter().flat_map(|output| output.iter().copied()).collect();
    let expected: Vec<f32> =
        GOLDEN.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if values.len() != expected.len() {
        return Err(format!("{} values where {} are expected", values.len(), expected.len()));
    }
    sound(&values)?;
    let worst = worst(values.iter().copied().zip(expected));
    let detail = format!("at most {worst:.1e} away");
    if worst <= TOLERANCE {
        Ok(detail)
    } else {
        Err(format!("{detail}, and {TOLERANCE:.0e} are allowed"))
    }
}

/// A whole picture: finite, not constant, and the same again: a restored one in tiles, a drawn one as a whole, since a model that
/// draws decides by all that it sees.
fn picture(manifest: &Manifest, files: &[Vec<u8>], name: &str, args: &SelfTest) -> Outcome {
    let conditional = manifest.sampler.conditional;
    let make = |tile: usize, threads: usize| -> Result<Array3<f32>, String> {
        let mut builder = Restorer::builder(manifest)
            .engine(name)
            .device(args.device.clone())
            .seed(7)
            .threads(threads)
            .tile(tile);
        if let Some(library) = args.library.path() {
            builder = builder.library(library);
        }
        let restorer = builder.build(files).map_err(|error| error.to_string())?;
        let made =
            if conditional { restored(&restorer, manifest) } else { drawn(&restorer, manifest) };
        made.map_err(|error| error.to_string())
    };
    let (tile, way) = if conditional { (32, "tiles") } else { (256, "a second drawing") };
    let whole = make(256, 1)?;
    sound(whole.as_slice().unwrap_or_default())?;
    let again = make(tile, 2)?;
    let apart = 255.0 * worst(whole.iter().copied().zip(again.iter().copied()));
    if apart > 255.0 * LEVEL {
        return Err(format!("{way} and the whole picture are {apart:.1} levels apart"));
    }
    Ok(format!("finite, varied, {way} within {apart:.2} levels"))
}

/// Height and width of the pictures, where a model has none of its own: no multiple of anything.
const SIZE: [usize; 2] = [97, 131];

fn restored(restorer: &Restorer, manifest: &Manifest) -> Result<Array3<f32>, rddm_runtime::Error> {
    let [height, width] = SIZE;
    let input = synthetic::picture(manifest.picture.channels as usize, height, width);
    let mask = manifest.picture.mask.then(|| Array2::ones(SIZE));
    let mask = mask.as_ref().map(|mask| mask.view());
    restorer.restore(input.view(), mask, &mut |_| Control::Continue)
}

fn drawn(restorer: &Restorer, manifest: &Manifest) -> Result<Array3<f32>, rddm_runtime::Error> {
    let size = manifest.picture.size.map_or(SIZE, |size| size.map(|side| side as usize));
    restorer.generate(size, 7, &mut |_| Control::Continue)
}

fn sound(values: &[f32]) -> Result<(), String> {
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(format!("a value is {value}"));
    }
    match values.first() {
        Some(first) if values.iter().all(|value| value == first) => {
            Err(format!("all values are {first}"))
        }
        Some(_) => Ok(()),
        None => Err("there are no values".to_owned()),
    }
}

fn worst(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// `[1, 6, 20, 28]`; each value is an exact fraction.
fn golden_input() -> Array4<f32> {
    Array4::from_shape_fn((1, 6, HEIGHT, WIDTH), |(_, c, y, x)| {
        ((c * 31 + y * 17 + x * 7) % 64) as f32 / 32.0 - 1.0
    })
}

/// How the network is run as a model.
fn tiny_manifest() -> Result<Manifest, Failure> {
    let text = include_str!("self_test.toml")
        .replace("{{sha256}}", &Digest::of(NETWORK).hex())
        .replace("{{size}}", &NETWORK.len().to_string());
    Manifest::parse(&text).map_err(|error| Failure::new(code::UNEXPECTED, error.to_string()))
}
