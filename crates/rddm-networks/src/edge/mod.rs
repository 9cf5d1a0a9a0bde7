//! The `edge` family: U-shapes of residual blocks on pixel-unshuffled pictures; with one width, flat ones.
//!
//! They have no normalisation over pixels and no attention, so that an output pixel depends on a bounded neighbourhood
//! ([`EdgeConfig::receptive_radius`]) and a picture can be computed in tiles; the time enters each block as a bias.
//!
//! Beside the U a linear map leads from the input to the output, with a gain that depends on the time: residual and noise
//! are, up to what the U has to find, multiples of `I_in - I_t` whose factors `1 / (1 - ᾱ_t)` and `1 / β̄_t` depend on the
//! time alone. Without it a narrow U spends its channels on carrying the noise through.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use rddm_networks::edge::EdgeConfig;
//!
//! let device = Device::flex();
//! let network = EdgeConfig { widths: vec![8, 16], ..EdgeConfig::default() }.init(&device);
//! let x = Tensor::<4>::zeros([1, 6, 32, 48], &device); // I_t and I_in
//! let time = Tensor::<1>::from_floats([999.0], &device);
//! let outputs = network.forward(x, [time.clone(), time]);
//! assert_eq!(outputs.len(), 2); // residual, noise
//! assert_eq!(outputs[0].dims(), [1, 3, 32, 48]);
//! ```

mod block;
mod config;
mod fill;

pub use config::{BlockKind, EdgeConfig, Norm};

use block::{Block, first, first_outputs_of};
use fill::filled;

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, PixelShuffle, PixelUnshuffle};
use burn::tensor::Tensor;
use burn::tensor::activation::silu;
use burn::tensor::module::{avg_pool2d, interpolate};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions};

use crate::embedding::sinusoidal;

/// A network of the `edge` family; made by [`EdgeConfig::init`].
#[derive(Module, Debug)]
pub struct Edge {
    unshuffle: PixelUnshuffle,
    time: Linear,
    second_time: Option<Linear>,
    stem: Conv2d,
    encoder: Vec<EncoderLevel>,
    bottom: Vec<Block>,
    decoder: Vec<DecoderLevel>,
    head: Conv2d,
    factors: Option<Conv2d>,
    skip: Conv2d,
    gain: Linear,
    shuffle: PixelShuffle,
    time_width: usize,
    shrink: usize,
    channels: usize,
    outputs: usize,
    fill: usize,
}

/// Blocks at one resolution, then half of it.
#[derive(Module, Debug)]
struct EncoderLevel {
    blocks: Vec<Block>,
    down: Conv2d,
}

/// Twice the resolution, then blocks at it.
#[derive(Module, Debug)]
struct DecoderLevel {
    up: Conv2d,
    shuffle: PixelShuffle,
    blocks: Vec<Block>,
}

