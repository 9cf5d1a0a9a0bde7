//! The noise of a camera's sensor, as it comes out of its processing.
//!
//! A photosite counts photons: its variance is `shot · light + read²` (Foi et al., "Practical Poissonian-Gaussian Noise
//! Modeling and Fitting for Single-Image Raw-Data", 2008), before white balance multiplies red and blue. Each pixel has one
//! of three colours; interpolating the others spreads its error over its neighbours, and JPEG does so again.

use ndarray::{Array2, Array3};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::light::{to_linear, to_stored};
use super::{Degradation, Degraded, Range, check_range, log_uniform, uniform};
use crate::error::Error;
use crate::jpeg::{Chroma, through_jpeg};

/// Noise of a sensor; the defaults span a good camera at ISO 800 to 6400.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraNoise {
    /// Variance of a photosite at full light, drawn evenly in its logarithm.
    pub shot: Range,
    /// Standard deviation of a photosite in the dark, drawn evenly in its logarithm.
    pub read: Range,
    /// What white balance multiplies red and blue by.
    pub gain: Range,
    /// Share of the pictures that go through JPEG.
    pub jpeg: f32,
    /// Quality of that JPEG.
    pub quality: Range,
}

impl Default for CameraNoise {
    fn default() -> Self {
        Self {
            shot: [1e-4, 3e-3],
            read: [2e-4, 6e-3],
            gain: [1.2, 2.4],
            jpeg: 0.5,
            quality: [80.0, 98.0],
        }
    }
}

impl Degradation for CameraNoise {
    fn check(&self) -> Result<(), Error> {
        check_range("shot", self.shot, 1e-9, 1.0)?;
        check_range("read", self.read, 1e-9, 1.0)?;
        check_range("gain", self.gain, 0.1, 16.0)?;
        check_range("jpeg", [0.0, self.jpeg], 0.0, 1.0)?;
        check_range("quality", self.quality, 1.0, 100.0)
    }

    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        let shot = log_uniform(self.shot, random);
        let read = log_uniform(self.read, random);
        let gains = [uniform(self.gain, random), 1.0, uniform(self.gain, random)];
        let (_, height, width) = clean.dim();
        let light = clean.mapv(to_linear);
        let (row, column) = (random.random_range(0..2), random.random_range(0..2));
        let colour = |y: usize, x: usize| match ((y + row) % 2, (x + column) % 2) {
            (0, 0) => 0,
            (1, 1) => 2,
            _ => 1,
        };
        // The error alone is interpolated, so that the clean picture keeps its sharpness.
        let error = Array2::from_shape_fn((height, width), |(y, x)| {
            let channel = colour(y, x);
            let photosite = light[(channel, y, x)] / gains[channel];
            let normal: f32 = random.sample(StandardNormal);
            normal * (shot * photosite + read * read).sqrt() * gains[channel]
        });
        let noisy = Array3::from_shape_fn((3, height, width), |(channel, y, x)| {
            to_stored(light[(channel, y, x)] + interpolate(&error, channel, y, x, colour))
        });
        let stored = if random.random::<f32>() < self.jpeg {
            let quality = uniform(self.quality, random).round() as u8;
            through_jpeg(&noisy, quality, Chroma::Full).unwrap_or(noisy)
        } else {
            noisy.mapv(|value| (value * 255.0).round() / 255.0)
        };
        stored.into()
    }
}

/// The mean of a colour's photosites in the 3×3 around a pixel; the pixel itself where it has that colour.
fn interpolate(
    mosaic: &Array2<f32>,
    channel: usize,
    y: usize,
    x: usize,
    colour: impl Fn(usize, usize) -> usize,
) -> f32 {
    if colour(y, x) == channel {
        return mosaic[(y, x)];
    }
    let (height, width) = mosaic.dim();
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for v in y.saturating_sub(1)..(y + 2).min(height) {
        for u in x.saturating_sub(1)..(x + 2).min(width) {
            if colour(v, u) == channel {
                sum += mosaic[(v, u)];
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn noise_of(grey: f32, noise: &CameraNoise) -> (f32, f32) {
        let clean = Array3::from_elem((3, 128, 128), grey);
        let noisy = noise.degrade(&clean, &mut ChaCha8Rng::seed_from_u64(5)).picture;
        let green = noisy.index_axis(ndarray::Axis(0), 1).to_owned() - grey;
        let deviation = green.mapv(|v| v * v).mean().unwrap().sqrt();
        let beside = green.windows((1, 2)).into_iter().map(|w| w[(0, 0)] * w[(0, 1)]).sum::<f32>()
            / (128.0 * 127.0);
        (deviation, beside / (deviation * deviation))
    }

    /// The variance that the model states, by hand: at 0.5 stored the light is 0.214, the slope of the curve
    /// 1.055 / 2.4 · 0.214^(1/2.4 - 1) = 1.08; half of the green pixels are means of four.
    #[test]
    fn has_the_variance_and_the_correlation_of_its_model() {
        let noise = CameraNoise {
            shot: [1e-3, 1e-3],
            read: [1e-3, 1e-3],
            jpeg: 0.0,
            ..CameraNoise::default()
        };
        let (deviation, correlation) = noise_of(0.5, &noise);
        let photosite = (1e-3_f32 * 0.214 + 1e-6).sqrt() * 1.08;
        let expected = photosite * (0.5_f32 + 0.5 / 4.0).sqrt();
        assert!((deviation / expected - 1.0).abs() < 0.06, "{deviation} against {expected}");
        assert!(correlation > 0.2, "neighbours correlate by {correlation} only");
    }

    #[test]
    fn bright_pixels_have_more_of_it_in_light_and_dark_ones_after_the_curve() {
        let noise =
            CameraNoise { jpeg: 0.0, shot: [1e-3; 2], read: [4e-3; 2], ..CameraNoise::default() };
        assert!(noise_of(0.1, &noise).0 > noise_of(0.8, &noise).0);
    }
}
