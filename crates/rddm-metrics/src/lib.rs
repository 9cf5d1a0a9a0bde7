//! Measures of restored pictures: PSNR, SSIM, MAE; of generated ones: [`sliced_wasserstein`].
//!
//! Every measure takes two pictures of one shape `[channel, height, width]` with values in
//! `[0, 1]` and compares them as they are. Published figures are measured on 8-bit files: call
//! [`quantise`] on a restored picture first to measure what its file will hold.
//!
//! The measures on `Y` follow the literature on rain: the studio-range luma of BT.601
//! ([`luma`]), not rounded.
//!
//! ```
//! use ndarray::Array3;
//! let clean = Array3::<f32>::from_elem((3, 16, 16), 0.5);
//! let restored = clean.mapv(|v| v + 0.1);
//! let decibel = rddm_metrics::psnr_rgb(restored.view(), clean.view())?;
//! assert!((decibel - 20.0).abs() < 1e-4);
//! # Ok::<(), rddm_metrics::Error>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod luma;
mod pointwise;
mod ssim;
mod swd;

pub use error::{Error, ErrorKind};
pub use luma::{luma, quantise};
pub use pointwise::{mae, psnr_rgb, psnr_y};
pub use ssim::{SSIM_WINDOW, ssim_rgb, ssim_y};
pub use swd::sliced_wasserstein;
