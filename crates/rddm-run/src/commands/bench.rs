//! `rddm-run bench`: engines, tiles and sizes, paired: every round runs each of them once, so that
//! a machine that slows down slows all of them.

use std::time::Instant;

use ndarray::Array4;
use rddm_manifest::Manifest;
use rddm_runtime::{Control, EngineOptions, Network, Restorer, engine};
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
    /// Loading and optimising the network.
    load_seconds: f64,
    /// Medians and the fastest round.
    seconds: f64,
    fastest: f64,
    megapixels_per_second: f64,
    /// To the first row of this size: above 1 is slower.
    ratio: f64,
}

pub(crate) fn run(args: &Bench, terminal: &mut Terminal) -> Result<u8, Failure> {
    if !args.files.is_empty() {
        return super::bench_files::run(args, terminal);
    }
    let rounds = args.rounds.unwrap_or(5);
    let model = model::find(&args.model, &args.registry, None)?;
    let cancel = interrupt::token()?;
    let mut rows = Vec::new();
    for &(width, height) in &args.size {
        let mut runners = runners(args, &model, width, height, &cancel)?;
        let mut times = vec![Vec::new(); runners.len()];
        for round in 0..=rounds {
            for (runner, times) in runners.iter_mut().zip(&mut times) {
                if cancel.is_cancelled() {
                    return Err(Failure::interrupted());
                }
                let begun = Instant::now();
                runner.go()?;
                // The first round warms caches up and does not count.
                if round > 0 {
                    times.push(begun.elapsed().as_secs_f64());
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
                load_seconds: runner.load_seconds,
                seconds,
                fastest: times.first().copied().unwrap_or(seconds),
                megapixels_per_second: (width * height) as f64 / 1e6 / seconds,
                ratio: seconds / first,
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
    load_seconds: f64,
    work: Work,
}

enum Work {
    Picture { restorer: Box<Restorer>, input: ndarray::Array3<f32> },
    Network { network: Box<dyn Network>, input: Array4<f32>, times: Vec<f32> },
}

impl Runner {
    fn go(&mut self) -> Result<(), Failure> {
        match &mut self.work {
            Work::Picture { restorer, input } => {
                restorer.restore(input.view(), None, &mut |_| Control::Continue)?;
            }
            Work::Network { network, input, times } => {
                network.run(input.view(), times)?;
            }
        }
        Ok(())
    }
}

fn runners(
    args: &Bench,
    model: &ResolvedModel,
    width: usize,
    height: usize,
    cancel: &rddm_runtime::CancelToken,
) -> Result<Vec<Runner>, Failure> {
    let mut runners = Vec::new();
    for engine in &args.engine {
        if args.network {
            runners.push(network(args, model, engine, width, height)?);
            continue;
        }
        let tiles: Vec<Option<usize>> = if args.tile.is_empty() {
            vec![None]
        } else {
            args.tile.iter().copied().map(Some).collect()
        };
        for tile in tiles {
            let begun = Instant::now();
            let mut builder = Restorer::builder(&model.manifest)
                .engine(engine)
                .device(args.device.clone())
                .steps(args.steps)
                .threads(args.threads)
                .cancel(cancel.clone());
            if let Some(library) = args.library.path() {
                builder = builder.library(library);
            }
            if let Some(network) = model.networks.first() {
                builder = builder.precision(network.precision);
            }
            if let Some(tile) = tile {
                builder = builder.tile(if tile == 0 { width.max(height) } else { tile });
            }
            let restorer = builder.build(model.networks.iter().map(|network| &network.bytes))?;
            runners.push(Runner {
                engine: engine.clone(),
                device: restorer.device().to_owned(),
                tile,
                load_seconds: begun.elapsed().as_secs_f64(),
                work: Work::Picture {
                    restorer: Box::new(restorer),
                    input: synthetic::picture(
                        model.manifest.picture.channels as usize,
                        height,
                        width,
                    ),
                },
            });
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
        load_seconds: begun.elapsed().as_secs_f64(),
        work: Work::Network {
            times: vec![middle; network.inputs().len().saturating_sub(1)],
            input: input.insert_axis(ndarray::Axis(0)),
            network,
        },
    })
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
    let head = ["size", "engine", "device", "tile", "load", "median", "fastest", "MP/s", "ratio"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for row in &report.rows {
        let tile = match row.tile {
            Some(0) => "whole".to_owned(),
            Some(tile) => tile.to_string(),
            None if report.what == "network" => "-".to_owned(),
            None => manifest.picture.tile.to_string(),
        };
        rows.push(vec![
            format!("{}×{}", row.width, row.height),
            row.engine.clone(),
            row.device.clone(),
            tile,
            format!("{:.0} ms", row.load_seconds * 1e3),
            format!("{:.1} ms", row.seconds * 1e3),
            format!("{:.1} ms", row.fastest * 1e3),
            format!("{:.2}", row.megapixels_per_second),
            format!("{:.2}", row.ratio),
        ]);
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
