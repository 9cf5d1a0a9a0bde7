//! The one place that prints: results on standard output, the rest on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::{Failure, code};

/// Where the command's words go.
pub(crate) struct Terminal {
    quiet: bool,
    json: bool,
}

impl Terminal {
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        Self { quiet, json }
    }

    /// Whether results are wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// A result for people, on standard output; nothing when JSON or quiet was asked for.
    pub(crate) fn result(&mut self, text: &str) -> Result<(), Failure> {
        if self.json || self.quiet { Ok(()) } else { self.raw(format!("{text}\n").as_bytes()) }
    }

    /// A result for programs, on standard output, when JSON was asked for.
    pub(crate) fn report(&mut self, report: &impl Serialize) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(report)
            .map_err(|error| Failure::new(code::UNEXPECTED, error.to_string()))?;
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Bytes on standard output, whatever was asked for.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            // The reader has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                Err(Failure::new(code::DISK, format!("can't write to standard output: {error}")))
            }
            Ok(()) => Ok(()),
        }
    }

    /// A note for people, on standard error.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// A failure, on standard error always, and in JSON where that was asked for.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        self.failed(failure);
        let _ = self.report(&crate::report::Failed { schema: 1, error: failure.into() });
    }

    /// A failure that does not end the run: on standard error only.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        say(&format!("error: {}", failure.what));
        if let Some(next) = &failure.next {
            say(&format!("  next: {next}"));
        }
    }

    /// A bar with the time left, on a terminal; elsewhere nothing is drawn.
    pub(crate) fn bar(&self, name: &str) -> ProgressBar {
        let shown = !self.quiet && io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} %  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(1000), target)
            .with_style(style)
            .with_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        bar
    }
}

fn say(text: &str) {
    // Nobody is there to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Aligns columns: the first to the left, the others to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}
