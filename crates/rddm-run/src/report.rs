//! The JSON reports. `crates/rddm-run/README.md` documents them for those who read them.

use std::path::PathBuf;

use serde::Serialize;

use crate::failure::Failure;
use crate::inputs::Job;

/// What `--json` prints when nothing was done.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) schema: u32,
    pub(crate) error: Trouble,
}

/// A failure, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Trouble {
    /// The exit code that it has alone.
    pub(crate) code: u8,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code, what: failure.what.clone(), next: failure.next.clone() }
    }
}

/// A run over pictures.
#[derive(Debug, Serialize)]
pub(crate) struct Restored {
    pub(crate) schema: u32,
    pub(crate) model: Model,
    pub(crate) engine: Engine,
    pub(crate) sampler: Sampler,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) written: usize,
    pub(crate) skipped: usize,
    pub(crate) failed: usize,
    pub(crate) interrupted: bool,
    pub(crate) seconds: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Model {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) manifest_sha256: String,
    pub(crate) networks: Vec<Network>,
    pub(crate) origin: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Network {
    pub(crate) role: String,
    pub(crate) precision: String,
    pub(crate) path: PathBuf,
}

#[derive(Debug, Serialize)]
pub(crate) struct Engine {
    pub(crate) name: String,
    pub(crate) device: String,
    pub(crate) threads: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Sampler {
    pub(crate) steps: usize,
    pub(crate) seed: u64,
    pub(crate) eta: f32,
    pub(crate) strength: f32,
    pub(crate) objective: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<Seconds>,
    /// What the output's format could not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) losses: Vec<String>,
    /// Further files that were written: comparison, steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) also: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Trouble>,
}

impl Picture {
    /// A picture that has failed so far.
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            input: job.input.clone(),
            output: job.output.clone(),
            status: Status::Failed,
            size: None,
            memory: None,
            seconds: None,
            losses: Vec::new(),
            also: Vec::new(),
            error: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Written,
    Skipped,
    Failed,
    /// With `--dry-run`: what would be written.
    Planned,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The restorer's own estimate.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Memory {
    pub(crate) bytes: u64,
    pub(crate) tile: usize,
    pub(crate) tiles: usize,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Seconds {
    pub(crate) read: f64,
    pub(crate) restore: f64,
    pub(crate) write: f64,
}
