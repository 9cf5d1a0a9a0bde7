//! Trained networks as ONNX files: what `rddm-export` does.
//!
//! - [`run`]: the averaged weights of a training run.
//! - [`half`]: a network with its weights in 16 bits.
//! - [`official`]: a checkpoint of the official Python code, with a draft of its manifest.
//! - [`network`]: the border that every file of a network has.
//!
//! A file's inputs are `x` (`[n, in_channels, h, w]`, in [-1, 1]) and `time` (`[n]`), its outputs `residual` and `noise`
//! (`[n, channels, h, w]`), or the one that the network predicts; batch, height and width are chosen when it is run.
#![forbid(unsafe_code)]

mod error;
mod files;
pub mod half;
pub mod network;
pub mod official;
pub mod run;

pub use error::{Error, ErrorKind};
pub use files::write;