impl Edge {
    /// What the network predicts at `times`.
    ///
    /// `x` is `[n, in_channels, h, w]`, values in [-1, 1], `h` and `w` multiples of [`EdgeConfig::multiple`];
    /// `times` are two of `[n]`, the second of which a network of one time leaves alone. The answer holds [`EdgeConfig::outputs`] tensors `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>, times: [Tensor<1>; 2]) -> Vec<Tensor<4>> {
        let [first, second] = times.map(|time| sinusoidal(time, self.time_width));
        let mut time = self.time.forward(first);
        if let Some(linear) = &self.second_time {
            time = time + linear.forward(second);
        }
        let time = silu(time);
        let (x, lost) = match self.fill {
            0 => (x, None),
            levels => {
                let (x, lost) = self.without_the_lost(x, levels);
                (x, Some(lost))
            }
        };
        // From 0, black, to 2.
        let degraded = |x: &Tensor<4>| x.clone().narrow(1, self.channels, self.channels) + 1.0;
        let from_afar = shrunk(x.clone(), self.shrink);
        let seen = match self.factors {
            // Of the shrunk picture, which is what a network learns from where its examples are shrunk before.
            Some(_) => Tensor::cat(vec![from_afar.clone(), logarithm(degraded(&from_afar))], 1),
            None => from_afar,
        };
        let folded = self.unshuffle.forward(seen);
        let mut features = self.stem.forward(folded.clone());
        let mut skips = Vec::with_capacity(self.encoder.len());
        for level in &self.encoder {
            features = run(&level.blocks, features, &time);
            skips.push(features.clone());
            features = level.down.forward(features);
        }
        features = run(&self.bottom, features, &time);
        for (level, skip) in self.decoder.iter().zip(skips.into_iter().rev()) {
            features = level.shuffle.forward(level.up.forward(features)) + skip;
            features = run(&level.blocks, features, &time);
        }
        let gain = self.gain.forward(time).unsqueeze_dims::<4>(&[2, 3]);
        let added = self.head.forward(features.clone()) + self.skip.forward(folded) * gain;
        let whole = |folded| enlarged(self.shuffle.forward(folded), self.shrink);
        let mut outputs = whole(added).chunk(self.outputs, 1);
        if let Some(factors) = &self.factors {
            outputs[0] = outputs[0].clone() + whole(factors.forward(features)) * degraded(&x);
        }
        if let Some(lost) = lost {
            outputs[0] = outputs[0].clone() + lost;
        }
        outputs
    }

    /// The input with both pictures filled where the mask marks something, and what that took from the degraded one.
    fn without_the_lost(&self, x: Tensor<4>, levels: usize) -> (Tensor<4>, Tensor<4>) {
        let part = |first, channels| x.clone().narrow(1, first * self.channels, channels);
        let (noisy, degraded, mask) = (part(0, self.channels), part(1, self.channels), part(2, 1));
        let marked = (mask.clone() + 1.0) * 0.5;
        let filled = filled(degraded.clone(), marked.clone(), levels);
        let noisy = noisy.clone() + (filled.clone() - noisy) * marked;
        let lost = degraded - filled.clone();
        (Tensor::cat(vec![noisy, filled, mask], 1), lost)
    }

    /// The same network with the further blocks of `deeper`, which add nothing until they are trained.
    pub(crate) fn deepened(mut self, deeper: Self) -> Self {
        let further = |blocks: &mut Vec<Block>, deeper: Vec<Block>| {
            blocks.extend(deeper.into_iter().skip(blocks.len()).map(Block::idle));
        };
        for (level, deeper) in self.encoder.iter_mut().zip(deeper.encoder) {
            further(&mut level.blocks, deeper.blocks);
        }
        further(&mut self.bottom, deeper.bottom);
        for (level, deeper) in self.decoder.iter_mut().zip(deeper.decoder) {
            further(&mut level.blocks, deeper.blocks);
        }
        self
    }

    /// The same network with the first `outputs` of its outputs alone.
    pub(crate) fn with_first_outputs(mut self, outputs: usize) -> Self {
        let square = self.shuffle.upscale_factor * self.shuffle.upscale_factor;
        let channels = outputs * self.channels * square;
        self.head = first_outputs_of(self.head, channels);
        self.skip = first_outputs_of(self.skip, channels);
        self.gain.weight = self.gain.weight.map(|weight| first(weight, 1, channels));
        self.gain.bias = self.gain.bias.map(|bias| bias.map(|bias| first(bias, 0, channels)));
        Self { outputs, ..self }
    }

    /// The same network for pictures that are shrunk already.
    pub(crate) fn unshrinking(self) -> Self {
        Self { shrink: 1, ..self }
    }
}

fn run(blocks: &[Block], x: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
    blocks.iter().fold(x, |x, block| block.forward(x, time.clone()))
}

/// Of values within 0 ..= 2; about -1 to 1. Black is kept from falling without end.
fn logarithm(x: Tensor<4>) -> Tensor<4> {
    (x + 0.04).log() * 0.5 + 0.6
}

/// Means of squares of `by` × `by` pixels.
fn shrunk(x: Tensor<4>, by: usize) -> Tensor<4> {
    if by == 1 { x } else { avg_pool2d(x, AvgPoolOptions::new([by; 2])) }
}

fn enlarged(x: Tensor<4>, by: usize) -> Tensor<4> {
    if by == 1 {
        return x;
    }
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
    interpolate(x, options.with_scale_factor([by as f32; 2]))
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::{Device, Distribution};

    use super::*;

    /// Examples that are shrunk before are all that such a network may have learnt from.
    #[test]
    fn what_shrinks_sees_no_more_than_means() {
        let device = Device::flex();
        let config = EdgeConfig { shrink: 2, unshuffle: 1, light: true, ..EdgeConfig::default() };
        let drawn = Conv2dConfig::new([config.widths[0], 3 * config.outputs], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device);
        let network = Edge { head: drawn, ..config.init(&device) };
        let side = 2 * config.multiple();
        let stripes = Tensor::<4>::random(
            [1, config.in_channels, side, side],
            Distribution::Uniform(-1.0, 1.0),
            &device,
        );
        let blocks = InterpolateOptions::new(InterpolateMode::Nearest);
        let means = interpolate(shrunk(stripes.clone(), 2), blocks.with_scale_factor([2.0; 2]));
        let time = Tensor::<1>::from_floats([300.0], &device);
        let answer = |x| network.forward(x, [time.clone(), time.clone()]).remove(0);
        let (of_stripes, of_means) = (answer(stripes), answer(means));
        let most: f32 = of_means.clone().abs().max().into_scalar();
        let far: f32 = (of_stripes - of_means).abs().max().into_scalar();
        assert!(most > 1e-2 && far < 1e-5 * most.max(1.0), "{far} of {most}");
    }
}
