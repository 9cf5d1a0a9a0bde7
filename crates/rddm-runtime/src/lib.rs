//! Restores pictures: an RDDM sampler around an inference engine.
//!
//! A tour:
//! - [`Restorer`] is a model that is ready to run. [`Restorer::builder`] takes a
//!   [`Manifest`](rddm_manifest::Manifest) and the options, and
//!   [`build`](RestorerBuilder::build) the bytes of its networks, which are hashed against the
//!   manifest before anything parses them.
//! - [`Restorer::restore`] restores an array, [`Restorer::restore_rows`] a picture that never is in
//!   memory as a whole ([`RowSource`], [`RowSink`]), [`Restorer::restore_with_steps`] shows every
//!   step ([`StepView`]), [`Restorer::restore_ensemble`] takes the mean over mirrored and turned forms, and
//!   [`Restorer::generate`] draws with a model that takes no picture.
//! - [`Restorer::memory_estimate`] says beforehand what a picture takes, and
//!   [`RestorerBuilder::max_memory`] keeps it.
//! - With the feature `image`, `Restorer::restore_image` takes that crate's pictures.
//! - [`Progress`], [`Control`] and [`CancelToken`] are for those who wait.
//! - [`engines`] lists the [`Engine`]s that are compiled in; an engine makes [`Network`]s of ONNX
//!   files.
//!
//! Pictures are `[channel, height, width]` with values from 0 to 1. One seed gives one picture: the
//! noise depends on the seed and the position alone, so threads change nothing, and tiles and memory
//! nothing but the rounding where the tiles' overlap covers what the networks see.
//!
//! The crate has no network access, and its own code reads no environment, prints nothing, and reads no
//! file but the shared library that [`EngineOptions::library`] names. tract looks for instructions and caches of the processor
//! in the system's files (`/sys/devices/system/cpu`, `/proc/cpuinfo`) and for `TRACT_…` variables, which choose among its
//! kernels; `TRACT_AMX_BF16`, which would round, is switched off. Where a broken network makes it panic, Rust's panic hook
//! prints that to standard error, and the error has the text too.

#![deny(unsafe_code)]

mod builder;
mod confirm;
mod crews;
mod engine;
mod ensemble;
mod error;
#[cfg(feature = "image")]
mod image;
mod layout;
mod memory;
mod networks;
mod onnx;
mod parallel;
mod progress;
mod restorer;
mod rows;
mod run;
mod tile;
mod tiling;
mod vectors;

pub use builder::{RestorerBuilder, sampler_of};
pub use engine::{Device, DeviceInfo, Engine, EngineOptions, Footprint, Network, engine, engines};
pub use error::{Error, ErrorKind};
pub use memory::MemoryEstimate;
pub use progress::{CancelToken, Control, Progress, StepView};
pub use restorer::{OnProgress, OnStep, Restorer};
pub use rows::{RowError, RowSink, RowSource};
