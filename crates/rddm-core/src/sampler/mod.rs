//! From `I_T` back to `I_0`.

mod plan;
mod walk;

pub use plan::{Method, Phase, Step, TimeEncoding};

use alloc::format;
use alloc::vec::Vec;

use crate::schedule::check_sum_scale;
use crate::{Error, ErrorKind, MatchedTimes, Objective, Schedule, ScheduleSpec};

/// How to sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerSpec {
    /// The schedule to walk; of it, `sum_scale` is also the variance of the noise that the start gets.
    pub schedule: ScheduleSpec,
    /// What the networks predict.
    pub objective: Objective,
    /// The number of steps, 1 to `schedule.timesteps`. Ancestral sampling visits every time step; path-independent
    /// sampling walks the steps twice.
    pub steps: usize,
    /// `η` in [0, 1]: 0 draws no noise but the start's, 1 draws as much as ancestral sampling does.
    pub eta: f32,
    /// How the networks are told the time.
    pub time_encoding: TimeEncoding,
    /// Whether there is an input picture; without one it counts as 0 and the start is noise alone.
    pub conditional: bool,
    /// The way back.
    pub method: Method,
    /// `Î_res` is cut to ± this, above 0 and at most 2: 1 as in the paper's code, 2 for degradations that change a value by
    /// more than half of the range, which pictures in [-1, 1] allow.
    pub residual_limit: f32,
}

impl Default for SamplerSpec {
    /// The paper's restoration: residual and noise, five deterministic steps.
    fn default() -> Self {
        Self {
            schedule: ScheduleSpec::default(),
            objective: Objective::PredResNoise,
            steps: 5,
            eta: 0.0,
            time_encoding: TimeEncoding::Index,
            conditional: true,
            method: Method::Ddim,
            residual_limit: 1.0,
        }
    }
}

/// The steps of one way back, and the arithmetic of each.
///
/// All arithmetic is element-wise: any part of a picture, in any layout, can be given as long as all slices of a call
/// are of the same part. Pictures are in [-1, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct Sampler {
    objective: Objective,
    conditional: bool,
    start_scale: f32,
    residual_limit: f32,
    steps: Vec<Step>,
}

/// Where a step puts what it used, each as long as the picture: `Î_res`, `ε̂` and `Î_0`, after cutting.
#[derive(Debug)]
pub struct Details<'a> {
    /// `Î_res`.
    pub residual: &'a mut [f32],
    /// `ε̂`.
    pub noise: &'a mut [f32],
    /// `Î_0`.
    pub x_start: &'a mut [f32],
}

impl Sampler {
    /// Plans the steps of a specification.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchedule`] and [`ErrorKind::InvalidSampler`] for values out of range.
    pub fn new(spec: SamplerSpec) -> Result<Self, Error> {
        let schedule = Schedule::new(&spec.schedule)?;
        Self::with_schedule(spec, &schedule)
    }

    /// Plans the steps along a schedule that no [`ScheduleSpec`] describes, as one from DDIM. Of `spec.schedule` only
    /// `sum_scale` is read, for the start's noise.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSampler`] for values out of range.
    pub fn with_schedule(spec: SamplerSpec, schedule: &Schedule) -> Result<Self, Error> {
        Self::planned(spec, schedule, None)
    }

    /// Plans the steps along `walked` for networks that were trained with another schedule: re-adjustment. The
    /// networks get the times of `trained` that [`MatchedTimes`] finds, or, where they are told the sums themselves
    /// ([`TimeEncoding::AlphaBarBetaBar`]), the walked sums times the trained `T`. A network of both outputs is told but
    /// one time: the residual's.
    ///
    /// # Errors
    /// As [`Sampler::with_schedule`] and [`MatchedTimes::new`].
    pub fn readjusted(
        spec: SamplerSpec,
        walked: &Schedule,
        trained: &Schedule,
    ) -> Result<Self, Error> {
        let times = MatchedTimes::new(trained, walked)?;
        Self::planned(spec, walked, Some(&times))
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What the networks predict.
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// Whether there is an input picture.
    pub fn conditional(&self) -> bool {
        self.conditional
    }

    /// Whether a picture of 16 bits can hold the noise of the start: whether the largest value of a
    /// [`NoiseField`](crate::NoiseField) moves the start by half a step of 2/65535 or more. Where it
    /// can't, zeros serve [`Sampler::start`] as well, but for [`Objective::PredNoise`], whose first step
    /// divides by as little.
    pub fn start_needs_noise(&self) -> bool {
        !self.conditional
            || self.objective == Objective::PredNoise
            || self.start_scale * crate::NoiseField::LARGEST >= 1.0 / 65535.0
    }

    /// The start `I_T`: `I_in + √(sum_scale) ε`, or `ε` without an input, which may then be empty.
    ///
    /// # Errors
    /// [`ErrorKind::ShapeMismatch`] when lengths differ.
    pub fn start(&self, input: &[f32], noise: &[f32], out: &mut [f32]) -> Result<(), Error> {
        same_length("noise", noise.len(), out.len())?;
        if !self.conditional {
            out.copy_from_slice(noise);
            return Ok(());
        }
        same_length("input", input.len(), out.len())?;
        for ((out, input), noise) in out.iter_mut().zip(input).zip(noise) {
            *out = input + self.start_scale * noise;
        }
        Ok(())
    }

    fn planned(
        spec: SamplerSpec,
        schedule: &Schedule,
        times: Option<&MatchedTimes>,
    ) -> Result<Self, Error> {
        check_sum_scale(spec.schedule.sum_scale)?;
        if !(0.0..=1.0).contains(&spec.eta) {
            return Err(Error::new(
                ErrorKind::InvalidSampler,
                format!("eta is {}; it must lie in 0 to 1", spec.eta),
            ));
        }
        if !(spec.residual_limit > 0.0 && spec.residual_limit <= 2.0) {
            return Err(Error::new(
                ErrorKind::InvalidSampler,
                format!(
                    "residual_limit is {}; it must lie above 0 and be at most 2",
                    spec.residual_limit
                ),
            ));
        }
        Ok(Self {
            residual_limit: spec.residual_limit,
            objective: spec.objective,
            conditional: spec.conditional,
            start_scale: libm::sqrt(spec.schedule.sum_scale) as f32,
            steps: plan::steps(&spec, schedule, times)?,
        })
    }
}

fn same_length(name: &str, got: usize, expected: usize) -> Result<(), Error> {
    if got == expected {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ShapeMismatch,
        format!(
            "the {name} has {got} values and the picture {expected}; give the same part of both"
        ),
    ))
}
