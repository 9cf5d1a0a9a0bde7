//! `rddm-run bench`: engines, tiles and sizes, paired: every round runs each of them once, so that
//! a machine that slows down slows all of them.

use std::time::Instant;

use ndarray::{Array2, Array3, Array4, Axis};
use rddm_manifest::Manifest;
use rddm_runtime::{Control, EngineOptions, Network, Restorer, RestorerBuilder, engine};
use rddm_zoo::ResolvedModel;
use serde::Serialize;

use super::synthetic;
use crate::args::Bench;
use crate::failure::{Failure, code};
use crate::terminal::{Terminal, table};
use crate::{interrupt, model};

#[derive(Serialize)]
struct Report {
    schema: u32,
    model: String,
    version: String,
    /// `picture`: a whole restoration; `network`: one pass of the first network.
    what: &'static str,
    steps: usize,
    threads: usize,
    rounds: u32,
    rows: Vec<Row>,
}

#[derive(Clone, Serialize)]
struct Row {
    width: usize,
    height: usize,
    engine: String,
    device: String,
    /// Absent where the model's own was taken, or there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    tile: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap: Option<usize>,
    /// Loading and optimising the network.
    load_seconds: f64,
    /// Medians and the fastest round.
    seconds: f64,
    fastest: f64,
    megapixels_per_second: f64,
    /// To the first row of this size: above 1 is slower.
    ratio: f64,
    /// How far the result is from that of one pass over the whole picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    apart: Option<Apart>,
}

/// How far tiles are from the whole picture.
#[derive(Clone, Copy, Serialize)]
struct Apart {
    /// The share of values that differ by more than one level of 8 bits.
    off: f64,
    /// The farthest value, in levels.
    farthest: f64,
    /// The most that a step across a border of tiles is larger or smaller than in the whole
    /// picture, in levels.
    seam: f64,
}

pub(crate) fn run(args: &Bench, terminal: &mut Terminal) -> Result<u8, Failure> {
    if !args.files.is_empty() {
        return super::bench_files::run(args, terminal);
    }
    let rounds = args.rounds.unwrap_or(5);
    let model = model::find(&args.model, &args.registry, None)?;
    let cancel = interrupt::token()?;
    let mut rows = Vec::new();
    for input in inputs(args, &model)? {
        let (_, height, width) = input.dim();
        let mut runners = runners(args, &model, &input, &cancel)?;
        let whole = whole(args, &model, &input)?;
        let mut times = vec![Vec::new(); runners.len()];
        for round in 0..=rounds {
            for (runner, times) in runners.iter_mut().zip(&mut times) {
                if cancel.is_cancelled() {
                    return Err(Failure::interrupted());
                }
                let begun = Instant::now();
                let result = runner.go()?;
                // The first round warms caches up and does not count.
                if round > 0 {
                    times.push(begun.elapsed().as_secs_f64());
                } else if let (Some(whole), Some(result)) = (&whole, result) {
                    runner.apart = Some(runner.apart(&result, whole)?);
                }
            }
        }
        let first = times.first_mut().map_or(1.0, |times| median(times));
        for (runner, mut times) in runners.iter().zip(times) {
            let seconds = median(&mut times);
            rows.push(Row {
                width,
                height,
                engine: runner.engine.clone(),
                device: runner.device.clone(),
                tile: runner.tile,
                overlap: runner.overlap,
                load_seconds: runner.load_seconds,
                seconds,
                fastest: times.first().copied().unwrap_or(seconds),
                megapixels_per_second: (width * height) as f64 / 1e6 / seconds,
                ratio: seconds / first,
                apart: runner.apart,
            });
        }
    }
    let report = Report {
        schema: 1,
        model: model.manifest.id.to_string(),
        version: model.manifest.version.to_string(),
        what: if args.network { "network" } else { "picture" },
        steps: if args.network { 1 } else { args.steps },
        threads: args.threads,
        rounds,
        rows,
    };
    terminal.result(&lines(&report, &model.manifest))?;
    terminal.report(&report)?;
    Ok(0)
}

/// One thing to time.
struct Runner {
    engine: String,
    device: String,
    tile: Option<usize>,
    overlap: Option<usize>,
    load_seconds: f64,
    apart: Option<Apart>,
    work: Work,
}

enum Work {
    Picture { restorer: Box<Restorer>, input: Array3<f32>, mask: Option<Array2<f32>> },
    Network { network: Box<dyn Network>, input: Array4<f32>, times: Vec<f32> },
}

