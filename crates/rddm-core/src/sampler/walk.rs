use alloc::format;

use super::plan::{Motion, Step};
use super::{Details, Sampler, same_length};
use crate::{Error, ErrorKind, Objective, Prediction};
use Objective::{PredNoise, PredRes, PredResAddNoise, PredResNoise, PredX0AddNoise, PredX0Noise};

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
        tell: impl FnMut(usize, Prediction),
    ) -> Result<(), Error> {
        let Some(step) = self.steps.get(index) else {
            return Err(Error::new(
                ErrorKind::InvalidSampler,
                format!("there is no step {index}; the sampler has {}", self.steps.len()),
            ));
        };
        slices.check(self, step, x_t.len())?;
        let slices = Slices {
            input: if self.conditional { slices.input } else { &[] },
            z: slices.z.filter(|_| step.needs_noise),
            ..slices
        };
        let limit = self.residual_limit;
        // Each arm has loops of its own, which have nothing left to decide.
        match self.objective {
            PredResNoise => slices.walk(PredResNoise, step, limit, x_t, tell),
            PredRes => slices.walk(PredRes, step, limit, x_t, tell),
            PredNoise => slices.walk(PredNoise, step, limit, x_t, tell),
            PredX0Noise => slices.walk(PredX0Noise, step, limit, x_t, tell),
            PredResAddNoise => slices.walk(PredResAddNoise, step, limit, x_t, tell),
            PredX0AddNoise => slices.walk(PredX0AddNoise, step, limit, x_t, tell),
        }
        Ok(())
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

/// So many elements go at a time.
const RUN: usize = 256;

/// Stands for what is absent.
const ZEROS: &[f32; RUN] = &[0.0; RUN];

impl Slices<'_> {
    #[inline(always)]
    fn walk(
        self,
        objective: Objective,
        step: &Step,
        limit: f32,
        x_t: &mut [f32],
        mut tell: impl FnMut(usize, Prediction),
    ) {
        let sums = step.sums;
        match step.motion {
            Motion::Finish => self.each(x_t, |position, x, [input, first, second, _]| {
                let prediction = objective.predict(sums, limit, x, input, first, second);
                tell(position, prediction);
                prediction.x_start
            }),
            Motion::Along { residual, noise, sigma } => {
                self.each(x_t, |position, x, [input, first, second, z]| {
                    let prediction = objective.predict(sums, limit, x, input, first, second);
                    tell(position, prediction);
                    x - residual * prediction.residual - noise * prediction.noise + sigma * z
                });
            }
            Motion::Posterior { picture, residual, start, sigma } => {
                self.each(x_t, |position, x, [input, first, second, z]| {
                    let prediction = objective.predict(sums, limit, x, input, first, second);
                    tell(position, prediction);
                    picture * x
                        + residual * prediction.residual
                        + start * prediction.x_start
                        + sigma * z
                });
            }
        }
    }

    /// Replaces each value of `x_t` by what `next` makes of its position, of itself and of what is read there.
    #[inline(always)]
    fn each(self, x_t: &mut [f32], mut next: impl FnMut(usize, f32, [f32; 4]) -> f32) {
        let Slices { input, first, second, z } = self;
        let mut begin = 0;
        for x_t in x_t.chunks_mut(RUN) {
            let run = begin..begin + x_t.len();
            let [input, first, second, z] =
                [input, first, second.unwrap_or_default(), z.unwrap_or_default()]
                    .map(|values| values.get(run.clone()).unwrap_or(&ZEROS[..run.len()]));
            let read = input.iter().zip(first).zip(second).zip(z);
            for (position, (x, (((input, first), second), z))) in
                run.clone().zip(x_t.iter_mut().zip(read))
            {
                *x = next(position, *x, [*input, *first, *second, *z]);
            }
            begin = run.end;
        }
    }

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
