//! The mathematics of residual denoising diffusion (RDDM): schedules, objectives, samplers, seeded noise.
//!
//! A degraded picture `I_in` and a clean one `I_0` differ by the residual `I_res = I_in - I_0`. The forward process
//! adds the residual and Gaussian noise `ε` at two speeds, `I_t = I_0 + ᾱ_t I_res + β̄_t ε`; sampling walks back from
//! `I_T = I_in + √(sum_scale) ε` to `I_0` with the residual and the noise that networks predict.
//!
//! - [`Schedule`]: the tables `α_t`, `β²_t`, their sums and the posterior's coefficients, from a [`ScheduleSpec`], from
//!   DDIM's betas ([`DdimSpec`]), or any two sums.
//! - [`Objective`]: what the networks predict, and how residual, noise and clean picture follow from it.
//! - [`Sampler`]: deterministic with `η`, ancestral and path-independent sampling, one element-wise step at a time, so
//!   that the caller decides on tiles, threads and engines.
//! - [`NoiseField`]: standard normal noise that depends on seed and position only.
//! - [`aosa`]: the automatic choice between predicting the residual and predicting the noise.
//! - [`Ema`]: how fast the average of a network's weights follows them in the paper's code; the goldens have it, and `rddm-train`'s
//!   recipes another rule (`training.ema`, `training.mean_after`).
//!
//! Tables are computed in f64 and kept as f32; pictures are f32 in [-1, 1]. No I/O, no clock, no threads, no
//! allocation while sampling; `no_std` with `alloc`. All functions are pure Rust, so results are the same bits on every
//! machine with IEEE 754 arithmetic.
//!
//! ```
//! use rddm_core::{NoiseField, Sampler, SamplerSpec};
//!
//! let sampler = Sampler::new(SamplerSpec { steps: 2, ..SamplerSpec::default() })?;
//! let input = [0.5_f32; 8];
//! let mut noise = [0.0; 8];
//! NoiseField::new(1).fill(0, 0, 0, 0, &mut noise);
//! let mut picture = [0.0; 8];
//! sampler.start(&input, &noise, &mut picture)?;
//! for index in 0..sampler.steps().len() {
//!     // A network would get `picture`, `input` and `sampler.steps()[index].times` here.
//!     let (residual, noise) = ([0.25; 8], [0.0; 8]);
//!     sampler.step(index, &mut picture, &input, &residual, Some(&noise), None)?;
//! }
//! # Ok::<(), rddm_core::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a panic is how a test fails"))]

extern crate alloc;

pub mod aosa;
mod ema;
mod error;
mod linspace;
mod noise;
mod objective;
mod sampler;
mod schedule;
mod times;

pub use ema::{Ema, EmaUpdate};
pub use error::{Error, ErrorKind};
pub use noise::{NoiseField, Philox};
pub use objective::{Objective, Prediction, Sums};
pub use sampler::{Details, Method, Phase, Sampler, SamplerSpec, Step, TimeEncoding};
pub use schedule::{
    Coefficients, DdimBetas, DdimSpec, FirstStep, MatchedTimes, Schedule, ScheduleSpec, Shape,
    coefficients, ddim_to_rddm,
};
pub use times::sampling_times;
