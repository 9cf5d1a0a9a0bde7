use alloc::format;
use alloc::vec::Vec;

use super::SamplerSpec;
use crate::error::names;
use crate::{Error, ErrorKind, MatchedTimes, Schedule, Sums, sampling_times};

/// The ways back from `I_T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Deterministic for `η = 0`, in any number of steps, as DDIM:
    /// `I_s = I_t - (ᾱ_t - ᾱ_s) Î_res - (β̄_t - √(β̄²_s - σ²)) ε̂ + σ z` with `σ² = η (β̄²_t - β̄²_s) β̄²_s / β̄²_t`.
    Ddim,
    /// A draw from the posterior at every time step.
    Ancestral,
    /// First all steps along the residual, then all steps along the noise.
    PathIndependent,
}

names!(Method, "sampling method",
    Ddim => "ddim",
    Ancestral => "ancestral",
    PathIndependent => "path_independent",
);

/// How networks are told the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeEncoding {
    /// The number `t` of the time step, to both outputs.
    Index,
    /// `ᾱ_t·T` to the residual's output and `β̄_t·T` to the noise's.
    AlphaBarBetaBar,
}

names!(TimeEncoding, "time encoding",
    Index => "index",
    AlphaBarBetaBar => "alpha_bar_beta_bar",
);

impl TimeEncoding {
    /// What networks are told of time step `t` of `schedule`, which is below its number of time steps.
    pub fn times(self, schedule: &Schedule, t: usize) -> [f32; 2] {
        match self {
            Self::Index => [t as f32; 2],
            Self::AlphaBarBetaBar => scaled_sums(schedule, t, schedule.timesteps()),
        }
    }
}

/// The sums of time step `t`, as networks of a schedule of `timesteps` know them.
fn scaled_sums(schedule: &Schedule, t: usize, timesteps: usize) -> [f32; 2] {
    let timesteps = timesteps as f32;
    [schedule.alpha_bar()[t] * timesteps, schedule.beta_bar()[t] * timesteps]
}

/// What a step moves along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Residual and noise.
    Joint,
    /// The residual alone (first walk of [`Method::PathIndependent`]).
    Residual,
    /// The noise alone (second walk).
    Noise,
}

/// One step from time `t` to time `s`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The time of the picture that the networks get.
    pub t: usize,
    /// The time of the picture that the step gives; none where it gives the clean picture `Î_0`.
    pub s: Option<usize>,
    /// What the networks get as time: the residual's (or the clean picture's) first, then the noise's. A network of
    /// both outputs with one time gets the first, a network of the noise alone the second.
    pub times: [f32; 2],
    /// Whether the step draws noise.
    pub needs_noise: bool,
    /// The number of the step's draw, for [`crate::NoiseField::fill`]; 0 is the start's.
    pub draw: u32,
    /// What the step moves along.
    pub phase: Phase,
    /// The schedule's sums at `t`.
    pub sums: Sums,
    pub(super) motion: Motion,
}

/// The factors of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Motion {
    /// To `Î_0`.
    Finish,
    /// `I_t - residual·Î_res - noise·ε̂ + sigma·z`.
    Along { residual: f32, noise: f32, sigma: f32 },
    /// `picture·I_t + residual·Î_res + start·Î_0 + sigma·z`.
    Posterior { picture: f32, residual: f32, start: f32, sigma: f32 },
}

