//! PSNR of the averaged network on pictures that are kept out of training, through the real sampler.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array3, ArrayView3, s};
use rddm_core::{NoiseField, Objective, Sampler, SamplerSpec};
use rddm_networks::Network;
use serde::Serialize;

use crate::data::{DataSet, Held, Pair};
use crate::error::{Error, Kind};
use crate::recipe::Recipe;

/// What a validation found in one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// The folder of the degraded pictures, as [`DataSet::held_out`] has it.
    pub source: String,
    /// Sampling steps.
    pub steps: usize,
    /// Mean PSNR over RGB, dB; equal pictures count as 100.
    pub psnr: f64,
    /// The same of the degraded pictures.
    pub input: f64,
}

/// Restores the held out pictures, with each number of steps of the recipe, after `step` optimiser steps.
///
/// # Errors
/// When the recipe's diffusion cannot be sampled, or a restored picture is not finite.
pub fn validate(
    network: &Network,
    recipe: &Recipe,
    data: &DataSet,
    step: usize,
    device: &Device,
) -> Result<Vec<Score>, Error> {
    let mut scores = Vec::new();
    for (source, held) in data.held_out() {
        for &steps in &recipe.validation.steps {
            let sampler = sampler(recipe, steps)?;
            let (mut psnr, mut input) = (0.0, 0.0);
            for Held { name, pair } in held {
                let Pair { input: degraded, mask, .. } = pair;
                let restored = restore(network, &sampler, 0, degraded, mask.as_ref(), device)?;
                if restored.iter().any(|value| !value.is_finite()) {
                    let problem = format!("what is restored of {source}, {name}, is not finite");
                    return Err(Error::diverged(&problem, step));
                }
                psnr += psnr_of(&restored, &pair.target)?;
                input += psnr_of(&pair.input, &pair.target)?;
            }
            let count = held.len() as f64;
            let source = source.clone();
            scores.push(Score { source, steps, psnr: psnr / count, input: input / count });
        }
    }
    Ok(scores)
}

/// The deterministic sampler of a recipe.
///
/// # Errors
/// When the recipe's diffusion cannot be sampled in `steps` steps.
pub fn sampler(recipe: &Recipe, steps: usize) -> Result<Sampler, Error> {
    let spec = SamplerSpec {
        schedule: recipe.diffusion.schedule(),
        objective: recipe.diffusion.objective,
        time_encoding: recipe.diffusion.time_encoding,
        conditional: recipe.diffusion.conditional,
        residual_limit: recipe.diffusion.residual_limit,
        steps,
        ..SamplerSpec::default()
    };
    Sampler::new(spec).map_err(|error| Error::new(Kind::Recipe, format!("[diffusion] {error}")))
}

/// Which output of a network that was trained for one objective the sampler of another takes first; none where it predicts
/// something else.
pub fn first_output(trained: Objective, sampled: Objective) -> Option<usize> {
    match (trained, sampled) {
        // Two outputs of which one is enough.
        (Objective::PredResNoise, Objective::PredRes) => Some(0),
        (Objective::PredResNoise, Objective::PredNoise) => Some(1),
        _ => (trained == sampled).then_some(0),
    }
}

/// The restored picture, `[channel, height, width]` in [0, 1], of a degraded one of any size, which is mirrored at its
/// lower right to the multiple that the network takes. `mask` is `[1, height, width]`, for a network that takes one;
/// `first` is the [`first_output`] of its that the sampler takes.
///
/// # Errors
/// When the network gives what the sampler does not take.
pub fn restore_any_size(
    network: &Network,
    sampler: &Sampler,
    first: usize,
    input: &Array3<f32>,
    mask: Option<&Array3<f32>>,
    multiple: usize,
    device: &Device,
) -> Result<Array3<f32>, Error> {
    let (_, height, width) = input.dim();
    let mirror = |at: usize, length: usize| match length {
        1 => 0,
        _ if at < length => at,
        _ => (2 * (length - 1)).saturating_sub(at),
    };
    let pad = |picture: &Array3<f32>| {
        let (channels, height, width) = picture.dim();
        let wide = (channels, height.next_multiple_of(multiple), width.next_multiple_of(multiple));
        Array3::from_shape_fn(wide, |(channel, y, x)| {
            picture[(channel, mirror(y, height), mirror(x, width))]
        })
    };
    let restored = restore(network, sampler, first, &pad(input), mask.map(pad).as_ref(), device)?;
    Ok(restored.slice(s![.., ..height, ..width]).to_owned())
}

/// As [`restore_any_size`], of a picture whose sides fit the network.
fn restore(
    network: &Network,
    sampler: &Sampler,
    first: usize,
    input: &Array3<f32>,
    mask: Option<&Array3<f32>>,
    device: &Device,
) -> Result<Array3<f32>, Error> {
    let failed = |error: rddm_core::Error| Error::new(Kind::Recipe, error.to_string());
    let (channels, height, width) = input.dim();
    let centred = |values: &Array3<f32>| values.iter().map(|value| 2.0 * value - 1.0).collect();
    let input: Vec<f32> = centred(input);
    let mask: Vec<f32> = mask.map(centred).unwrap_or_default();
    let mut noise = vec![0.0; input.len()];
    let field = NoiseField::new(0);
    for (row, values) in noise.chunks_exact_mut(width).enumerate() {
        field.fill(0, row / height, row % height, 0, values);
    }
    let mut picture = vec![0.0; input.len()];
    sampler.start(&input, &noise, &mut picture).map_err(failed)?;
    for (index, step) in sampler.steps().iter().enumerate() {
        let all: Vec<f32> = picture.iter().chain(&input).chain(&mask).copied().collect();
        let shape = [1, all.len() / (height * width), height, width];
        let x = Tensor::from_data(TensorData::new(all, shape), device);
        let times = step.times.map(|time| Tensor::from_floats([time], device));
        let outputs: Vec<Vec<f32>> = network
            .forward(x, times)
            .into_iter()
            .skip(first)
            .take(sampler.objective().outputs())
            .map(|output| output.into_data().try_to_vec())
            .collect::<Result<_, _>>()
            .map_err(|error| Error::new(Kind::Run, format!("{error:?}")))?;
        let second = outputs.get(1).map(Vec::as_slice);
        sampler.step(index, &mut picture, &input, &outputs[0], second, None).map_err(failed)?;
    }
    // What the mask leaves out is kept, as the runtime keeps it.
    for ((value, input), mask) in picture.iter_mut().zip(&input).zip(mask.iter().cycle()) {
        if *mask <= -1.0 {
            *value = *input;
        }
    }
    let picture = picture.iter().map(|value| 0.5 * (value + 1.0)).collect();
    Array3::from_shape_vec((channels, height, width), picture)
        .map_err(|error| Error::new(Kind::Run, error.to_string()))
}

/// The PSNR of equal pictures, dB, which have none; a mean, a log and a JSON file need a number.
pub(crate) const MOST_PSNR: f64 = 100.0;

fn psnr_of(picture: &Array3<f32>, truth: &Array3<f32>) -> Result<f64, Error> {
    let quantised = rddm_metrics::quantise(ArrayView3::from(picture));
    rddm_metrics::psnr_rgb(quantised.view(), truth.view())
        .map(|psnr| psnr.min(MOST_PSNR))
        .map_err(|error| Error::new(Kind::Data, error.to_string()))
}
