//! The log of a training, `log.jsonl`, and its plot.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use plotters::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::run::write;

/// One line of `log.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Optimiser steps done.
    pub step: usize,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Mean training loss since the entry before.
    pub loss: f64,
    /// Learning rate.
    pub rate: f64,
    /// Mean PSNR of held out pictures, dB: by source, then by number of sampling steps.
    #[serde(default)]
    pub scores: Vec<LoggedScore>,
}

/// A validation's figure in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedScore {
    /// The folder of the degraded pictures.
    pub source: String,
    /// Sampling steps.
    pub steps: usize,
    /// PSNR over RGB, dB.
    pub psnr: f64,
    /// The same of the degraded pictures.
    pub input: f64,
}

/// Adds a line.
///
/// # Errors
/// When the file cannot be written.
pub fn append(path: &Path, entry: &Entry) -> Result<(), Error> {
    let mut line = serde_json::to_string(entry).map_err(|error| Error::run(path, error))?;
    line.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(line.as_bytes()).map_err(|error| Error::run(path, error))
}

/// Puts lines in the place of all that were there.
///
/// # Errors
/// When the file cannot be written; the one before is kept.
pub(crate) fn replace(path: &Path, entries: &[Entry]) -> Result<(), Error> {
    let lines = entries.iter().map(|entry| Ok(serde_json::to_string(entry)? + "\n"));
    let text = lines.collect::<Result<String, _>>();
    let text = text.map_err(|error: serde_json::Error| Error::run(path, error))?;
    write(path, text.as_bytes())
}

/// Reads a log; lines past step `until`, and a last line that a kill cut, are left out.
///
/// # Errors
/// When the file cannot be read or a line is damaged.
pub fn read(path: &Path, until: usize) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut lines =
        BufReader::new(File::open(path).map_err(|e| Error::run(path, e))?).lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.map_err(|error| Error::run(path, error))?;
        match serde_json::from_str::<Entry>(&line) {
            Ok(entry) if entry.step <= until => entries.push(entry),
            Ok(_) => {}
            Err(_) if lines.peek().is_none() => {}
            Err(error) => return Err(Error::run(path, error)),
        }
    }
    Ok(entries)
}

/// Plots a log as SVG: loss above, PSNR of held out pictures below.
///
/// # Errors
/// When there is nothing to plot or the file cannot be written.
pub fn plot(entries: &[Entry], path: &Path) -> Result<(), Error> {
    let mut loss = vec![Line { name: "training loss".into(), points: Vec::new() }];
    let mut scores: Vec<Line> = Vec::new();
    for entry in entries {
        loss[0].points.push((entry.step as f64, entry.loss.max(1e-9).log10()));
        for score in &entry.scores {
            let name = format!("{}, {} steps", score.source, score.steps);
            let point = (entry.step as f64, score.psnr);
            match scores.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => scores.push(Line { name, points: vec![point] }),
            }
        }
    }
    let panels =
        [Panel { label: "log10 loss", lines: loss }, Panel { label: "PSNR, dB", lines: scores }];
    draw(&panels, path)
}

/// Lines over the same optimiser steps.
pub(crate) struct Panel {
    pub(crate) label: &'static str,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Draws two panels, one above the other; one without points stays empty.
pub(crate) fn draw(panels: &[Panel; 2], path: &Path) -> Result<(), Error> {
    let failed = |error: &dyn std::fmt::Display| Error::run(path, error);
    let root = SVGBackend::new(path, (800, 640)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let (above, below) = root.split_vertically(260);
    for (area, panel) in [above, below].iter().zip(panels) {
        if panel.lines.iter().any(|line| !line.points.is_empty()) {
            draw_panel(area, panel).map_err(|error| failed(&error))?;
        }
    }
    root.present().map_err(|error| failed(&error))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_panel(area: &Area<'_>, panel: &Panel) -> Result<(), Box<dyn std::error::Error>> {
    let Panel { label, lines } = panel;
    let points = || lines.iter().flat_map(|line| &line.points);
    let most_x = points().map(|p| p.0).fold(1.0, f64::max);
    let least = points().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let most = points().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let margin = 0.05 * (most - least).max(0.1);
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..most_x, least - margin..most + margin)?;
    chart.configure_mesh().x_desc("optimiser step").y_desc(*label).draw()?;
    for (index, line) in lines.iter().enumerate() {
        let colour = Palette99::pick(index).to_rgba();
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    Ok(())
}
