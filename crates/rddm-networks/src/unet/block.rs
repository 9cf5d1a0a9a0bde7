//! Convolution blocks: the weight-standardised convolution, group norm, and the residual block that sees the time.

use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

/// Added to a variance before its root is taken.
const EPSILON: f64 = 1e-5;

/// A 3×3 convolution (stride 1, padding 1) whose filters are normalised, each over its own weights, before use:
/// `w' = (w - mean(w)) / sqrt(var(w) + 1e-5)`, biased variance.
#[derive(Module, Debug)]
pub struct WeightStandardizedConv2d {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl WeightStandardizedConv2d {
    /// A convolution with new weights.
    pub fn new(input: usize, output: usize, device: &Device) -> Self {
        let conv = convolution(input, output, 3, device);
        let bias = conv.bias.unwrap_or_else(|| Initializer::Zeros.init([output], device));
        Self { weight: conv.weight, bias }
    }

    /// `[n, input, h, w]` to `[n, output, h, w]`.
    ///
    /// The root's reciprocal multiplies, as in the official code: outputs can reach 50, and a quotient rounds otherwise.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let [output, input, height, width] = weight.dims();
        let rows = weight.reshape([output, input * height * width]);
        let rows = rows.clone() - rows.mean_dim(1);
        let variance = rows.clone().square().mean_dim(1);
        let rows = rows * (variance + EPSILON).sqrt().recip();
        let weight = rows.reshape([output, input, height, width]);
        conv2d(
            x,
            weight,
            Some(self.bias.val()),
            ConvOptions::new([1, 1], [height / 2, width / 2], [1, 1], 1),
        )
    }
}

/// Group norm: mean 0 and variance 1 over the pixels and channels of each group, then a gain and an offset per channel.
#[derive(Module, Debug)]
pub struct GroupNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    groups: usize,
}

impl GroupNorm {
    /// A norm with gain 1 and offset 0; `channels` is a multiple of `groups`.
    pub fn new(groups: usize, channels: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            groups,
        }
    }

    /// `[n, channels, h, w]` to the same shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let x = x.reshape([batch, self.groups, channels / self.groups * height * width]);
        let x = x.clone() - x.mean_dim(2);
        let variance = x.clone().square().mean_dim(2);
        let x = x / (variance + EPSILON).sqrt();
        let x = x.reshape([batch, channels, height, width]);
        x * self.weight.val().reshape([1, channels, 1, 1])
            + self.bias.val().reshape([1, channels, 1, 1])
    }
}

/// What the time does to a block's features: `x (scale + 1) + shift`, each `[n, channels, 1, 1]`.
#[derive(Debug, Clone)]
pub struct Modulation {
    /// The gain, less one.
    pub scale: Tensor<4>,
    /// The offset.
    pub shift: Tensor<4>,
}

/// Weight-standardised convolution, group norm, modulation where there is one, SiLU.
#[derive(Module, Debug)]
pub struct Block {
    proj: WeightStandardizedConv2d,
    norm: GroupNorm,
}

impl Block {
    /// A block with new weights; `output` is a multiple of `groups`.
    pub fn new(input: usize, output: usize, groups: usize, device: &Device) -> Self {
        Self {
            proj: WeightStandardizedConv2d::new(input, output, device),
            norm: GroupNorm::new(groups, output, device),
        }
    }

    /// `[n, input, h, w]` to `[n, output, h, w]`.
    pub fn forward(&self, x: Tensor<4>, modulation: Option<Modulation>) -> Tensor<4> {
        let x = self.norm.forward(self.proj.forward(x));
        silu(match modulation {
            Some(Modulation { scale, shift }) => x * (scale + 1.0) + shift,
            None => x,
        })
    }
}

/// Two blocks beside a skip; the time modulates the first. The skip is a 1×1 convolution where the channels differ.
#[derive(Module, Debug)]
pub struct ResnetBlock {
    mlp: Linear,
    block1: Block,
    block2: Block,
    res_conv: Option<Conv2d>,
}

impl ResnetBlock {
    /// A block with new weights; `time` is the width of the time's embedding, `output` a multiple of `groups`.
    pub fn new(input: usize, output: usize, time: usize, groups: usize, device: &Device) -> Self {
        Self {
            mlp: LinearConfig::new(time, 2 * output).init(device),
            block1: Block::new(input, output, groups, device),
            block2: Block::new(output, output, groups, device),
            res_conv: (input != output).then(|| convolution(input, output, 1, device)),
        }
    }

    /// `x` is `[n, input, h, w]`, `time` the embedding `[n, time]`; the answer is `[n, output, h, w]`.
    pub fn forward(&self, x: Tensor<4>, time: Tensor<2>) -> Tensor<4> {
        let modulation = self.mlp.forward(silu(time));
        let [batch, both] = modulation.dims();
        let modulation = modulation.reshape([batch, both, 1, 1]);
        let modulation = Modulation {
            scale: modulation.clone().narrow(1, 0, both / 2),
            shift: modulation.narrow(1, both / 2, both / 2),
        };
        let skip = match &self.res_conv {
            Some(conv) => conv.forward(x.clone()),
            None => x.clone(),
        };
        self.block2.forward(self.block1.forward(x, Some(modulation)), None) + skip
    }
}

/// A convolution of odd `size`, stride 1, that keeps height and width.
pub(super) fn convolution(input: usize, output: usize, size: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([input, output], [size, size])
        .with_padding(PaddingConfig2d::Explicit(size / 2, size / 2, size / 2, size / 2))
        .init(device)
}
