//! The normalisation that both families use.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

/// Mean 0 and variance 1 (biased, plus 1e-5) over the channels of each pixel, then a gain per channel.
#[derive(Module, Debug)]
pub struct ChannelLayerNorm {
    g: Param<Tensor<4>>,
}

impl ChannelLayerNorm {
    /// A norm with gain 1.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self { g: Initializer::Ones.init([1, channels, 1, 1], device) }
    }

    /// `[n, channels, h, w]` to the same shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = x.clone() - x.mean_dim(1);
        let variance = x.clone().square().mean_dim(1);
        x / (variance + 1e-5).sqrt() * self.g.val()
    }
}
