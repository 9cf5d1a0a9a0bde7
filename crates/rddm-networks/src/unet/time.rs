//! What a U-Net is told of the time.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};

/// Sinusoids of the time: `sin(t ω_i)` then `cos(t ω_i)`, `ω_i = 10000^(-i / (width/2 - 1))`.
///
/// `time` is `[n]`, the answer `[n, width]`; `width` is even and at least 4.
/// The frequencies are rounded where the official code rounds them: at `t` near 1000 an angle's fourth decimal shows it.
pub fn sinusoidal_embedding(time: Tensor<1>, width: usize) -> Tensor<2> {
    let half = width / 2;
    let step = -(10000_f64.ln() / (half as f64 - 1.0)) as f32;
    let frequencies: Vec<f32> =
        (0..half).map(|i| f64::from(i as f32 * step).exp() as f32).collect();
    let frequencies =
        Tensor::<1>::from_floats(frequencies.as_slice(), &time.device()).reshape([1, half]);
    let angles = time.unsqueeze_dim::<2>(1) * frequencies;
    Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1)
}

/// The time network: sinusoids, a linear layer, exact GELU, a linear layer.
#[derive(Module, Debug)]
pub struct TimeMlp {
    hidden: Linear,
    output: Linear,
    width: usize,
}

impl TimeMlp {
    /// A network with new weights: `width` sinusoids to `output` numbers.
    pub fn new(width: usize, output: usize, device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(width, output).init(device),
            output: LinearConfig::new(output, output).init(device),
            width,
        }
    }

    /// `[n]` to `[n, output]`.
    pub fn forward(&self, time: Tensor<1>) -> Tensor<2> {
        let x = self.hidden.forward(sinusoidal_embedding(time, self.width));
        self.output.forward(gelu(x))
    }
}
