//! Other light on clean pictures.

use ndarray::Array3;
use rand::Rng;

use crate::degrade::light::{to_linear, to_stored};
use crate::degrade::{log_uniform, uniform};
use crate::recipe::Relight;

/// Intervals of the curve between stored values, which is straight within each.
const INTERVALS: usize = 256;

/// The picture `[channels, height, width]`, values in [0, 1], as it would be in more or less light of another colour, where a
/// recipe says so.
pub(super) fn relit(
    mut picture: Array3<f32>,
    relight: Option<Relight>,
    random: &mut impl Rng,
) -> Array3<f32> {
    let Some(Relight { exposure, balance, contrast }) = relight else { return picture };
    let exposure = log_uniform(exposure, random);
    let contrast = uniform(contrast, random);
    let most = 1.0 + balance;
    let coloured = picture.dim().0 == 3;
    for (channel, mut plane) in picture.outer_iter_mut().enumerate() {
        let colour =
            if coloured && channel != 1 { log_uniform([1.0 / most, most], random) } else { 1.0 };
        let curve: Vec<f32> = (0..=INTERVALS)
            .map(|at| to_stored(to_linear(at as f32 / INTERVALS as f32) * exposure * colour))
            .collect();
        let relit = |value: f32| {
            let at = value.clamp(0.0, 1.0) * INTERVALS as f32;
            let below = (at as usize).min(INTERVALS - 1);
            curve[below] + (at - below as f32) * (curve[below + 1] - curve[below])
        };
        plane.mapv_inplace(relit);
        let mean = plane.mean().unwrap_or_default();
        plane.mapv_inplace(|value| mean + contrast * (value - mean));
    }
    picture
}
