//! From one resolution to the next.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};

use super::block::convolution;

/// Half the height and width: a 4×4 convolution of stride 2 and padding 1.
pub fn downsample(input: usize, output: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([input, output], [4, 4])
        .with_stride([2, 2])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

/// Twice the height and width: each pixel four times, then a 3×3 convolution.
#[derive(Module, Debug)]
pub struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    /// A layer with new weights.
    pub fn new(input: usize, output: usize, device: &Device) -> Self {
        Self { conv: convolution(input, output, 3, device) }
    }

    /// `[n, input, h, w]` to `[n, output, 2h, 2w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options =
            InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0, 2.0]);
        self.conv.forward(interpolate(x, options))
    }
}

/// The last layer of a level: to another resolution, or, at the last level, a 3×3 convolution at the same one.
#[derive(Module, Debug)]
pub(super) enum Resample {
    /// A convolution, strided or not.
    Convolution(Conv2d),
    /// Twice the resolution.
    Up(Upsample),
}

impl Resample {
    pub(super) fn down(input: usize, output: usize, last: bool, device: &Device) -> Self {
        Self::Convolution(if last {
            convolution(input, output, 3, device)
        } else {
            downsample(input, output, device)
        })
    }

    pub(super) fn up(input: usize, output: usize, last: bool, device: &Device) -> Self {
        if last {
            Self::Convolution(convolution(input, output, 3, device))
        } else {
            Self::Up(Upsample::new(input, output, device))
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Convolution(conv) => conv.forward(x),
            Self::Up(up) => up.forward(x),
        }
    }
}
