//! Weights from files of the official code, and back by their official names.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use rddm_networks::checkpoint::{Checkpoint, Weights};
//! use rddm_networks::unet::UnetRes;
//!
//! let checkpoint = Checkpoint::open("model-1.pt".as_ref(), Weights::Average)?;
//! let (config, network) = UnetRes::from_state_dict(&checkpoint.network, &Device::flex())?;
//! # Ok::<(), rddm_networks::checkpoint::Error>(())
//! ```

mod error;
mod file;
mod module;
mod state_dict;

pub use error::{Error, ErrorKind, Mismatch, WrongShape};
pub use file::{Checkpoint, Weights};
pub use module::{gradients, load, state_dict};
pub use state_dict::StateDict;
