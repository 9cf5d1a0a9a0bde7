//! The examples of a step, diffused to times of their own, as numbers that any thread can make.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rddm_core::{Schedule, TimeEncoding};

use crate::data::{DataSet, example_generator};
use crate::loss::Batch;
use crate::recipe::Recipe;

/// A [`Batch`] in memory, before it goes to a device.
pub(crate) struct Examples {
    /// The time of each, `0 .. T`.
    pub(crate) steps: Vec<usize>,
    /// Height and width.
    size: [usize; 2],
    x: Vec<f32>,
    times: [Vec<f32>; 2],
    residual: Vec<f32>,
    noise: Vec<f32>,
    beta_bar: Vec<f32>,
}

impl Examples {
    /// None yet, of pictures of so many rows and columns.
    pub(crate) fn new(size: [usize; 2]) -> Self {
        Self {
            steps: Vec::new(),
            size,
            x: Vec::new(),
            times: [Vec::new(), Vec::new()],
            residual: Vec::new(),
            noise: Vec::new(),
            beta_bar: Vec::new(),
        }
    }

    /// Adds a picture at time `t`: `I_t = I_0 + ᾱ_t I_res + β̄_t ε` (equation 7). `values` are those of `I_0`, `I_in`, which is
    /// none for generation, and `ε`.
    pub(crate) fn add(
        &mut self,
        t: usize,
        schedule: &Schedule,
        encoding: TimeEncoding,
        values: impl Iterator<Item = (f32, Option<f32>, f32)>,
        mask: impl Iterator<Item = f32>,
    ) {
        let (alpha_bar, beta_bar) = (schedule.alpha_bar()[t], schedule.beta_bar()[t]);
        let mut inputs = Vec::with_capacity(values.size_hint().0);
        for (clean, degraded, noise) in values {
            let residual = degraded.unwrap_or(0.0) - clean;
            self.x.push(clean + alpha_bar * residual + beta_bar * noise);
            inputs.extend(degraded);
            self.residual.push(residual);
            self.noise.push(noise);
        }
        self.x.append(&mut inputs);
        self.x.extend(mask);
        for (list, time) in self.times.iter_mut().zip(encoding.times(schedule, t)) {
            list.push(time);
        }
        self.beta_bar.push(beta_bar);
        self.steps.push(t);
    }

    /// The examples `indices` of step `step`.
    pub(crate) fn draw(
        recipe: &Recipe,
        data: &DataSet,
        schedule: &Schedule,
        step: usize,
        indices: Range<usize>,
    ) -> Self {
        let diffusion = &recipe.diffusion;
        let mut drawn = Self::new([recipe.example_side(step); 2]);
        for index in indices {
            let pair = data.example(recipe, step, index);
            // A generator of its own, so that a degradation that draws more changes no time.
            let random = &mut diffusion_generator(recipe.training.seed, step, index);
            let t = if random.random::<f64>() < recipe.training.last_time {
                schedule.timesteps() - 1
            } else {
                random.random_range(0..schedule.timesteps())
            };
            let mask = pair.mask.iter().flatten().map(|mask| 2.0 * mask - 1.0);
            let values = pair.input.iter().zip(&pair.target).map(|(degraded, clean)| {
                let degraded = diffusion.conditional.then_some(2.0 * degraded - 1.0);
                (2.0 * clean - 1.0, degraded, random.sample(StandardNormal))
            });
            drawn.add(t, schedule, diffusion.time_encoding, values, mask);
        }
        drawn
    }

    /// The same as tensors on `device`.
    pub(crate) fn on(self, device: &Device) -> Batch {
        let Self { steps, size: [height, width], x, times, residual, noise, beta_bar } = self;
        let n = steps.len();
        let pictures = |values: Vec<f32>| {
            let channels = values.len() / (n * height * width);
            Tensor::<4>::from_data(TensorData::new(values, [n, channels, height, width]), device)
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