pub(super) fn steps(
    spec: &SamplerSpec,
    schedule: &Schedule,
    matched: Option<&MatchedTimes>,
) -> Result<Vec<Step>, Error> {
    let times = sampling_times(schedule.timesteps(), spec.steps)?;
    let phases: &[Phase] = match spec.method {
        Method::PathIndependent if spec.objective.outputs() == 1 => {
            return Err(Error::new(
                ErrorKind::InvalidSampler,
                format!(
                    "path-independent sampling needs networks of residual and noise, and {} has one output; \
                     sample with ddim",
                    spec.objective
                ),
            ));
        }
        Method::Ancestral if spec.steps != schedule.timesteps() => {
            return Err(Error::new(
                ErrorKind::InvalidSampler,
                format!(
                    "ancestral sampling visits all {} time steps and {} were asked for; ask for all, or for ddim",
                    schedule.timesteps(),
                    spec.steps
                ),
            ));
        }
        Method::Ddim | Method::Ancestral => &[Phase::Joint],
        Method::PathIndependent => &[Phase::Residual, Phase::Noise],
    };
    let plan = Plan { spec, schedule, matched };
    let mut steps = Vec::with_capacity(times.len() * phases.len());
    for &phase in phases {
        for (index, &t) in times.iter().enumerate() {
            let s = times.get(index + 1).copied();
            let draw = steps.len() as u32 + 1;
            steps.push(plan.step(t, s, phase, draw));
        }
    }
    Ok(steps)
}

struct Plan<'a> {
    spec: &'a SamplerSpec,
    schedule: &'a Schedule,
    matched: Option<&'a MatchedTimes>,
}

impl Plan<'_> {
    fn step(&self, t: usize, s: Option<usize>, phase: Phase, draw: u32) -> Step {
        let motion = match s {
            None => Motion::Finish,
            Some(_) if self.spec.method == Method::Ancestral => self.posterior(t),
            Some(s) => self.along(t, s, phase),
        };
        let needs_noise = match motion {
            Motion::Finish => false,
            Motion::Along { sigma, .. } => sigma > 0.0,
            // Drawn at every time step, whatever its variance.
            Motion::Posterior { .. } => true,
        };
        let sums = Sums {
            alpha_bar: self.schedule.alpha_bar()[t],
            beta_bar: self.schedule.beta_bar()[t],
            one_minus_alpha_bar: self.schedule.one_minus_alpha_bar()[t],
        };
        Step { t, s, times: self.times(t), needs_noise, draw, phase, sums, motion }
    }

    fn times(&self, t: usize) -> [f32; 2] {
        match (self.spec.time_encoding, self.matched) {
            (encoding, None) => encoding.times(self.schedule, t),
            (TimeEncoding::Index, Some(matched)) => [matched.residual()[t], matched.noise()[t]],
            (TimeEncoding::AlphaBarBetaBar, Some(matched)) => {
                scaled_sums(self.schedule, t, matched.trained_timesteps())
            }
        }
    }

    fn along(&self, t: usize, s: usize, phase: Phase) -> Motion {
        let alpha_bar = &self.schedule.exact_alpha_bar;
        let beta2_bar = &self.schedule.exact_beta2_bar;
        let eta = if phase == Phase::Residual { 0.0 } else { f64::from(self.spec.eta) };
        let variance = match beta2_bar[t] > 0.0 {
            true => eta * (beta2_bar[t] - beta2_bar[s]) * beta2_bar[s] / beta2_bar[t],
            false => 0.0,
        };
        let residual = alpha_bar[t] - alpha_bar[s];
        // Where nearly all of it is drawn anew, rounding may leave less than nothing.
        let kept = (beta2_bar[s] - variance).max(0.0);
        let noise = libm::sqrt(beta2_bar[t]) - libm::sqrt(kept);
        Motion::Along {
            residual: if phase == Phase::Noise { 0.0 } else { residual as f32 },
            noise: if phase == Phase::Residual { 0.0 } else { noise as f32 },
            sigma: libm::sqrt(variance) as f32,
        }
    }

    fn posterior(&self, t: usize) -> Motion {
        let log_variance = f64::from(self.schedule.posterior_log_variance()[t]);
        Motion::Posterior {
            picture: self.schedule.posterior_mean_picture()[t],
            residual: self.schedule.posterior_mean_residual()[t],
            start: self.schedule.posterior_mean_start()[t],
            sigma: libm::exp(0.5 * log_variance) as f32,
        }
    }
}
