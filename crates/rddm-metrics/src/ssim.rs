//! The window is separable, so each row is filtered across once and kept until the eleven rows
//! that one row of the map needs are there: memory is a few rows, whatever the picture's size.

use ndarray::{ArrayView2, ArrayView3, Axis};

use crate::pointwise::{not_finite, same_shape};
use crate::{Error, ErrorKind, luma};

/// Rows and columns of SSIM's Gaussian window: the least size of a picture that it can measure.
pub const SSIM_WINDOW: usize = 11;

/// Structural similarity (Wang et al., 2004), the mean over all channels; 1 for equal pictures.
///
/// Gaussian window of 11×11 with σ = 1.5, positions where the window lies inside the picture,
/// `K₁ = 0.01`, `K₂ = 0.03`, range 1, no down-sampling:
/// `SSIM = (2 μₐ μᵦ + C₁)(2 σₐᵦ + C₂) / ((μₐ² + μᵦ² + C₁)(σₐ² + σᵦ² + C₂))`.
///
/// # Errors
/// [`ErrorKind::Shape`] where the shapes differ, [`ErrorKind::Size`] where a side is shorter than
/// [`SSIM_WINDOW`], [`ErrorKind::NotFinite`] where a value is NaN or infinite.
pub fn ssim_rgb(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> Result<f64, Error> {
    same_shape(a, b)?;
    let (channels, height, width) = a.dim();
    if height < SSIM_WINDOW || width < SSIM_WINDOW {
        return Err(Error::new(
            ErrorKind::Size,
            format!(
                "SSIM needs pictures of at least {SSIM_WINDOW}×{SSIM_WINDOW} pixels, and these have {width}×{height}"
            ),
        ));
    }
    let sum: f64 = a.axis_iter(Axis(0)).zip(b.axis_iter(Axis(0))).map(|(a, b)| plane(a, b)).sum();
    if !sum.is_finite() {
        return Err(not_finite());
    }
    Ok(sum / channels as f64)
}

/// Structural similarity of the [`luma`], with the range of 255 steps.
///
/// # Errors
/// Those of [`ssim_rgb`] and [`luma`].
pub fn ssim_y(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> Result<f64, Error> {
    same_shape(a, b)?;
    ssim_rgb(luma(a)?.view(), luma(b)?.view())
}

/// The sums that SSIM needs at a position, each weighted by the window: a, b, a², b², ab.
const MOMENTS: usize = 5;

fn plane(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> f64 {
    let (height, width) = a.dim();
    let window = window();
    let across = width - SSIM_WINDOW + 1;
    let mut rows: Vec<[Vec<f64>; MOMENTS]> =
        (0..SSIM_WINDOW).map(|_| std::array::from_fn(|_| vec![0.0; across])).collect();
    let mut products: [Vec<f64>; MOMENTS] = std::array::from_fn(|_| vec![0.0; width]);
    let mut moments: [Vec<f64>; MOMENTS] = std::array::from_fn(|_| vec![0.0; across]);
    let mut sum = 0.0;
    for y in 0..height {
        for (x, (&a, &b)) in a.row(y).iter().zip(b.row(y)).enumerate() {
            let (a, b) = (f64::from(a), f64::from(b));
            for (product, value) in products.iter_mut().zip([a, b, a * a, b * b, a * b]) {
                product[x] = value;
            }
        }
        for (product, row) in products.iter().zip(&mut rows[y % SSIM_WINDOW]) {
            row.fill(0.0);
            for (tap, weight) in window.iter().enumerate() {
                add_scaled(row, &product[tap..tap + across], *weight);
            }
        }
        let Some(top) = (y + 1).checked_sub(SSIM_WINDOW) else { continue };
        for (index, moment) in moments.iter_mut().enumerate() {
            moment.fill(0.0);
            for (tap, weight) in window.iter().enumerate() {
                add_scaled(moment, &rows[(top + tap) % SSIM_WINDOW][index], *weight);
            }
        }
        sum += (0..across).map(|x| similarity(moments.each_ref().map(|m| m[x]))).sum::<f64>();
    }
    sum / (across * (height - SSIM_WINDOW + 1)) as f64
}

fn add_scaled(out: &mut [f64], values: &[f64], weight: f64) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += weight * value;
    }
}

fn similarity([a, b, aa, bb, ab]: [f64; MOMENTS]) -> f64 {
    const C1: f64 = 0.01 * 0.01;
    const C2: f64 = 0.03 * 0.03;
    let (variance_a, variance_b, covariance) = (aa - a * a, bb - b * b, ab - a * b);
    (2.0 * a * b + C1) * (2.0 * covariance + C2)
        / ((a * a + b * b + C1) * (variance_a + variance_b + C2))
}

fn window() -> [f64; SSIM_WINDOW] {
    const SIGMA: f64 = 1.5;
    let weights: [f64; SSIM_WINDOW] = std::array::from_fn(|tap| {
        let distance = tap as f64 - (SSIM_WINDOW / 2) as f64;
        (-distance * distance / (2.0 * SIGMA * SIGMA)).exp()
    });
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}
