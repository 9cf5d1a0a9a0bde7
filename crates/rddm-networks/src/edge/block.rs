//! The block of the plain U-shape.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::Norm;
use crate::ChannelLayerNorm;

/// `x + conv(relu(conv(norm(x)) + linear(time)))`, both convolutions 3×3; `norm` where the network has one.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    norm: Option<ChannelLayerNorm>,
    first: Conv2d,
    time: Linear,
    second: Conv2d,
}

impl ResidualBlock {
    pub(super) fn new(width: usize, time_width: usize, norm: Norm, device: &Device) -> Self {
        Self {
            norm: (norm == Norm::Channel).then(|| ChannelLayerNorm::new(width, device)),
            first: convolution(width, width, device),
            time: LinearConfig::new(time_width, width).init(device),
            second: convolution(width, width, device),
        }
    }

    /// `x` is `[n, width, h, w]`, `time` is `[n, time_width]`; the answer has the shape of `x`.
    pub fn forward(&self, x: Tensor<4>, time: Tensor<2>) -> Tensor<4> {
        let bias = self.time.forward(time).unsqueeze_dims::<4>(&[2, 3]);
        let normed = match &self.norm {
            Some(norm) => norm.forward(x.clone()),
            None => x.clone(),
        };
        x + self.second.forward(relu(self.first.forward(normed) + bias))
    }
}

/// A 3×3 convolution that keeps the size.
pub(super) fn convolution(channels_in: usize, channels_out: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([channels_in, channels_out], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}
