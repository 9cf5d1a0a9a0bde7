//! Attention over the pixels of a picture, linear and full, and the norm before it.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::block::convolution;
use crate::ChannelLayerNorm;

/// Heads of an attention, and channels of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// How many heads.
    pub count: usize,
    /// Channels of one head.
    pub width: usize,
}

impl Default for Heads {
    /// The official numbers: 4 heads of 32.
    fn default() -> Self {
        Self { count: 4, width: 32 }
    }
}

/// Attention whose cost is linear in the pixels: each head keeps a `width × width` matrix of what keys say of values.
///
/// `out = (softmax_pixels(k) vᵀ / (h w))ᵀ softmax_channels(q) width^-½`, then a 1×1 convolution and a channel norm.
#[derive(Module, Debug)]
pub struct LinearAttention {
    to_qkv: Conv2d,
    to_out: Conv2d,
    norm: ChannelLayerNorm,
    heads: usize,
}

impl LinearAttention {
    /// An attention with new weights.
    pub fn new(channels: usize, heads: Heads, device: &Device) -> Self {
        Self {
            to_qkv: projection(channels, heads, device),
            to_out: convolution(heads.count * heads.width, channels, 1, device),
            norm: ChannelLayerNorm::new(channels, device),
            heads: heads.count,
        }
    }

    /// `[n, channels, h, w]` to the same shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let [q, k, v] = split(self.to_qkv.forward(x), self.heads);
        let scale = 1.0 / (q.dims()[2] as f64).sqrt();
        let q = softmax(q, 2) * scale;
        let k = softmax(k, 3);
        // 1 / (h w) as the mean of what sums to 1, and not as a number, which would tie a recorded graph to one size.
        let per_pixel = k.clone().narrow(2, 0, 1).mean_dim(3);
        let context = v.matmul(k.transpose()) * per_pixel;
        let out = merge(context.matmul(q), height, width);
        self.norm.forward(self.to_out.forward(out))
    }
}

/// Full attention between all pixels: `softmax(qᵀ k width^-½) v`, then a 1×1 convolution.
#[derive(Module, Debug)]
pub struct Attention {
    to_qkv: Conv2d,
    to_out: Conv2d,
    heads: usize,
}

impl Attention {
    /// An attention with new weights.
    pub fn new(channels: usize, heads: Heads, device: &Device) -> Self {
        Self {
            to_qkv: projection(channels, heads, device),
            to_out: convolution(heads.count * heads.width, channels, 1, device),
            heads: heads.count,
        }
    }

    /// `[n, channels, h, w]` to the same shape; memory grows with `(h w)²`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let [q, k, v] = split(self.to_qkv.forward(x), self.heads);
        let scale = 1.0 / (q.dims()[2] as f64).sqrt();
        let weights = softmax((q * scale).transpose().matmul(k), 3);
        let out = v.matmul(weights.transpose());
        self.to_out.forward(merge(out, height, width))
    }
}

/// Either attention, behind a channel norm and beside a skip: `x + attention(norm(x))`.
#[derive(Module, Debug)]
pub struct PreNorm<A: Module> {
    norm: ChannelLayerNorm,
    body: A,
}

impl PreNorm<LinearAttention> {
    /// Linear attention with new weights.
    pub fn linear(channels: usize, heads: Heads, device: &Device) -> Self {
        Self {
            norm: ChannelLayerNorm::new(channels, device),
            body: LinearAttention::new(channels, heads, device),
        }
    }

    /// `[n, channels, h, w]` to the same shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.body.forward(self.norm.forward(x.clone())) + x
    }
}

impl PreNorm<Attention> {
    /// Full attention with new weights.
    pub fn full(channels: usize, heads: Heads, device: &Device) -> Self {
        Self {
            norm: ChannelLayerNorm::new(channels, device),
            body: Attention::new(channels, heads, device),
        }
    }

    /// `[n, channels, h, w]` to the same shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.body.forward(self.norm.forward(x.clone())) + x
    }
}

/// The convolution that makes queries, keys and values; it has no bias.
fn projection(channels: usize, heads: Heads, device: &Device) -> Conv2d {
    Conv2dConfig::new([channels, 3 * heads.count * heads.width], [1, 1])
        .with_bias(false)
        .init(device)
}

/// Queries, keys and values, each `[n, heads, width, h w]`.
fn split(qkv: Tensor<4>, heads: usize) -> [Tensor<4>; 3] {
    let [batch, channels, height, width] = qkv.dims();
    let qkv = qkv.reshape([batch, 3 * heads, channels / (3 * heads), height * width]);
    [0, 1, 2].map(|part| qkv.clone().narrow(1, part * heads, heads))
}

/// `[n, heads, width, h w]` to `[n, heads width, h, w]`.
fn merge(x: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    let [batch, heads, channels, _] = x.dims();
    x.reshape([batch, heads * channels, height, width])
}
