//! The restoration networks of the zoo, in burn.
//!
//! A network of RDDM sees the diffused picture `I_t`, the degraded picture `I_in` (and a mask where the task has one),
//! stacked by channels, and the time `t`; it predicts the residual `I_res = I_in - I_0`, the noise `ε`, or both
//! (Liu et al., "Residual Denoising Diffusion Models", CVPR 2024, section 3).
//!
//! - [`edge`]: small networks for small machines.
//! - [`NetworkConfig`]: what a recipe says of a network, whichever its family.
#![allow(
    clippy::large_enum_variant,
    reason = "a network is made once, and burn derives no module for a box"
)]

pub mod checkpoint;
pub mod edge;
pub mod embedding;
pub mod unet;

mod config;
mod network;
mod norm;

pub use config::{ConfigError, NetworkConfig};
pub use network::{Network, WeightsError};
pub use norm::ChannelLayerNorm;
