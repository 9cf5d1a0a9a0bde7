//! The blocks of the `edge` family.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::{BlockKind, Norm};
use crate::ChannelLayerNorm;

/// A block of either kind: `x` `[n, width, h, w]` and a time `[n, time_width]` to the shape of `x`.
#[derive(Module, Debug)]
pub(super) enum Block {
    Plain(PlainBlock),
    Naf(NafBlock),
}

impl Block {
    pub(super) fn new(
        kind: BlockKind,
        width: usize,
        time_width: usize,
        norm: Norm,
        device: &Device,
    ) -> Self {
        match kind {
            BlockKind::Plain => Self::Plain(PlainBlock::new(width, time_width, norm, device)),
            BlockKind::Naf => Self::Naf(NafBlock::new(width, time_width, norm, device)),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>, time: Tensor<2>) -> Tensor<4> {
        match self {
            Self::Plain(block) => block.forward(x, time),
            Self::Naf(block) => block.forward(x, time),
        }
    }

    /// The same with zeros in the convolutions that add to `x`: until they are trained, `x` leaves it as it came.
    pub(super) fn idle(self) -> Self {
        match self {
            Self::Plain(block) => {
                Self::Plain(PlainBlock { second: zeros_of(block.second), ..block })
            }
            Self::Naf(block) => Self::Naf(NafBlock {
                narrow: zeros_of(block.narrow),
                second_narrow: zeros_of(block.second_narrow),
                ..block
            }),
        }
    }
}

/// `x + conv(relu(conv(norm(x)) + linear(time)))`, both convolutions 3×3; `norm` where the network has one.
#[derive(Module, Debug)]
pub(super) struct PlainBlock {
    norm: Option<ChannelLayerNorm>,
    first: Conv2d,
    time: Linear,
    second: Conv2d,
}

impl PlainBlock {
    fn new(width: usize, time_width: usize, norm: Norm, device: &Device) -> Self {
        Self {
            norm: norm.init(width, device),
            first: convolution(width, width, device),
            time: LinearConfig::new(time_width, width).init(device),
            second: convolution(width, width, device),
        }
    }

    fn forward(&self, x: Tensor<4>, time: Tensor<2>) -> Tensor<4> {
        let bias = self.time.forward(time).unsqueeze_dims::<4>(&[2, 3]);
        let normed = normed(self.norm.as_ref(), &x);
        x + self.second.forward(relu(self.first.forward(normed) + bias))
    }
}

/// `y = x + conv(gate(depthwise(conv(norm(x)) + linear(time))))`, then `y + conv(gate(conv(norm(y))))`; all convolutions
/// 1×1 but the depthwise one, which is 3×3. A gate multiplies one half of the channels by the other.
#[derive(Module, Debug)]
pub(super) struct NafBlock {
    first_norm: Option<ChannelLayerNorm>,
    widen: Conv2d,
    time: Linear,
    depthwise: Conv2d,
    narrow: Conv2d,
    second_norm: Option<ChannelLayerNorm>,
    second_widen: Conv2d,
    second_narrow: Conv2d,
}

impl NafBlock {
    fn new(width: usize, time_width: usize, norm: Norm, device: &Device) -> Self {
        let pointwise = |from, to| Conv2dConfig::new([from, to], [1, 1]).init(device);
        let wide = 2 * width;
        Self {
            first_norm: norm.init(width, device),
            widen: pointwise(width, wide),
            time: LinearConfig::new(time_width, wide).init(device),
            depthwise: Conv2dConfig::new([wide, wide], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_groups(wide)
                .init(device),
            narrow: pointwise(width, width),
            second_norm: norm.init(width, device),
            second_widen: pointwise(width, wide),
            second_narrow: pointwise(width, width),
        }
    }

    fn forward(&self, x: Tensor<4>, time: Tensor<2>) -> Tensor<4> {
        let bias = self.time.forward(time).unsqueeze_dims::<4>(&[2, 3]);
        let wide = self.widen.forward(normed(self.first_norm.as_ref(), &x)) + bias;
        let x = x + self.narrow.forward(gate(self.depthwise.forward(wide)));
        let wide = self.second_widen.forward(normed(self.second_norm.as_ref(), &x));
        x + self.second_narrow.forward(gate(wide))
    }
}

fn normed(norm: Option<&ChannelLayerNorm>, x: &Tensor<4>) -> Tensor<4> {
    norm.map_or_else(|| x.clone(), |norm| norm.forward(x.clone()))
}

fn gate(x: Tensor<4>) -> Tensor<4> {
    let half = x.dims()[1] / 2;
    x.clone().narrow(1, 0, half) * x.narrow(1, half, half)
}

/// A 3×3 convolution that keeps the size.
pub(super) fn convolution(channels_in: usize, channels_out: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([channels_in, channels_out], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

/// A convolution of the same shape whose weights and bias are zero, and are trained if they were.
fn zeros_of(mut convolution: Conv2d) -> Conv2d {
    convolution.weight = convolution.weight.map(zeros);
    convolution.bias = convolution.bias.map(|bias| bias.map(zeros));
    convolution
}

/// The first `channels` channels of what a convolution answers.
pub(super) fn first_outputs_of(mut convolution: Conv2d, channels: usize) -> Conv2d {
    convolution.weight = convolution.weight.map(|weight| first(weight, 0, channels));
    convolution.bias = convolution.bias.map(|bias| bias.map(|bias| first(bias, 0, channels)));
    convolution
}

/// The first `count` of the dimension `of`, trained if the whole was.
pub(super) fn first<const D: usize>(tensor: Tensor<D>, of: usize, count: usize) -> Tensor<D> {
    let trained = tensor.is_require_grad();
    tensor.narrow(of, 0, count).detach().set_require_grad(trained)
}

fn zeros<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    let trained = tensor.is_require_grad();
    tensor.zeros_like().set_require_grad(trained)
}