impl Runner {
    /// Does the work; gives the picture, if it is one.
    fn go(&mut self) -> Result<Option<Array3<f32>>, Failure> {
        match &mut self.work {
            Work::Picture { restorer, input, mask } => Ok(Some(restorer.restore(
                input.view(),
                mask.as_ref().map(|mask| mask.view()),
                &mut |_| Control::Continue,
            )?)),
            Work::Network { network, input, times } => {
                network.run(input.view(), times)?;
                Ok(None)
            }
        }
    }

    fn apart(&self, result: &Array3<f32>, whole: &Array3<f32>) -> Result<Apart, Failure> {
        let (_, height, width) = whole.dim();
        let borders = match &self.work {
            Work::Picture { restorer, .. } => restorer.tile_borders([height, width])?,
            Work::Network { .. } => Default::default(),
        };
        let difference = (result - whole) * 255.0;
        let mut seam = 0.0_f32;
        for (axis, borders) in borders.iter().enumerate() {
            for &border in borders {
                let line = |at: usize| difference.index_axis(Axis(1 + axis), at);
                seam = (&line(border) - &line(border - 1))
                    .iter()
                    .fold(seam, |most, step| most.max(step.abs()));
            }
        }
        let level = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round();
        let off = result.iter().zip(whole).filter(|&(a, b)| (level(*a) - level(*b)).abs() > 1.0);
        Ok(Apart {
            off: off.count() as f64 / whole.len() as f64,
            farthest: difference.iter().fold(0.0_f32, |most, value| most.max(value.abs())).into(),
            seam: seam.into(),
        })
    }
}

/// The pictures to time: files, or made here.
fn inputs(args: &Bench, model: &ResolvedModel) -> Result<Vec<Array3<f32>>, Failure> {
    let channels = model.manifest.picture.channels as usize;
    if args.picture.is_empty() {
        let made =
            args.size.iter().map(|&(width, height)| synthetic::picture(channels, height, width));
        return Ok(made.collect());
    }
    let read = |path: &std::path::PathBuf| {
        let picture = rddm_image::read(path, &rddm_image::Limits::default())?;
        Ok(rddm_image::with_channels(picture.pixels.view(), channels)?)
    };
    args.picture.iter().map(read).collect()
}

/// The result of one pass over the whole picture, where cuts are compared.
fn whole(
    args: &Bench,
    model: &ResolvedModel,
    input: &Array3<f32>,
) -> Result<Option<Array3<f32>>, Failure> {
    if args.network || (args.tile.is_empty() && args.overlap.is_empty()) {
        return Ok(None);
    }
    let (_, height, width) = input.dim();
    let restorer = builder(args, model, "tract").tile(width.max(height));
    let restorer = restorer.build(model.networks.iter().map(|network| &network.bytes))?;
    let mask = mask(model, input);
    let mask = mask.as_ref().map(|mask| mask.view());
    Ok(Some(restorer.restore(input.view(), mask, &mut |_| Control::Continue)?))
}

/// For a model that needs a mask, one that marks the whole picture.
fn mask(model: &ResolvedModel, input: &Array3<f32>) -> Option<Array2<f32>> {
    let (_, height, width) = input.dim();
    model.manifest.picture.mask.then(|| Array2::ones((height, width)))
}

fn builder<'a>(args: &Bench, model: &'a ResolvedModel, engine: &str) -> RestorerBuilder<'a> {
    let mut builder =
        Restorer::builder(&model.manifest).engine(engine).steps(args.steps).threads(args.threads);
    if let Some(library) = args.library.path() {
        builder = builder.library(library);
    }
    if let Some(network) = model.networks.first() {
        builder = builder.precision(network.precision);
    }
    if let Some(mirror) = args.mirror {
        builder = builder.mirror(mirror);
    }
    if let Some(confirm) = args.confirm {
        builder = builder.confirm(confirm);
    }
    builder
}

fn runners(
    args: &Bench,
    model: &ResolvedModel,
    input: &Array3<f32>,
    cancel: &rddm_runtime::CancelToken,
) -> Result<Vec<Runner>, Failure> {
    let (_, height, width) = input.dim();
    // Nothing given is one run with the model's own.
    let each = |given: &[usize]| {
        let given = given.iter().copied().map(Some);
        given.clone().chain((given.len() == 0).then_some(None)).collect::<Vec<_>>()
    };
    let mut runners = Vec::new();
    for engine in &args.engine {
        if args.network {
            runners.push(network(args, model, engine, width, height)?);
            continue;
        }
        for tile in each(&args.tile) {
            for overlap in each(&args.overlap) {
                // A whole picture overlaps nothing.
                if tile == Some(0) && overlap != args.overlap.first().copied() {
                    continue;
                }
                let begun = Instant::now();
                let mut builder =
                    builder(args, model, engine).device(args.device.clone()).cancel(cancel.clone());
                if let Some(tile) = tile {
                    builder = builder.tile(side(tile, (width, height)));
                }
                if let Some(overlap) = overlap {
                    builder = builder.overlap(overlap);
                }
                let restorer =
                    builder.build(model.networks.iter().map(|network| &network.bytes))?;
                runners.push(Runner {
                    engine: engine.clone(),
                    device: restorer.device().to_owned(),
                    tile,
                    overlap: overlap.filter(|_| tile != Some(0)),
                    load_seconds: begun.elapsed().as_secs_f64(),
                    apart: None,
                    work: Work::Picture {
                        restorer: Box::new(restorer),
                        input: input.clone(),
                        mask: mask(model, input),
                    },
                });
            }
        }
    }
    Ok(runners)
}

