//! What a network is told of the time.

use burn::tensor::{Device, Tensor};

/// Sinusoids of the time: `sin(t ω_i)` then `cos(t ω_i)`, with `ω_i = 10000^(-i / (width/2 - 1))`.
///
/// `time` is `[n]`, in steps of the diffusion (`0 ..= T - 1`, or a sum times `T`); the answer is `[n, width]`.
/// `width` is even and at least 4.
pub fn sinusoidal(time: Tensor<1>, width: usize) -> Tensor<2> {
    let device = time.device();
    let angles = time.unsqueeze_dim::<2>(1) * frequencies(width, &device).unsqueeze_dim::<2>(0);
    Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1)
}

fn frequencies(width: usize, device: &Device) -> Tensor<1> {
    let half = width / 2;
    let step = -(10000_f64.ln()) / (half as f64 - 1.0);
    let values: Vec<f32> = (0..half).map(|i| (i as f64 * step).exp() as f32).collect();
    Tensor::from_floats(values.as_slice(), device)
}
