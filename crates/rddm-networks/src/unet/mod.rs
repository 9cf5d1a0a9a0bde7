//! The `unet` family: the architecture of the official code, for parity with it and for GPUs.
//!
//! A U-Net of weight-standardised convolutions with the time in each block, linear attention at every resolution and
//! full attention at the coarsest. Its weights have the official names, so that official checkpoints load
//! ([`crate::checkpoint`]).
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use rddm_networks::unet::{Networks, UnetConfig};
//!
//! let device = Device::flex();
//! let config = UnetConfig { dim: 8, dim_mults: vec![1, 2], networks: Networks::Shared, ..UnetConfig::default() };
//! let network = config.init(&device)?;
//! let x = Tensor::<4>::zeros([1, 6, 16, 24], &device); // I_t and I_in
//! let time = Tensor::<1>::from_floats([999.0], &device);
//! let outputs = network.forward(x, [time.clone(), time]);
//! assert_eq!(outputs.len(), 2); // residual, noise
//! assert_eq!(outputs[0].dims(), [1, 3, 16, 24]);
//! # Ok::<(), rddm_networks::ConfigError>(())
//! ```

mod attention;
mod block;
mod config;
mod names;
mod network;
mod resample;
mod time;

pub use attention::{Attention, Heads, LinearAttention, PreNorm};
pub use block::{Block, GroupNorm, Modulation, ResnetBlock, WeightStandardizedConv2d};
pub use config::{Networks, UnetConfig};
pub use network::{OneUnet, SharedUnet, TwoUnets, Unet, UnetRes};
pub use resample::{Upsample, downsample};
pub use time::{TimeMlp, sinusoidal_embedding};

pub(crate) use names::official;
