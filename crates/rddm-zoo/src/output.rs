//! The one place that prints: lines for people with bars that move, JSON for programs, or nothing
//! but errors.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this module is what prints")]

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    sync::Mutex,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rddm_zoo::{Error, ErrorKind, Event};
use serde::Serialize;

/// How things are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Lines and bars.
    People,
    /// One JSON object a line.
    Json,
    /// Errors only.
    Quiet,
}

/// What prints.
pub(crate) struct Output {
    manner: Manner,
    bars: MultiProgress,
    by_file: Mutex<HashMap<String, ProgressBar>>,
    /// Why the standard output could not be written, the first time that it could not.
    failed: Mutex<Option<io::Error>>,
}

impl Output {
    pub(crate) fn new(manner: Manner) -> Self {
        let shown = manner == Manner::People && io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            manner,
            bars: MultiProgress::with_draw_target(target),
            by_file: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// Another one of the same manner, for another thread.
    pub(crate) fn like(other: &Self) -> Self {
        Self::new(other.manner)
    }

    /// A line for people, on the standard output.
    pub(crate) fn line(&self, text: &str) {
        if self.manner == Manner::People {
            self.bars.suspend(|| self.print(text));
        }
    }

    /// A value for programs, one line of JSON on the standard output.
    pub(crate) fn json(&self, value: &impl Serialize) {
        if self.manner == Manner::Json {
            let text = serde_json::to_string(value).unwrap_or_default();
            self.print(&text);
        }
    }

    /// The result of a command: a table or lines for people, one object for programs.
    pub(crate) fn result(&self, text: &str, value: &impl Serialize) {
        match self.manner {
            Manner::People => self.print(text),
            Manner::Json => self.json(value),
            Manner::Quiet => {}
        }
    }

    /// What was asked for as such (a completion, a man page), whatever the manner.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(bytes).and_then(|()| out.flush())
            && let Ok(mut failed) = self.failed.lock()
        {
            failed.get_or_insert(error);
        }
    }

    fn print(&self, text: &str) {
        self.raw(format!("{text}\n").as_bytes());
    }

    /// Whether all that was printed arrived: what is done is done first, and a command is no success
    /// if nobody could be told. A reader that has gone (`| head`) has seen enough.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.failed.lock().ok().and_then(|mut failed| failed.take()) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let what = format!("cannot write to the standard output: {error}");
                Err(Error::new(ErrorKind::Store, what)
                    .with_next("make room where the output goes, or send it elsewhere"))
            }
            _ => Ok(()),
        }
    }

    /// A remark that is no error, on the standard error output.
    pub(crate) fn note(&self, text: &str) {
        if self.manner == Manner::People {
            self.bars.suspend(|| write_line(io::stderr(), &format!("note: {text}")));
        }
    }

    /// An error for programs, who read the standard output.
    pub(crate) fn error_as_json(&self, error: &Error) {
        self.json(&serde_json::json!({
            "event": "error",
            "kind": kind(error),
            "exit_code": error.exit_code(),
            "message": error.to_string(),
            "next": error.next(),
        }));
    }

    pub(crate) fn error(&self, error: &Error) {
        self.error_as_json(error);
        self.bars.suspend(|| {
            write_line(io::stderr(), &format!("error: {error}"));
            if let Some(next) = error.next() {
                write_line(io::stderr(), &format!("  next: {next}"));
            }
        });
    }

    /// What happens during a pull.
    pub(crate) fn event(&self, event: Event) {
        match self.manner {
            Manner::People => self.event_for_people(event),
            Manner::Json => self.json(&event),
            Manner::Quiet => {}
        }
    }

    fn event_for_people(&self, event: Event) {
        match event {
            Event::Index { registry, version, signed_by, clock_trusted, .. } => {
                let signed = match signed_by {
                    Some(key) => format!("signed by {}…", key.get(..12).unwrap_or(&key)),
                    None => "NOT SIGNED".to_owned(),
                };
                self.line(&format!("index    version {version} of {registry}, {signed}"));
                if !clock_trusted {
                    self.note("the clock is before the index was made, so it was not checked whether the index has expired");
                }
            }
            Event::Model { model, version, files, size, license } => {
                self.line(&format!(
                    "model    {model} {version}: {}, {}, {license}",
                    count(files, "file"),
                    bytes(size)
                ));
            }
            Event::Waiting { file } => {
                self.note(&format!("another process is at work on {file}; waiting for it"))
            }
            Event::Started { file, resumed, .. } if resumed > 0 => {
                self.line(&format!("resume   {file} after {}", bytes(resumed)));
            }
            Event::Progress { file, done, size } => self.progress(&file, done, size),
            Event::Restarted { file, reason } => {
                self.note(&format!("{file} begins again: {reason}"))
            }
            Event::Retry { file, attempt, wait_ms, reason } => {
                let seconds = f64::from(u32::try_from(wait_ms).unwrap_or(u32::MAX)) / 1000.0;
                self.note(&format!("{file}: {reason}; attempt {} in {seconds:.1} s", attempt + 1));
            }
            Event::Verified { file, digest, size, already } => {
                self.finish(&file);
                let word = if already { "present " } else { "verified" };
                let digest = digest.get(..19).unwrap_or(&digest);
                self.line(&format!("{word} {file}, {}, {digest}…", bytes(size)));
            }
            Event::Replaced { model, registry, signed_by } => {
                let signed = signed_by.map_or_else(
                    || "not signed".to_owned(),
                    |key| format!("signed by {}…", key.get(..12).unwrap_or(&key)),
                );
                self.note(&format!(
                    "{model} was another registry's or key's before: of {registry}, {signed}"
                ));
            }
            Event::Pulled { model, version, already } => {
                let word = if already { "is up to date" } else { "is ready" };
                self.line(&format!(
                    "{model} {version} {word}. Run it: rddm-run --model {model} INPUT -o OUTPUT"
                ));
            }
            _ => {}
        }
    }

    fn progress(&self, file: &str, done: u64, size: u64) {
        let Ok(mut by_file) = self.by_file.lock() else { return };
        let bar = by_file.entry(file.to_owned()).or_insert_with(|| {
            let template = "{prefix:24!} {bar:24} {bytes:>10} / {total_bytes:10} {bytes_per_sec:>12} {eta:>4} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = self.bars.add(ProgressBar::new(size).with_style(style).with_prefix(file.to_owned()));
            bar.reset_eta();
            bar
        });
        bar.set_position(done);
    }

    fn finish(&self, file: &str) {
        let bar = self.by_file.lock().ok().and_then(|mut by_file| by_file.remove(file));
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }
}

/// The kind of an error as JSON names it.
fn kind(error: &Error) -> String {
    let name = format!("{:?}", error.kind());
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

/// A number of things, in words: `1 file`, `3 files`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// Rows under a head, each column as wide as its widest cell, no spaces at the ends of lines.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| {
        all.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What an interrupted command says at last; `brings` if it was bringing something into the store.
pub(crate) fn interrupted(brings: bool) {
    let kept = ": what came is kept, and the next pull goes on from there";
    write_line(io::stderr(), &format!("\ninterrupted{}", if brings { kept } else { "" }));
}

/// For the standard error output: nobody is there to be told when this fails.
fn write_line(mut to: impl Write, text: &str) {
    let _ = writeln!(to, "{text}");
}
