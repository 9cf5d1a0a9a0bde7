//! `rddm-run bench --files`: the command itself on files of several sizes, each in a process of its
//! own: memory, time, and what of it is spent outside the networks.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rddm_image::{Header, Metadata, RowWriter};
use rddm_runtime::CancelToken;
use serde::Serialize;
use serde_json::Value;

use super::bench::{median, side};
use super::budget::megabytes;
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
    what: &'static str,
    threads: usize,
    max_memory: u64,
    rounds: u32,
    rows: Vec<Row>,
}

/// One file; times are medians of the rounds, in seconds.
#[derive(Serialize)]
struct Row {
    engine: String,
    width: usize,
    height: usize,
    megapixels: f64,
    tile: u64,
    rows: bool,
    /// What the process said that it would take at most, and the most that it took in any round.
    estimate_bytes: u64,
    peak_bytes: Option<u64>,
    seconds: f64,
    processor_seconds: Option<f64>,
    read: f64,
    write: f64,
    networks: f64,
    /// The share of the time that is not the networks'. Absent with several threads.
    overhead: Option<f64>,
    /// Time for each megapixel, to that of the engine's first row: above 1 is slower. Of the
    /// processor where it is known, else of the clock.
    linearity: f64,
}

pub(super) fn run(args: &Bench, terminal: &mut Terminal) -> Result<u8, Failure> {
    if args.tile.len() > 1 || args.overlap.len() > 1 {
        let what = "--files takes one --tile and one --overlap: its runs differ by size and engine";
        return Err(Failure::usage(what));
    }
    let max_memory = args.max_memory.unwrap_or(300_000_000);
    let model = model::find(&args.model, &args.registry, None)?;
    let cancel = interrupt::token()?;
    let folder = tempfile::tempdir().map_err(no_disk)?;
    let rounds = args.rounds.unwrap_or(1);
    let mut cases = Vec::new();
    for &megapixels in &args.files {
        let (width, height) = sides(megapixels);
        let path = folder.path().join(format!("{width}x{height}.png"));
        let grainy = |row: &mut [f32], y| synthetic::grainy_row(row, y, width, height);
        picture(&path, (width, height, 3), grainy)?;
        // A model that needs a mask gets one that marks the whole picture.
        let mask = model.manifest.picture.mask.then(|| path.with_extension("mask.png"));
        if let Some(mask) = &mask {
            picture(mask, (width, height, 1), |row, _| row.fill(1.0))?;
        }
        cases.extend(args.engine.iter().map(|engine| Case {
            engine,
            path: path.clone(),
            mask: mask.clone(),
            size: (width, height),
            runs: Vec::new(),
        }));
    }
    for _ in 0..rounds {
        for case in &mut cases {
            let output = folder.path().join("output.png");
            case.runs.push(restore(args, max_memory, case, &output, &cancel)?);
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for case in &cases {
        let mut row = case.row(args.threads);
        let per_pixel = |row: &Row| row.processor_seconds.unwrap_or(row.seconds) / row.megapixels;
        let first =
            rows.iter().find(|first| first.engine == row.engine).map_or(per_pixel(&row), per_pixel);
        row.linearity = per_pixel(&row) / first;
        rows.push(row);
    }
    let report = Report {
        schema: 1,
        model: model.manifest.id.to_string(),
        version: model.manifest.version.to_string(),
        what: "files",
        threads: args.threads,
        max_memory,
        rounds,
        rows,
    };
    terminal.result(&lines(&report, &model::title(&model.manifest)))?;
    terminal.report(&report)?;
    Ok(0)
}

/// Sides of 4:3 that are near to so many megapixels.
fn sides(megapixels: f64) -> (usize, usize) {
    let quarter = (megapixels * 1e6 / 12.0).sqrt().round().max(1.0) as usize;
    (4 * quarter, 3 * quarter)
}

/// Writes a file of `(width, height, channels)`, row by row.
fn picture(
    path: &Path,
    (width, height, channels): (usize, usize, usize),
    fill: impl Fn(&mut [f32], usize),
) -> Result<(), Failure> {
    let write = || {
        let shape = Header::new(width, height, channels);
        let mut writer = RowWriter::create(path, &shape, &Metadata::default())?;
        let mut row = vec![0.0; shape.values_in_row()];
        for y in 0..height {
            fill(&mut row, y);
            writer.write(&row)?;
        }
        writer.finish(true)
    };
    write().map_err(|error| Failure::writing(&error))
}

struct Case<'a> {
    engine: &'a str,
    path: PathBuf,
    mask: Option<PathBuf>,
    size: (usize, usize),
    runs: Vec<Value>,
}

impl Case<'_> {
    fn row(&self, threads: usize) -> Row {
        let of = |get: &dyn Fn(&Value) -> Option<f64>| {
            let mut values: Vec<f64> = self.runs.iter().filter_map(get).collect();
            (!values.is_empty()).then(|| median(&mut values))
        };
        let part = |name: &str| {
            of(&|run: &Value| run["pictures"][0]["seconds"][name].as_f64()).unwrap_or(f64::NAN)
        };
        let memory = |name: &str| self.runs[0]["pictures"][0]["memory"][name].clone();
        let (networks, seconds) =
            (part("networks"), part("read") + part("restore") + part("write"));
        let (width, height) = self.size;
        Row {
            engine: self.engine.to_owned(),
            width,
            height,
            megapixels: (width * height) as f64 / 1e6,
            tile: memory("tile").as_u64().unwrap_or(0),
            rows: memory("rows").as_bool().unwrap_or(false),
            estimate_bytes: memory("bytes").as_u64().unwrap_or(0),
            peak_bytes: self.runs.iter().filter_map(|run| run["peak_bytes"].as_u64()).max(),
            seconds,
            processor_seconds: of(&|run: &Value| run["processor_seconds"].as_f64()),
            read: part("read"),
            write: part("write"),
            networks,
            overhead: (threads == 1).then_some(1.0 - networks / seconds),
            linearity: 1.0,
        }
    }
}

