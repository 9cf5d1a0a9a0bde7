//! What a recipe says of a network of the `edge` family.

use burn::nn::conv::Conv2dConfig;
use burn::nn::{
    Initializer, LinearConfig, PaddingConfig2d, PixelShuffleConfig, PixelUnshuffleConfig,
};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::block::{Block, convolution};
use super::fill::STEPS;
use super::{DecoderLevel, Edge, EncoderLevel};
use crate::{ChannelLayerNorm, ConfigError};

/// The shape of an [`Edge`] network. The defaults are a network of about half a million weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeConfig {
    /// Channels of a picture: 3 (RGB) or 1 (grey).
    pub channels: usize,
    /// Channels of the input: `I_t` and `I_in`, and the mask where there is one.
    pub in_channels: usize,
    /// How many pictures the network predicts: 2 (residual and noise) or 1.
    pub outputs: usize,
    /// How many times smaller, on each side, the picture is made first; the answer is enlarged again (bilinear). For what
    /// is smooth and has to be seen from afar, as light is, together with `light`.
    pub shrink: usize,
    /// Side of the square of pixels that is folded into channels before the first convolution.
    pub unshuffle: usize,
    /// Channels at each resolution, finest first; the resolution halves from one to the next.
    pub widths: Vec<usize>,
    /// Residual blocks at each resolution, as many numbers as `widths`; above the coarsest they stand in the encoder
    /// and again in the decoder.
    pub blocks: Vec<usize>,
    /// What a block is made of.
    pub block: BlockKind,
    /// What normalises the input of each block.
    pub norm: Norm,
    /// For what changes the light, which multiplies: the network also sees the logarithm of the degraded picture, in which a
    /// shadow is the same step on every texture, and its first output gets a part `factors · (I_in + 1)`, without which a
    /// network that only adds has to draw the picture's texture to give it back.
    pub light: bool,
    /// For what is lost below a mask: how many times the picture is halved to fill that from around it, so that the network
    /// sees what may be there in place of what is. Its first output gets the difference. Not at all, 0, without it, and the
    /// network has to find out what is below the mask to take it away.
    pub fill: usize,
    /// Width of the time embedding: even, at least 4.
    pub time_width: usize,
    /// How many times the network is told: 1, the index, or 2, the sums `ᾱ_t T` and `β̄_t T`, for generation that is
    /// independent of the path.
    pub times: usize,
}

/// What a block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Two 3×3 convolutions with ReLU between them.
    Plain,
    /// The block of NAFNet (Chen et al., ECCV 2022): 1×1 and depthwise 3×3 convolutions with simple gates, without the
    /// attention over pixels.
    Naf,
}

impl BlockKind {
    /// How far a block reaches, in pixels of its resolution.
    fn reach(self) -> usize {
        match self {
            Self::Plain => 2,
            Self::Naf => 1,
        }
    }
}

/// What normalises the input of a block. Statistics over pixels are no choice: a picture is computed in tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Nothing: the fastest to run.
    None,
    /// Each pixel's channels, to mean 0 and variance 1: learns in fewer steps.
    Channel,
}

impl Norm {
    pub(super) fn init(self, width: usize, device: &Device) -> Option<ChannelLayerNorm> {
        (self == Self::Channel).then(|| ChannelLayerNorm::new(width, device))
    }
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            channels: 3,
            in_channels: 6,
            outputs: 2,
            shrink: 1,
            unshuffle: 2,
            widths: vec![24, 48, 96],
            blocks: vec![1, 1, 2],
            block: BlockKind::Plain,
            norm: Norm::None,
            light: false,
            fill: 0,
            time_width: 64,
            times: 1,
        }
    }
}

