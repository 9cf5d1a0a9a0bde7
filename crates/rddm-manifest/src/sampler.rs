use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Role};

/// How the networks are run: schedules, objective, steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampler {
    /// Number of time steps of the schedules, 2 to 100 000.
    pub timesteps: u32,
    /// Shape of the α_t, which sum to 1.
    pub alpha: Coefficients,
    /// Shape of the β²_t, which sum to `sum_scale`.
    pub beta2: Coefficients,
    /// The sum of the β²_t, 10⁻³⁰ to 1: 0.01 for restoration, 1 for generation.
    pub sum_scale: f64,
    /// What the networks predict.
    pub objective: Objective,
    /// The default number of sampling steps, 1 to `timesteps`, as it was measured.
    pub steps: u32,
    /// The share of fresh noise in a step, 0 to 1.
    pub eta: f32,
    /// What the networks get as time.
    pub time_encoding: TimeEncoding,
    /// Whether the networks see the degraded picture beside the current one.
    pub conditional: bool,
    /// The sampling method.
    pub method: Method,
    /// The predicted residual is cut to ± this, above 0 and at most 2: 1 unless given, as in the paper's code; 2 where values
    /// may change by more than half of the range.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub residual_limit: f32,
    /// Whether the networks are asked about each picture's mirror image too, left and right exchanged, and the mean of both
    /// answers counts: better, and twice the time. Not unless given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirror: bool,
    /// Which mean of the picture's and the mirror image's answer it is.
    #[serde(default, skip_serializing_if = "MirrorMean::is_arithmetic")]
    pub mirror_mean: MirrorMean,
    /// Whether the networks are also asked about the picture at half of its size, mirrored, and a residual counts where that
    /// look, from twice as far, has it too: a quarter more time, and less of what is none. For objective `pred_res`. Not
    /// unless given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
}

fn one() -> f32 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(limit: &f32) -> bool {
    *limit == 1.0
}

/// The shape of a sequence of coefficients over time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficients {
    /// The family.
    pub shape: Shape,
    /// The exponent, above 0 and at most 64.
    pub ratio: f64,
}

macro_rules! names {
    ($type:ident: $($variant:ident = $name:literal),+) => {
        impl $type {
            /// The name in a manifest.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

/// The family of a sequence of coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// Rising with time.
    Increased,
    /// Falling with time.
    Decreased,
    /// Equal at all times.
    Average,
    /// A bell over time.
    Normal,
    /// Rising with time, from nothing at its first step.
    IncreasedFromZero,
    /// Falling with time, to nothing at its last step.
    DecreasedToZero,
}
names!(Shape: Increased = "increased", Decreased = "decreased", Average = "average", Normal = "normal",
    IncreasedFromZero = "increased_from_zero", DecreasedToZero = "decreased_to_zero");

/// Which mean of two answers counts, that about the picture and that about its mirror image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MirrorMean {
    /// (a + b) / 2: what differs between the two is halved, as noise is.
    #[default]
    Arithmetic,
    /// 2ab / (a + b) where both have the same sign, and 0 elsewhere: at most twice the smaller one, so that what only one of two looks
    /// sees changes nothing. For objective `pred_res`, where 0 leaves the picture as it is.
    Harmonic,
}
names!(MirrorMean: Arithmetic = "arithmetic", Harmonic = "harmonic");

impl MirrorMean {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_arithmetic(&self) -> bool {
        *self == Self::Arithmetic
    }
}

/// What the networks predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Objective {
    /// Residual and noise (SM-Res-N).
    PredResNoise,
    /// The residual; the noise follows from the forward formula (SM-Res).
    PredRes,
    /// The noise; the residual follows from the forward formula (SM-N).
    PredNoise,
    /// Clean picture and noise.
    PredX0Noise,
    /// Residual, and the sum of residual and noise.
    PredResAddNoise,
    /// Clean picture, and the sum of clean picture and noise.
    PredX0AddNoise,
}
names!(Objective: PredResNoise = "pred_res_noise", PredRes = "pred_res", PredNoise = "pred_noise",
    PredX0Noise = "pred_x0_noise", PredResAddNoise = "pred_res_add_noise", PredX0AddNoise = "pred_x0_add_noise");

impl Objective {
    /// The outputs that the networks have together, in order. The names stay `residual` and
    /// `noise` for every objective: they mean the first and the second output.
    pub fn predicts(self) -> &'static [Role] {
        match self {
            Self::PredRes => &[Role::Residual],
            Self::PredNoise => &[Role::Noise],
            _ => &[Role::Residual, Role::Noise],
        }
    }
}

/// What the networks get as time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeEncoding {
    /// The step's number t.
    Index,
    /// Two times, ᾱ_t·T for the residual and β̄_t·T for the noise.
    AlphaBarBetaBar,
}
names!(TimeEncoding: Index = "index", AlphaBarBetaBar = "alpha_bar_beta_bar");

/// The sampling method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// Deterministic for eta 0.
    Ddim,
    /// Ancestral sampling over all time steps.
    Ancestral,
    /// Partially path-independent generation.
    PathIndependent,
}
names!(Method: Ddim = "ddim", Ancestral = "ancestral", PathIndependent = "path_independent");

impl Sampler {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let ratio = |key: &str, value: f64| {
            // Also refuses what is not a number.
            if value > 0.0 && value <= 64.0 {
                Ok(())
            } else {
                Err(Error::value(key, "the number is above 0 and at most 64"))
            }
        };
        if !(2..=100_000).contains(&self.timesteps) {
            return Err(Error::value("sampler.timesteps", "there are 2 to 100000 time steps"));
        }
        if !(1..=self.timesteps).contains(&self.steps) {
            return Err(Error::value(
                "sampler.steps",
                format!("there are 1 to {} steps (timesteps)", self.timesteps),
            ));
        }
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(Error::value("sampler.eta", "eta is between 0 and 1"));
        }
        if !(self.residual_limit > 0.0 && self.residual_limit <= 2.0) {
            return Err(Error::value(
                "sampler.residual_limit",
                "the limit is above 0 and at most 2",
            ));
        }
        if self.mirror_mean == MirrorMean::Harmonic && self.objective != Objective::PredRes {
            return Err(Error::inconsistent(
                "sampler.mirror_mean",
                "the harmonic mean is for residuals alone, objective pred_res",
            ));
        }
        if self.confirm && self.objective != Objective::PredRes {
            return Err(Error::inconsistent(
                "sampler.confirm",
                "a second look confirms residuals alone, objective pred_res",
            ));
        }
        if self.method == Method::Ancestral && self.steps != self.timesteps {
            return Err(Error::inconsistent(
                "sampler.steps",
                "ancestral sampling visits all time steps: steps = timesteps",
            ));
        }
        if self.method == Method::PathIndependent && self.objective.predicts().len() == 1 {
            return Err(Error::inconsistent(
                "sampler.method",
                "path-independent sampling needs an objective of two outputs",
            ));
        }
        // The bounds of `rddm-core`.
        ratio("sampler.alpha.ratio", self.alpha.ratio)?;
        ratio("sampler.beta2.ratio", self.beta2.ratio)?;
        if !(1e-30..=1.0).contains(&self.sum_scale) {
            return Err(Error::value("sampler.sum_scale", "the sum is between 1e-30 and 1"));
        }
        Ok(())
    }
}
