use alloc::format;

use super::plan::{Motion, Step};
use super::{Details, Sampler, same_length};
use crate::{Error, ErrorKind, Prediction};

impl Sampler {
    /// Takes step number `index`, in place: `x_t` becomes `I_s`.
    ///
    /// `first` and `second` are the networks' outputs for `x_t`; `z` is standard normal noise, needed where
    /// [`Step::needs_noise`] says so and else not read. An unconditional sampler does not read `input`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSampler`] for a step that does not exist; [`ErrorKind::ShapeMismatch`] when lengths differ,
    /// or when a second output or the noise is missing.
    pub fn step(
        &self,
        index: usize,
        x_t: &mut [f32],
        input: &[f32],
        first: &[f32],
        second: Option<&[f32]>,
        z: Option<&[f32]>,
    ) -> Result<(), Error> {
        self.walk(index, x_t, Slices { input, first, second, z }, |_, _| {})
    }

    /// [`Sampler::step`] that also gives what the step used.
    ///
    /// # Errors
    /// As [`Sampler::step`].
    #[expect(clippy::too_many_arguments, reason = "the arguments of `step` and one more")]
    pub fn step_with_details(
        &self,
        index: usize,
        x_t: &mut [f32],
        input: &[f32],
        first: &[f32],
        second: Option<&[f32]>,
        z: Option<&[f32]>,
        details: Details<'_>,
    ) -> Result<(), Error> {
        let Details { residual, noise, x_start } = details;
        same_length("residual", residual.len(), x_t.len())?;
        same_length("predicted noise", noise.len(), x_t.len())?;
        same_length("clean picture", x_start.len(), x_t.len())?;
        self.walk(index, x_t, Slices { input, first, second, z }, |position, prediction| {
            residual[position] = prediction.residual;
            noise[position] = prediction.noise;
            x_start[position] = prediction.x_start;
        })
    }

    fn walk(
        &self,
        index: usize,
        x_t: &mut [f32],
        slices: Slices<'_>,
        mut tell: impl FnMut(usize, Prediction),
    ) -> Result<(), Error> {
        let Some(step) = self.steps.get(index) else {
            return Err(Error::new(
                ErrorKind::InvalidSampler,
                format!("there is no step {index}; the sampler has {}", self.steps.len()),
            ));
        };
        slices.check(self, step, x_t.len())?;
        let Slices { input, first, second, z } = slices;
        for (position, x) in x_t.iter_mut().enumerate() {
            let input = if self.conditional { input[position] } else { 0.0 };
            let second = second.map_or(0.0, |second| second[position]);
            let prediction = self.objective.predict(step.sums, *x, input, first[position], second);
            let z = if step.needs_noise { z.map_or(0.0, |z| z[position]) } else { 0.0 };
            *x = step.motion.apply(*x, prediction, z);
            tell(position, prediction);
        }
        Ok(())
    }
}

impl Motion {
    #[inline]
    fn apply(self, x_t: f32, prediction: Prediction, z: f32) -> f32 {
        match self {
            Self::Finish => prediction.x_start,
            Self::Along { residual, noise, sigma } => {
                x_t - residual * prediction.residual - noise * prediction.noise + sigma * z
            }
            Self::Posterior { picture, residual, start, sigma } => {
                picture * x_t
                    + residual * prediction.residual
                    + start * prediction.x_start
                    + sigma * z
            }
        }
    }
}

/// What a step reads.
#[derive(Clone, Copy)]
struct Slices<'a> {
    input: &'a [f32],
    first: &'a [f32],
    second: Option<&'a [f32]>,
    z: Option<&'a [f32]>,
}

impl Slices<'_> {
    fn check(&self, sampler: &Sampler, step: &Step, length: usize) -> Result<(), Error> {
        if sampler.conditional {
            same_length("input", self.input.len(), length)?;
        }
        same_length("networks' first output", self.first.len(), length)?;
        match self.second {
            Some(second) => same_length("networks' second output", second.len(), length)?,
            None if sampler.objective.outputs() == 2 => {
                return Err(Error::new(
                    ErrorKind::ShapeMismatch,
                    format!(
                        "{} needs two outputs of networks and one was given; sample with an objective of one output",
                        sampler.objective
                    ),
                ));
            }
            None => {}
        }
        match self.z {
            Some(z) if step.needs_noise => same_length("drawn noise", z.len(), length),
            None if step.needs_noise => Err(Error::new(
                ErrorKind::ShapeMismatch,
                format!("the step from time {} draws noise and none was given", step.t),
            )),
            _ => Ok(()),
        }
    }
}
