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

/// Plots a log as SVG: loss above, by its logarithm where all of it has one, PSNR of held out pictures below.
///
/// # Errors
/// When there is nothing to plot or the file cannot be written.
pub fn plot(entries: &[Entry], path: &Path) -> Result<(), Error> {
    if entries.is_empty() {
        let problem = "nothing to plot: the log has no line yet, and a training writes one at each validation";
        return Err(Error::run(path, problem));
    }
    // A negative PSNR as the loss has no logarithm.
    let logarithmic = entries.iter().all(|entry| entry.loss > 0.0);
    let label = if logarithmic { "log10 loss" } else { "loss" };
    let mut loss = vec![Line { name: "training loss".into(), points: Vec::new() }];
    let mut scores: Vec<Line> = Vec::new();
    for entry in entries {
        let value = if logarithmic { entry.loss.log10() } else { entry.loss };
        loss[0].points.push((entry.step as f64, value));
        for score in &entry.scores {
            let name = format!("{}, {} steps", score.source, score.steps);
            let point = (entry.step as f64, score.psnr);
            match scores.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push(point),
                None => scores.push(Line { name, points: vec![point] }),
            }
        }
    }
    let panels = [Panel { label, lines: loss }, Panel { label: "PSNR, dB", lines: scores }];
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// The plot of losses after steps 1, 2, ….
    fn plotted(losses: &[f64]) -> Result<String, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.svg");
        let entry = |(step, &loss): (usize, &f64)| {
            let (step, scores) = (step + 1, Vec::new());
            Entry { step, seconds: 0.0, loss, rate: 1e-3, scores }
        };
        let entries: Vec<Entry> = losses.iter().enumerate().map(entry).collect();
        plot(&entries, &path)?;
        Ok(std::fs::read_to_string(path).unwrap())
    }

    #[test]
    fn a_loss_without_a_logarithm_is_plotted_itself() {
        let small = plotted(&[1e-1, 1e-3]).unwrap();
        assert!(small.contains("log10 loss") && small.contains("-2.0"), "{small}");
        let psnr = plotted(&[-20.0, -40.0]).unwrap();
        assert!(!psnr.contains("log10") && psnr.contains("-30.0"), "{psnr}");
        assert!(!plotted(&[1e-1, 0.0]).unwrap().contains("log10"));
    }

    #[test]
    fn an_empty_log_is_no_plot() {
        let error = plotted(&[]).unwrap_err().to_string();
        assert!(error.contains("curve.svg") && error.contains("no line yet"), "{error}");
    }
}
