//! Too little light: a short exposure of a dark scene, and the colour of its lamps.
//!
//! The light of every pixel is multiplied; a sensor's noise comes after it ([`super::CameraNoise`]). A camera brightens
//! what it took with a curve of its own, which `gamma` spans.

use ndarray::Array3;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::light::{to_linear, to_stored};
use super::{Degradation, Degraded, Range, check_range, log_uniform, uniform};
use crate::error::Error;

/// Too little light; the defaults span dusk to a night under lamps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exposure {
    /// Share of the light that is left, drawn evenly in its logarithm.
    pub light: Range,
    /// What red is multiplied by, against green.
    pub red: Range,
    /// What blue is multiplied by, against green.
    pub blue: Range,
    /// Exponent on the light that is left, against its full scale.
    pub gamma: Range,
}

impl Default for Exposure {
    fn default() -> Self {
        Self { light: [0.02, 0.25], red: [0.9, 1.25], blue: [0.7, 1.1], gamma: [0.9, 1.2] }
    }
}

impl Degradation for Exposure {
    fn check(&self) -> Result<(), Error> {
        check_range("light", self.light, 1e-4, 1.0)?;
        check_range("red", self.red, 0.1, 10.0)?;
        check_range("blue", self.blue, 0.1, 10.0)?;
        check_range("gamma", self.gamma, 0.1, 10.0)
    }

    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        let light = log_uniform(self.light, random);
        let gains = [uniform(self.red, random), 1.0, uniform(self.blue, random)];
        let gamma = uniform(self.gamma, random);
        let mut dark = clean.clone();
        for (mut plane, gain) in dark.outer_iter_mut().zip(gains) {
            plane.mapv_inplace(|value| to_stored(light * gain * to_linear(value).powf(gamma)));
        }
        dark.into()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// By hand: stored 0.5 is light 0.214; a tenth of it is stored 0.0214 → 1.055 · 0.0214^(1/2.4) - 0.055 = 0.158.
    #[test]
    fn multiplies_light_and_not_stored_values() {
        let exposure = Exposure { light: [0.1; 2], red: [1.0; 2], blue: [0.5; 2], gamma: [1.0; 2] };
        let clean = Array3::from_elem((3, 4, 4), 0.5);
        let dark = exposure.degrade(&clean, &mut ChaCha8Rng::seed_from_u64(1)).picture;
        assert!((dark[(0, 0, 0)] - 0.1578).abs() < 1e-3, "{}", dark[(0, 0, 0)]);
        assert!((to_linear(dark[(2, 1, 1)]) / to_linear(dark[(1, 1, 1)]) - 0.5).abs() < 1e-3);
    }
}
