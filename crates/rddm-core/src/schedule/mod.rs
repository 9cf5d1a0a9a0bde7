//! Tables over the time steps.

mod coefficients;
mod ddim;
mod matching;
mod tables;

pub use coefficients::{Coefficients, Shape, coefficients};
pub use ddim::{DdimBetas, DdimSpec, FirstStep, ddim_to_rddm};
pub use matching::MatchedTimes;
pub use tables::Schedule;

use alloc::format;
use alloc::vec::Vec;

use crate::{Error, ErrorKind};

/// What a [`Schedule`] is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScheduleSpec {
    /// The number of time steps `T`, 2 to 2²⁴.
    pub timesteps: usize,
    /// The shape of `α_t`, which sums to 1.
    pub alpha: Coefficients,
    /// The shape of `β²_t`, which sums to `sum_scale`.
    pub beta2: Coefficients,
    /// The variance of the noise at the last time, `β̄²_{T-1}`: 10⁻³⁰, below which 32 bits have nothing left of the
    /// first times' noise, to 1. 0.01 for restoration, 1 for generation.
    pub sum_scale: f64,
}

impl Default for ScheduleSpec {
    /// The paper's restoration: 1000 steps, decreasing `α`, increasing `β²`, 0.01.
    fn default() -> Self {
        Self {
            timesteps: 1000,
            alpha: Coefficients::of(Shape::Decreased),
            beta2: Coefficients::of(Shape::Increased),
            sum_scale: 0.01,
        }
    }
}

impl Schedule {
    /// The schedule of a specification.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchedule`] for a value out of its range.
    pub fn new(spec: &ScheduleSpec) -> Result<Self, Error> {
        check_sum_scale(spec.sum_scale)?;
        let alpha = coefficients(spec.alpha, spec.timesteps)?;
        let mut beta2 = coefficients(spec.beta2, spec.timesteps)?;
        beta2.iter_mut().for_each(|value| *value *= spec.sum_scale);
        Ok(Self::from_tables(&alpha, &beta2, &sums(&alpha), &sums(&beta2)))
    }

    /// The schedule of any two rising sums `ᾱ_t` and `β̄²_t` in [0, 1], whose differences become `α_t` and `β²_t`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchedule`] for lengths that differ or are out of range, and for sums that fall, leave [0, 1]
    /// or start without noise (`β̄²_0 = 0`).
    pub fn from_sums(
        alpha_bar: &[f64],
        beta2_bar: &[f64],
        first_step: FirstStep,
    ) -> Result<Self, Error> {
        coefficients::check_timesteps(alpha_bar.len())?;
        if alpha_bar.len() != beta2_bar.len() {
            return Err(Error::new(
                ErrorKind::InvalidSchedule,
                format!(
                    "{} sums of α don't go with {} sums of β²",
                    alpha_bar.len(),
                    beta2_bar.len()
                ),
            ));
        }
        check_sums("α", alpha_bar)?;
        check_sums("β²", beta2_bar)?;
        let (alpha, beta2) =
            (differences(alpha_bar, first_step), differences(beta2_bar, first_step));
        Ok(Self::from_tables(&alpha, &beta2, alpha_bar, beta2_bar))
    }
}

pub(crate) fn check_sum_scale(sum_scale: f64) -> Result<(), Error> {
    if (1e-30..=1.0).contains(&sum_scale) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidSchedule,
        format!("sum_scale is {sum_scale}; it must lie in 1e-30 to 1"),
    ))
}

fn sums(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    values
        .iter()
        .map(|value| {
            sum += value;
            f64::clamp(sum, 0.0, 1.0)
        })
        .collect()
}

fn differences(sums: &[f64], first_step: FirstStep) -> Vec<f64> {
    let first = match first_step {
        FirstStep::Zero => 0.0,
        FirstStep::RepeatSecond => sums[1] - sums[0],
    };
    core::iter::once(first).chain(sums.windows(2).map(|pair| pair[1] - pair[0])).collect()
}

fn check_sums(name: &str, sums: &[f64]) -> Result<(), Error> {
    let inside = sums.iter().all(|sum| (0.0..=1.0).contains(sum));
    let rising = sums.windows(2).all(|pair| pair[0] <= pair[1]);
    let noisy = name != "β²" || sums[0] > 0.0;
    if inside && rising && noisy {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidSchedule,
        format!("the sums of {name} must rise inside [0, 1], those of β² from above 0"),
    ))
}