fn network(
    args: &Bench,
    model: &ResolvedModel,
    name: &str,
    width: usize,
    height: usize,
) -> Result<Runner, Failure> {
    let picture = &model.manifest.picture;
    let multiple = picture.multiple as usize;
    if !width.is_multiple_of(multiple) || !height.is_multiple_of(multiple) {
        return Err(Failure::usage(format!(
            "a network of {} takes sides that are multiples of {multiple}, not {width}x{height}",
            model.manifest.id
        )));
    }
    let Some(file) = model.networks.first() else {
        return Err(Failure::new(
            code::UNEXPECTED,
            format!("{} has no network", model.manifest.id),
        ));
    };
    let begun = Instant::now();
    let mut options = EngineOptions::default();
    options.device = args.device.clone();
    options.library = args.library.path();
    options.threads = args.threads;
    // The bytes were hashed when the model was found.
    let network = engine(name)?.load(&file.bytes, &options)?;
    let channels = picture.channels as usize;
    let planes = if model.manifest.sampler.conditional {
        2 * channels + usize::from(picture.mask)
    } else {
        channels
    };
    let input = synthetic::picture(planes, height, width).mapv(|value| 2.0 * value - 1.0);
    let middle = model.manifest.sampler.timesteps as f32 / 2.0;
    Ok(Runner {
        engine: name.to_owned(),
        device: network.device().to_owned(),
        tile: None,
        overlap: None,
        apart: None,
        load_seconds: begun.elapsed().as_secs_f64(),
        work: Work::Network {
            times: vec![middle; network.inputs().len().saturating_sub(1)],
            input: input.insert_axis(ndarray::Axis(0)),
            network,
        },
    })
}

/// The tile size that is asked for; 0 takes a picture of `(width, height)` as a whole.
pub(super) fn side(tile: usize, (width, height): (usize, usize)) -> usize {
    if tile == 0 { width.max(height) } else { tile }
}

/// Sorts the times.
pub(super) fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    match times.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => times[length / 2],
        length => (times[length / 2 - 1] + times[length / 2]) / 2.0,
    }
}

fn lines(report: &Report, manifest: &Manifest) -> String {
    let mut head = vec![
        "size", "engine", "device", "tile", "overlap", "load", "median", "fastest", "MP/s", "ratio",
    ];
    if report.rows.iter().any(|row| row.apart.is_some()) {
        head.extend(["off by > 1", "farthest", "seam"]);
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for row in &report.rows {
        let tile = match row.tile {
            Some(0) => "whole".to_owned(),
            Some(tile) => tile.to_string(),
            None if report.what == "network" => "-".to_owned(),
            None => manifest.picture.tile.to_string(),
        };
        let overlap = match row.overlap {
            Some(overlap) => overlap.to_string(),
            None if tile == "-" || tile == "whole" => "-".to_owned(),
            None => manifest.picture.overlap.to_string(),
        };
        let apart = row.apart.iter().flat_map(|apart| {
            [
                format!("{:.4} %", apart.off * 100.0),
                format!("{:.2}", apart.farthest),
                format!("{:.2}", apart.seam),
            ]
        });
        let mut cells = vec![
            format!("{}×{}", row.width, row.height),
            row.engine.clone(),
            row.device.clone(),
            tile,
            overlap,
            format!("{:.0} ms", row.load_seconds * 1e3),
            format!("{:.1} ms", row.seconds * 1e3),
            format!("{:.1} ms", row.fastest * 1e3),
            format!("{:.2}", row.megapixels_per_second),
            format!("{:.2}", row.ratio),
        ];
        cells.extend(apart);
        rows.push(cells);
    }
    format!(
        "{}, {}, {} steps, {} threads, {} rounds\n{}",
        model::title(manifest),
        report.what,
        report.steps,
        report.threads,
        report.rounds,
        table(&rows)
    )
}
