//! `eval.json`, which the commands that measure add their figures to.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rddm_image::is_special;
use rddm_manifest::Digest;
use rddm_train::run::write;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Failure, print};

/// A figure as `eval.json` has it; the manifest's form with more beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) dataset: String,
    pub(crate) metric: String,
    pub(crate) value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<f64>,
    pub(crate) steps: usize,
    pub(crate) engine: String,
    pub(crate) command: String,
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Report {
    /// SHA-256 of the files that were measured.
    #[serde(default)]
    networks: Vec<Digest>,
    pub(crate) rows: Vec<Row>,
    #[serde(default)]
    pub(crate) pictures: Vec<Value>,
}

/// The file that gets the figures of a command, where one was asked for.
pub(crate) struct Output<'a> {
    path: Option<&'a Path>,
    report: Report,
}

impl<'a> Output<'a> {
    /// Fails where figures can't be added to the file: before they are measured.
    pub(crate) fn new(path: Option<&'a Path>) -> Result<Self, Failure> {
        if let Some(path) = path.filter(|path| !is_special(path)) {
            Report::read(path)?;
            let folder = folder_of(path);
            let tried = fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder));
            tried.map_err(|error| unwritten(path, &error))?;
        }
        Ok(Self { path, report: Report::default() })
    }

    /// Adds figures of these networks; what another command wrote meanwhile is kept.
    pub(crate) fn add(
        &mut self,
        networks: &[Digest],
        add: impl FnOnce(&mut Report),
    ) -> Result<(), Failure> {
        let Some(path) = self.path else { return Ok(()) };
        let special = is_special(path);
        // Where the system locks no folder, two commands at a time may still lose figures.
        let lock = File::open(folder_of(path)).and_then(|folder| folder.lock().map(|()| folder));
        if !special {
            self.report = Report::read(path)?;
        }
        self.report.begin(networks);
        add(&mut self.report);
        if !special {
            self.report.write(path)?;
        }
        drop(lock);
        Ok(())
    }

    /// Writes a device or a pipe, which gets all figures at once.
    pub(crate) fn end(self) -> Result<(), Failure> {
        let special = self.path.filter(|path| is_special(path));
        special.map_or(Ok(()), |path| self.report.write(path))
    }
}

/// The folder that the file lies in, or will, whatever it is called by.
fn folder_of(path: &Path) -> PathBuf {
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

impl Report {
    /// What the file holds; nothing where there is no file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read(path).map_err(|error| unread(path, &error))?;
        serde_json::from_slice(&text).map_err(|error| unread(path, &error))
    }

    /// Whether it says that it was measured on these networks.
    pub(crate) fn is_of(&self, networks: &[Digest]) -> bool {
        let known = |measured| networks.contains(measured);
        !self.networks.is_empty() && self.networks.iter().all(known)
    }

    /// Leaves out what was measured on other networks than these, and says so.
    fn begin(&mut self, networks: &[Digest]) {
        if self.networks != networks && !self.rows.is_empty() {
            print::note(
                "--output: the figures that it had are of another network, or do not say of which; they are left out",
            );
            *self = Self::default();
        }
        self.networks = networks.to_vec();
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = self.to_json().map_err(|error| unwritten(path, &error))?;
        Ok(write(path, text.as_bytes())?)
    }

    /// One figure, and one picture, a line.
    fn to_json(&self) -> serde_json::Result<String> {
        let Self { networks, rows, pictures } = self;
        let networks = serde_json::to_string(networks)?;
        let (rows, pictures) = (lines(rows)?, lines(pictures)?);
        Ok(format!(
            "{{\n\"networks\": {networks},\n\"rows\": [{rows}],\n\"pictures\": [{pictures}]\n}}\n"
        ))
    }
}

fn lines(items: &[impl Serialize]) -> serde_json::Result<String> {
    let lines = items.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<_>>>()?;
    Ok(if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join(",\n")) })
}

/// A folder as a command on another machine would have it.
pub(crate) fn shown(folder: &Path) -> String {
    let data = std::env::var_os("RDDM_DATA").map(PathBuf::from);
    match data.and_then(|data| Some(folder.strip_prefix(data).ok()?.to_owned())) {
        Some(below) => format!("$RDDM_DATA/{}", word(&below)),
        None => word(folder),
    }
}

/// A path as a shell takes it.
pub(crate) fn word(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// Four places behind the point: more than the measures are worth.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

pub(crate) fn rounded(value: f64) -> Value {
    Value::from(round(value))
}

/// A file that can't be read, or is not what it should be.
pub(crate) fn unread(path: &Path, error: &dyn Display) -> Failure {
    Failure { code: 3, text: format!("{}: {error}", path.display()) }
}

/// A file that can't be written.
pub(crate) fn unwritten(path: &Path, error: &dyn Display) -> Failure {
    Failure { code: 7, text: format!("{}: {error}", path.display()) }
}
