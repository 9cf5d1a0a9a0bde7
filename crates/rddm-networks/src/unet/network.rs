//! The whole networks.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

use super::block::convolution;
use super::resample::Resample;
use super::{Attention, LinearAttention, Networks, PreNorm, ResnetBlock, TimeMlp, UnetConfig};
use crate::checkpoint::{self, StateDict};

/// What predicts the residual and the noise; made by [`UnetConfig::init`].
#[derive(Module, Debug)]
pub enum UnetRes {
    /// One network, for the residual or for the noise.
    One(OneUnet),
    /// A network for each.
    Two(TwoUnets),
    /// One encoder, a decoder for each.
    Shared(SharedUnet),
}

impl UnetRes {
    pub(super) fn new(config: &UnetConfig, device: &Device) -> Self {
        match config.networks {
            Networks::One => Self::One(OneUnet { unet0: Unet::new(config, device) }),
            Networks::Two => Self::Two(TwoUnets {
                unet0: Unet::new(config, device),
                unet1: Unet::new(config, device),
            }),
            Networks::Shared => Self::Shared(SharedUnet::new(config, device)),
        }
    }

    /// The network whose weights these are, by their official names, and its shape.
    ///
    /// # Errors
    /// When the names or shapes are not those of an official U-Net; the text names the tensors.
    pub fn from_state_dict(
        weights: &StateDict,
        device: &Device,
    ) -> Result<(UnetConfig, Self), checkpoint::Error> {
        let config = UnetConfig::infer(weights)?;
        let network = Self::new(&config, device).load_state_dict(weights)?;
        Ok((config, network))
    }

    /// This network with other weights.
    ///
    /// # Errors
    /// As [`checkpoint::load`].
    pub fn load_state_dict(self, weights: &StateDict) -> Result<Self, checkpoint::Error> {
        checkpoint::load(self, weights)
    }

    /// The residual and the noise, or the one that is predicted, each `[n, channels, h, w]`.
    ///
    /// `x` is `[n, in_channels, h, w]`, values in [-1, 1], `h` and `w` multiples of [`UnetConfig::multiple`].
    /// `times` are two of `[n]`: two networks see the first (residual) and the second (noise). One network, and a
    /// shared encoder, see the first: give a network that predicts the noise of two times the second one in its place.
    pub fn forward(&self, x: Tensor<4>, times: [Tensor<1>; 2]) -> Vec<Tensor<4>> {
        let [first, second] = times;
        match self {
            Self::One(one) => vec![one.unet0.forward(x, first)],
            Self::Two(two) => {
                vec![two.unet0.forward(x.clone(), first), two.unet1.forward(x, second)]
            }
            Self::Shared(shared) => shared.forward(x, first).into(),
        }
    }
}

/// One network under the official name.
#[derive(Module, Debug)]
pub struct OneUnet {
    /// The network.
    pub unet0: Unet,
}

/// Two networks under the official names.
#[derive(Module, Debug)]
pub struct TwoUnets {
    /// Predicts the residual.
    pub unet0: Unet,
    /// Predicts the noise.
    pub unet1: Unet,
}

/// One U-Net: one picture from a picture and a time.
#[derive(Module, Debug)]
pub struct Unet {
    encoder: Encoder,
    ups: Vec<Level>,
    final_res_block: ResnetBlock,
    final_conv: Conv2d,
}

impl Unet {
    fn new(config: &UnetConfig, device: &Device) -> Self {
        Self {
            encoder: Encoder::new(config, device),
            ups: decoder(config, true, device),
            final_res_block: last_block(config, 2, device),
            final_conv: convolution(config.dim, config.channels, 1, device),
        }
    }

    /// `x` is `[n, in_channels, h, w]`, `time` is `[n]`; the answer is `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>, time: Tensor<1>) -> Tensor<4> {
        let Encoded { first, skips, bottom, time } = self.encoder.forward(x, time);
        let x = climb_with_skips(&self.ups, bottom, skips, &time);
        let x = self.final_res_block.forward(Tensor::cat(vec![x, first], 1), time);
        self.final_conv.forward(x)
    }
}

/// One encoder and two decoders: the residual's has no skips, the noise's has.
#[derive(Module, Debug)]
pub struct SharedUnet {
    encoder: Encoder,
    ups_no_skip: Vec<Level>,
    final_res_block_1: ResnetBlock,
    final_conv_1: Conv2d,
    ups: Vec<Level>,
    final_res_block_2: ResnetBlock,
    final_conv_2: Conv2d,
}

impl SharedUnet {
    fn new(config: &UnetConfig, device: &Device) -> Self {
        Self {
            encoder: Encoder::new(config, device),
            ups_no_skip: decoder(config, false, device),
            final_res_block_1: last_block(config, 1, device),
            final_conv_1: convolution(config.dim, config.channels, 1, device),
            ups: decoder(config, true, device),
            final_res_block_2: last_block(config, 2, device),
            final_conv_2: convolution(config.dim, config.channels, 1, device),
        }
    }