impl EdgeConfig {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// When a number is zero or too large, or the lists differ in length; the text names the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let at_most = |key, value: usize, most: usize| {
            if (1..=most).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::new(key, format!("{value} is not within 1 ..= {most}")))
            }
        };
        at_most("channels", self.channels, 4)?;
        at_most("in_channels", self.in_channels, 16)?;
        if self.light && self.in_channels < 2 * self.channels {
            let problem =
                "the network has no degraded picture whose light could change; leave it out";
            return Err(ConfigError::new("light", problem));
        }
        if self.fill > 0 {
            at_most("fill", self.fill, 8)?;
            if self.in_channels != 2 * self.channels + 1 {
                let problem = "the network has no mask that tells what is lost; leave it out";
                return Err(ConfigError::new("fill", problem));
            }
        }
        at_most("outputs", self.outputs, 2)?;
        at_most("times", self.times, 2)?;
        at_most("shrink", self.shrink, 16)?;
        at_most("unshuffle", self.unshuffle, 8)?;
        at_most("widths", self.widths.len(), 6)?;
        for &width in &self.widths {
            at_most("widths", width, 1024)?;
        }
        if self.blocks.len() != self.widths.len() {
            let problem = format!(
                "{} numbers for {} widths; give one for each",
                self.blocks.len(),
                self.widths.len()
            );
            return Err(ConfigError::new("blocks", problem));
        }
        for &count in &self.blocks {
            at_most("blocks", count, 64)?;
        }
        if self.time_width < 4 || !self.time_width.is_multiple_of(2) || self.time_width > 1024 {
            let problem = format!("{} is not an even number within 4 ..= 1024", self.time_width);
            return Err(ConfigError::new("time_width", problem));
        }
        Ok(())
    }

    /// What height and width of the input must be multiples of.
    pub fn multiple(&self) -> usize {
        let coarsest = self.pixel() << (self.widths.len() - 1);
        coarsest << self.fill.saturating_sub(coarsest.trailing_zeros() as usize)
    }

    /// Side, in pixels of the picture, of one at the finest resolution of the U.
    fn pixel(&self) -> usize {
        self.shrink * self.unshuffle
    }

    /// How far, in pixels, an input pixel can be from an output pixel that it changes, rounded up to a multiple of
    /// [`multiple`](Self::multiple).
    pub fn receptive_radius(&self) -> usize {
        let coarsest = self.widths.len() - 1;
        // Above the coarsest level the blocks stand twice.
        let blocks: usize = (self.blocks.iter().enumerate())
            .map(|(level, &count)| {
                let sides = if level == coarsest { 1 } else { 2 };
                self.block.reach() * sides * count * (self.pixel() << level)
            })
            .sum();
        let stem_and_head = 2 * self.pixel();
        // A filled pixel is a mean of neighbours at each resolution, and then of those that the steps reach.
        let filling = if self.fill > 0 { (2 << self.fill) + 2 * STEPS } else { 0 };
        let enlarging = if self.shrink > 1 { self.shrink } else { 0 };
        // Folding, and the 2×2 convolutions between the levels, mix within a cell of the coarsest grid.
        let cell = self.multiple() - 1;
        (blocks + stem_and_head + filling + enlarging + cell).next_multiple_of(self.multiple())
    }

    /// A network with new weights, drawn from the device's generator.
    pub fn init(&self, device: &Device) -> Edge {
        let time_width = self.time_width;
        let stack = |width: usize, count: usize| -> Vec<Block> {
            let block = |_| Block::new(self.block, width, time_width, self.norm, device);
            (0..count).map(block).collect()
        };
        // What begins at zero predicts nothing: the restored picture is the degraded one.
        let from_zero = |channels_out: usize| {
            Conv2dConfig::new([self.widths[0], channels_out], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        let folded = self.unshuffle * self.unshuffle;
        let logarithms = if self.light { self.channels } else { 0 };
        let channels_in = (self.in_channels + logarithms) * folded;
        let channels_out = self.channels * self.outputs * folded;
        let levels = self.widths.len() - 1;
        Edge {
            unshuffle: PixelUnshuffleConfig::new(self.unshuffle).init(),
            time: LinearConfig::new(time_width, time_width).init(device),
            second_time: (self.times == 2)
                .then(|| LinearConfig::new(time_width, time_width).init(device)),
            stem: convolution(channels_in, self.widths[0], device),
            encoder: (0..levels)
                .map(|level| EncoderLevel {
                    blocks: stack(self.widths[level], self.blocks[level]),
                    down: Conv2dConfig::new([self.widths[level], self.widths[level + 1]], [2, 2])
                        .with_stride([2, 2])
                        .init(device),
                })
                .collect(),
            bottom: stack(self.widths[levels], self.blocks[levels]),
            decoder: (0..levels)
                .rev()
                .map(|level| DecoderLevel {
                    up: Conv2dConfig::new([self.widths[level + 1], 4 * self.widths[level]], [1, 1])
                        .init(device),
                    shuffle: PixelShuffleConfig::new(2).init(),
                    blocks: stack(self.widths[level], self.blocks[level]),
                })
                .collect(),
            head: from_zero(channels_out),
            factors: self.light.then(|| from_zero(self.channels * folded)),
            skip: Conv2dConfig::new([channels_in, channels_out], [1, 1])
                .with_bias(false)
                .init(device),
            gain: LinearConfig::new(time_width, channels_out)
                .with_initializer(Initializer::Zeros)
                .init(device),
            shuffle: PixelShuffleConfig::new(self.unshuffle).init(),
            time_width,
            shrink: self.shrink,
            channels: self.channels,
            outputs: self.outputs,
            fill: self.fill,
        }
    }
}
