//! The JSON reports. `crates/rddm-run/README.md` documents them for those who read them.

use std::fmt;
use std::path::{Path, PathBuf};

use rddm_core::ScheduleSpec;
use rddm_runtime::Restorer;
use rddm_zoo::ResolvedModel;
use serde::{Serialize, Serializer};

use crate::args::Sampling;
use crate::failure::Failure;
use crate::inputs::Job;
use crate::model;

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
    /// Of all threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processor_seconds: Option<f64>,
    /// The most memory that the process had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Model {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) manifest_sha256: String,
    pub(crate) networks: Vec<Network>,
    pub(crate) origin: String,
}

impl Model {
    pub(crate) fn of(model: &ResolvedModel) -> Self {
        let networks = model.networks.iter().map(|network| Network {
            role: network.role.to_string(),
            precision: network.precision.to_string(),
            path: network.path.clone(),
        });
        Self {
            id: model.manifest.id.to_string(),
            version: model.manifest.version.to_string(),
            manifest_sha256: model.sha256.hex(),
            networks: networks.collect(),
            origin: model::origin(model),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Network {
    pub(crate) role: String,
    pub(crate) precision: String,
    #[serde(serialize_with = "lossy")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Serialize)]
pub(crate) struct Engine {
    pub(crate) name: String,
    pub(crate) device: String,
    pub(crate) threads: usize,
}

impl Engine {
    pub(crate) fn of(restorer: &Restorer) -> Self {
        Self {
            name: restorer.engine().to_owned(),
            device: restorer.device().to_owned(),
            threads: restorer.threads(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Sampler {
    pub(crate) steps: usize,
    pub(crate) seed: u64,
    pub(crate) eta: f32,
    pub(crate) strength: f32,
    pub(crate) ensemble: bool,
    pub(crate) mirror: bool,
    pub(crate) confirm: bool,
    pub(crate) objective: String,
    pub(crate) method: String,
    pub(crate) schedule: Schedule,
}

/// The two schedules as `--alpha`, `--beta2` and `--sum-scale` take them.
#[derive(Debug, Serialize)]
pub(crate) struct Schedule {
    alpha: String,
    beta2: String,
    sum_scale: f64,
}

impl From<&ScheduleSpec> for Schedule {
    fn from(spec: &ScheduleSpec) -> Self {
        let text = |of: rddm_core::Coefficients| format!("{}:{}", of.shape, of.ratio);
        Self { alpha: text(spec.alpha), beta2: text(spec.beta2), sum_scale: spec.sum_scale }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { alpha, beta2, sum_scale } = self;
        write!(f, "alpha {alpha}, beta2 {beta2}, sum scale {sum_scale}")
    }
}

impl Sampler {
    pub(crate) fn of(restorer: &Restorer, sampling: &Sampling) -> Self {
        let spec = restorer.sampler();
        Self {
            steps: spec.steps,
            seed: restorer.seed(),
            eta: spec.eta,
            strength: sampling.strength,
            ensemble: sampling.ensemble,
            mirror: restorer.mirror(),
            confirm: restorer.confirm(),
            objective: spec.objective.to_string(),
            method: spec.method.to_string(),
            schedule: Schedule::from(&spec.schedule),
        }
    }
}

/// Pictures that were drawn.
#[derive(Debug, Serialize)]
pub(crate) struct Generated {
    pub(crate) schema: u32,
    pub(crate) model: Model,
    pub(crate) engine: Engine,
    pub(crate) sampler: Sampler,
    #[serde(serialize_with = "lossy")]
    pub(crate) output: PathBuf,
    pub(crate) status: Status,
    pub(crate) count: usize,
    pub(crate) size: Size,
    pub(crate) seconds: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    #[serde(serialize_with = "lossy")]
    pub(crate) input: PathBuf,
    #[serde(serialize_with = "lossy")]
    pub(crate) output: PathBuf,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<Seconds>,
    /// What the output's format could not hold, and what else than a picture to restore the input held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) losses: Vec<String>,
    /// Further files that were written: comparison, steps.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "all_lossy")]
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

/// The estimate for the whole process.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Memory {
    pub(crate) bytes: u64,
    pub(crate) tile: usize,
    pub(crate) tiles: usize,
    /// Whether the picture goes through row by row, never in memory as a whole.
    pub(crate) rows: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Seconds {
    pub(crate) read: f64,
    pub(crate) restore: f64,
    pub(crate) write: f64,
    /// The part of `restore` that the networks ran, of all threads together.
    pub(crate) networks: f64,
}

/// A path of a name that is not UTF-8, as nearly as JSON can have it.
pub(crate) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

pub(crate) fn all_lossy<S: Serializer>(
    paths: &[PathBuf],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}