    /// The residual and the noise, each `[n, channels, h, w]`, from `x` `[n, in_channels, h, w]` and `time` `[n]`.
    pub fn forward(&self, x: Tensor<4>, time: Tensor<1>) -> [Tensor<4>; 2] {
        let Encoded { first, skips, bottom, time } = self.encoder.forward(x, time);
        let mut residual = bottom.clone();
        for level in &self.ups_no_skip {
            residual = level.first.forward(residual, time.clone());
            residual = level.second.forward(residual, time.clone());
            residual = level.resample.forward(level.attention.forward(residual));
        }
        let residual =
            self.final_conv_1.forward(self.final_res_block_1.forward(residual, time.clone()));
        let noise = climb_with_skips(&self.ups, bottom, skips, &time);
        let noise = self.final_res_block_2.forward(Tensor::cat(vec![noise, first], 1), time);
        [residual, self.final_conv_2.forward(noise)]
    }
}

/// Everything before the decoder.
#[derive(Module, Debug)]
struct Encoder {
    init_conv: Conv2d,
    time_mlp: TimeMlp,
    downs: Vec<Level>,
    mid_block1: ResnetBlock,
    mid_attn: PreNorm<Attention>,
    mid_block2: ResnetBlock,
}

/// What decoders need.
struct Encoded {
    first: Tensor<4>,
    skips: Vec<Tensor<4>>,
    bottom: Tensor<4>,
    time: Tensor<2>,
}

impl Encoder {
    fn new(config: &UnetConfig, device: &Device) -> Self {
        let widths = config.widths();
        let (time, groups) = (config.time_width(), UnetConfig::GROUPS);
        let levels = widths.len() - 1;
        let level = |(i, pair): (usize, &[usize])| Level {
            first: ResnetBlock::new(pair[0], pair[0], time, groups, device),
            second: ResnetBlock::new(pair[0], pair[0], time, groups, device),
            attention: PreNorm::linear(pair[0], config.heads(), device),
            resample: Resample::down(pair[0], pair[1], i + 1 == levels, device),
        };
        let bottom = widths[levels];
        Self {
            init_conv: convolution(config.in_channels, config.dim, 7, device),
            time_mlp: TimeMlp::new(config.dim, time, device),
            downs: widths.windows(2).enumerate().map(level).collect(),
            mid_block1: ResnetBlock::new(bottom, bottom, time, groups, device),
            mid_attn: PreNorm::full(bottom, config.heads(), device),
            mid_block2: ResnetBlock::new(bottom, bottom, time, groups, device),
        }
    }

    fn forward(&self, x: Tensor<4>, time: Tensor<1>) -> Encoded {
        let first = self.init_conv.forward(x);
        let time = self.time_mlp.forward(time);
        let mut x = first.clone();
        let mut skips = Vec::with_capacity(2 * self.downs.len());
        for level in &self.downs {
            x = level.first.forward(x, time.clone());
            skips.push(x.clone());
            x = level.attention.forward(level.second.forward(x, time.clone()));
            skips.push(x.clone());
            x = level.resample.forward(x);
        }
        x = self.mid_block1.forward(x, time.clone());
        x = self.mid_attn.forward(x);
        let bottom = self.mid_block2.forward(x, time.clone());
        Encoded { first, skips, bottom, time }
    }
}

/// Two blocks and an attention at one resolution, then the way to the next.
#[derive(Module, Debug)]
struct Level {
    first: ResnetBlock,
    second: ResnetBlock,
    attention: PreNorm<LinearAttention>,
    resample: Resample,
}

/// The levels of a decoder, coarsest first.
fn decoder(config: &UnetConfig, skips: bool, device: &Device) -> Vec<Level> {
    let widths = config.widths();
    let (time, groups) = (config.time_width(), UnetConfig::GROUPS);
    let level = |(i, pair): (usize, &[usize])| {
        let (fine, coarse) = (pair[0], pair[1]);
        let input = if skips { coarse + fine } else { coarse };
        Level {
            first: ResnetBlock::new(input, coarse, time, groups, device),
            second: ResnetBlock::new(input, coarse, time, groups, device),
            attention: PreNorm::linear(coarse, config.heads(), device),
            resample: Resample::up(coarse, fine, i == 0, device),
        }
    };
    let mut levels: Vec<Level> = widths.windows(2).enumerate().map(level).collect();
    levels.reverse();
    levels
}

fn climb_with_skips(
    levels: &[Level],
    x: Tensor<4>,
    mut skips: Vec<Tensor<4>>,
    time: &Tensor<2>,
) -> Tensor<4> {
    let mut join =
        |x: Tensor<4>| Tensor::cat([Some(x), skips.pop()].into_iter().flatten().collect(), 1);
    levels.iter().fold(x, |x, level| {
        let x = level.first.forward(join(x), time.clone());
        let x = level.second.forward(join(x), time.clone());
        level.resample.forward(level.attention.forward(x))
    })
}

fn last_block(config: &UnetConfig, inputs: usize, device: &Device) -> ResnetBlock {
    ResnetBlock::new(
        inputs * config.dim,
        config.dim,
        config.time_width(),
        UnetConfig::GROUPS,
        device,
    )
}
