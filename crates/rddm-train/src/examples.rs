//! The examples of a step, diffused to times of their own, as numbers that any thread can make.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rddm_core::Schedule;

use crate::data::{DataSet, example_generator};
use crate::loss::Batch;
use crate::recipe::Recipe;

/// A [`Batch`] in memory, before it goes to a device.
pub(crate) struct Examples {
    /// The time of each, `0 .. T`.
    pub(crate) steps: Vec<usize>,
    side: usize,
    x: Vec<f32>,
    times: [Vec<f32>; 2],
    residual: Vec<f32>,
    noise: Vec<f32>,
    beta_bar: Vec<f32>,
}

impl Examples {
    /// The examples `indices` of step `step`: `I_t = I_0 + ᾱ_t I_res + β̄_t ε` (equation 7).
    pub(crate) fn draw(
        recipe: &Recipe,
        data: &DataSet,
        schedule: &Schedule,
        step: usize,
        indices: Range<usize>,
    ) -> Self {
        let diffusion = &recipe.diffusion;
        let mut drawn = Self {
            steps: Vec::with_capacity(indices.len()),
            side: recipe.example_side(step),
            x: Vec::new(),
            times: [Vec::new(), Vec::new()],
            residual: Vec::new(),
            noise: Vec::new(),
            beta_bar: Vec::with_capacity(indices.len()),
        };
        for index in indices {
            let pair = data.example(recipe, step, index);
            // A generator of its own, so that a degradation that draws more changes no time.
            let random = &mut diffusion_generator(recipe.training.seed, step, index);
            let t = if random.random::<f64>() < recipe.training.last_time {
                schedule.timesteps() - 1
            } else {
                random.random_range(0..schedule.timesteps())
            };
            let (alpha_bar, beta_bar) = (schedule.alpha_bar()[t], schedule.beta_bar()[t]);
            let mut inputs = Vec::with_capacity(pair.input.len());
            let mask = pair.mask.iter().flatten().map(|mask| 2.0 * mask - 1.0);
            for (degraded, clean) in pair.input.iter().zip(&pair.target) {
                let clean = 2.0 * clean - 1.0;
                let degraded = if diffusion.conditional { 2.0 * degraded - 1.0 } else { 0.0 };
                let residual = degraded - clean;
                let noise: f32 = random.sample(StandardNormal);
                drawn.x.push(clean + alpha_bar * residual + beta_bar * noise);
                inputs.push(degraded);
                drawn.residual.push(residual);
                drawn.noise.push(noise);
            }
            if diffusion.conditional {
                drawn.x.append(&mut inputs);
            }
            drawn.x.extend(mask);
            let times = diffusion.time_encoding.times(schedule, t);
            for (list, time) in drawn.times.iter_mut().zip(times) {
                list.push(time);
            }
            drawn.beta_bar.push(beta_bar);
            drawn.steps.push(t);
        }
        drawn
    }

    /// The same as tensors on `device`.
    pub(crate) fn on(self, device: &Device) -> Batch {
        let Self { steps, side, x, times, residual, noise, beta_bar } = self;
        let n = steps.len();
        let pictures = |values: Vec<f32>| {
            let channels = values.len() / (n * side * side);
            Tensor::<4>::from_data(TensorData::new(values, [n, channels, side, side]), device)
        };
        Batch {
            x: pictures(x),
            times: times.map(|times| Tensor::from_data(TensorData::new(times, [n]), device)),
            residual: pictures(residual),
            noise: pictures(noise),
            beta_bar: Tensor::from_data(TensorData::new(beta_bar, [n, 1, 1, 1]), device),
        }
    }
}

fn diffusion_generator(seed: u64, step: usize, index: usize) -> ChaCha8Rng {
    let mut random = example_generator(seed, step, index);
    ChaCha8Rng::from_seed(random.random::<[u8; 32]>())
}
