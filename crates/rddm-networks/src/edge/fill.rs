//! What is lost below a mask, filled from around it before a network looks.
//!
//! First by a pull and a push (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4): means of what is known are made at
//! ever coarser resolutions, and from the coarsest to the finest what is not known is taken from the coarser. Then steps
//! towards the biharmonic surface, `Δ²u = 0`, that continues values and slopes. It fills thin holes almost as well as anything
//! can, and a network has the rest to find alone.

use std::f64::consts::PI;

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;

use super::{enlarged, shrunk};

/// How much of a cell of 2×2 pixels has to be known for its mean to count in full.
const ENOUGH: f32 = 0.25;

/// Keeps an empty cell from being divided by 0; at the coarsest of 8 levels one known pixel weighs more.
const LEAST: f32 = 1e-6;

/// Steps towards the biharmonic surface; each reaches two pixels further.
pub(super) const STEPS: usize = 8;

/// The greatest eigenvalue of what is made 0.
const FASTEST: f64 = 16.0 / 9.0;

/// The smallest one that the steps are made for: of holes about four pixels wide.
const SLOWEST: f64 = 0.1;

/// `picture`, `[n, any, h, w]`, with what `marked`, `[n, 1, h, w]` from 0 to 1, marks filled from as far as about `2^levels`
/// pixels; 0, grey, where nothing is known as far. `h` and `w` are multiples of `2^levels`, `levels` is at least 1.
pub(super) fn filled(picture: Tensor<4>, marked: Tensor<4>, levels: usize) -> Tensor<4> {
    let known = rest_of(marked.clone());
    let seen = picture * known.clone();
    let pushed = enlarged(pushed(seen.clone(), known, levels), 2);
    (0..STEPS).fold(seen + pushed * marked.clone(), |filled, step| {
        let curvature = mean(filled.clone()) - filled.clone();
        filled - (mean(curvature.clone()) - curvature) * (marked.clone() * length(step))
    })
}

/// Of a step: one over a root of the Chebyshev polynomial of `[SLOWEST, FASTEST]`, so that all of them together leave the least
/// of any error whose eigenvalue lies within (Golub and Varga, Numerische Mathematik 3, 1961). Long and short ones take
/// turns, which keeps the rounding small.
fn length(step: usize) -> f64 {
    const { assert!(!STEPS.is_multiple_of(3), "every third root visits all of them") };
    let root = 3 * step % STEPS;
    let root = ((2 * root + 1) as f64 * PI / (2 * STEPS) as f64).cos();
    2.0 / (FASTEST + SLOWEST + (FASTEST - SLOWEST) * root)
}

/// At half the size: means of the known pixels, whose sums and weights are given, and of what is known half as finely beyond.
fn pushed(sum: Tensor<4>, weight: Tensor<4>, levels: usize) -> Tensor<4> {
    let (sum, weight) = (shrunk(sum, 2), shrunk(weight, 2));
    let sure = (weight.clone() / ENOUGH).clamp_max(1.0);
    let known = sum.clone() / weight.clone().clamp_min(LEAST) * sure.clone();
    if levels == 1 {
        return known;
    }
    known + enlarged(pushed(sum, weight, levels - 1), 2) * rest_of(sure)
}

fn rest_of(share: Tensor<4>) -> Tensor<4> {
    -share + 1.0
}

/// Of the 3×3 pixels around each, of those that are within the picture. Less the pixel itself it is a Laplacian, whose square has
/// no eigenvalue above [`FASTEST`].
fn mean(x: Tensor<4>) -> Tensor<4> {
    let options = AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]);
    avg_pool2d(x, options.with_count_include_pad(false))
}
