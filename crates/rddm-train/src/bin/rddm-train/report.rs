//! `eval.json`, which the commands that measure add their figures to.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

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

impl Report {
    /// What the file holds; nothing where there is no file.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| path.exists()) else { return Ok(Self::default()) };
        let text = fs::read(path).map_err(|error| files(path, &error))?;
        serde_json::from_slice(&text).map_err(|error| files(path, &error))
    }

    /// Leaves out what was measured on other networks than these, and says so.
    pub(crate) fn begin(&mut self, networks: Vec<Digest>) {
        if self.networks != networks && !self.rows.is_empty() {
            print::note(
                "--output: the figures that it had are of another network, or do not say of which; they are left out",
            );
            *self = Self::default();
        }
        self.networks = networks;
    }

    /// Writes the file, where one was asked for.
    pub(crate) fn write(&self, path: Option<&Path>) -> Result<(), Failure> {
        let Some(path) = path else { return Ok(()) };
        let text = self.to_json().map_err(|error| files(path, &error))?;
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
        Some(below) => format!("$RDDM_DATA/{}", below.display()),
        None => folder.display().to_string(),
    }
}

/// Four places behind the point: more than the measures are worth.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

pub(crate) fn rounded(value: f64) -> Value {
    Value::from(round(value))
}

/// A file that cannot be read or written.
pub(crate) fn files(path: &Path, error: &dyn Display) -> Failure {
    Failure { code: 7, text: format!("{}: {error}", path.display()) }
}