/// The report of the command on one file.
fn restore(
    args: &Bench,
    max_memory: u64,
    case: &Case<'_>,
    output: &Path,
    cancel: &CancelToken,
) -> Result<Value, Failure> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.arg("--model").arg(args.model.as_str()).arg(&case.path).arg("--output").arg(output);
    command.args(["--json", "--quiet", "--engine", case.engine]);
    if let Some(mask) = &case.mask {
        command.arg("--mask").arg(mask);
    }
    command.arg("--device").arg(args.device.to_string());
    command.arg("--threads").arg(args.threads.to_string());
    command.arg("--max-memory").arg(max_memory.to_string());
    if let Some(&tile) = args.tile.first() {
        command.arg("--tile").arg(side(tile, case.size).to_string());
    }
    if let Some(overlap) = args.overlap.first() {
        command.arg("--overlap").arg(overlap.to_string());
    }
    if let Some(library) = args.library.path() {
        command.arg("--ort-library").arg(library);
    }
    args.registry.repeat(&mut command);
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let done = ended(child, cancel)?.wait_with_output()?;
    if !done.status.success() {
        let code = done.status.code().and_then(|code| u8::try_from(code).ok());
        let said = String::from_utf8_lossy(&done.stderr);
        let said = said.trim();
        let said = said.strip_prefix("error: ").unwrap_or(said).to_owned();
        return Err(Failure::new(code.unwrap_or(code::UNEXPECTED), said));
    }
    serde_json::from_slice(&done.stdout)
        .map_err(|error| Failure::new(code::UNEXPECTED, format!("a report is no JSON: {error}")))
}

/// Waits for the end of a process, which an interrupt brings at once. Its report is so short that
/// it never waits for its reader.
fn ended(mut child: Child, cancel: &CancelToken) -> Result<Child, Failure> {
    while child.try_wait()?.is_none() {
        if cancel.is_cancelled() {
            child.kill()?;
            child.wait()?;
            return Err(Failure::interrupted());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(child)
}

fn lines(report: &Report, title: &str) -> String {
    let head = [
        "size", "engine", "tile", "said", "peak", "time", "CPU", "CPU/MP", "linear", "read",
        "networks", "write", "overhead",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let seconds = |time: f64| format!("{time:.1} s");
    for row in &report.rows {
        let processor = row.processor_seconds;
        rows.push(vec![
            format!("{}×{}", row.width, row.height),
            row.engine.clone(),
            format!("{}{}", row.tile, if row.rows { ", rows" } else { "" }),
            megabytes(row.estimate_bytes),
            row.peak_bytes.map_or("?".to_owned(), megabytes),
            seconds(row.seconds),
            processor.map_or("?".to_owned(), seconds),
            processor.map_or("?".to_owned(), |time| format!("{:.3} s", time / row.megapixels)),
            format!("{:.3}", row.linearity),
            seconds(row.read),
            seconds(row.networks),
            seconds(row.write),
            row.overhead.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0)),
        ]);
    }
    format!(
        "{title}, files, {} threads, {} allowed, {} rounds\n{}",
        report.threads,
        megabytes(report.max_memory),
        report.rounds,
        table(&rows)
    )
}

fn no_disk(error: std::io::Error) -> Failure {
    Failure::new(code::DISK, format!("there is no place for the pictures: {error}"))
}
