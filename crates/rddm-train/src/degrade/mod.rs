//! What is done to clean pictures to make examples.
//!
//! A degradation is physical where it can be: light is added and scaled in linear light. To add one: a file here, a
//! variant of [`DegradationSpec`], a line in [`build`].

mod camera_noise;
mod light;
mod rain;

pub use camera_noise::CameraNoise;
pub use rain::Rain;

use ndarray::Array3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// Makes a degraded picture from a clean one.
pub trait Degradation: Send + Sync {
    /// The degraded picture; both are `[3, height, width]`, values in [0, 1].
    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Array3<f32>;
}

/// A degradation as a recipe names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DegradationSpec {
    /// The noise of a camera's sensor, as it comes out of its processing.
    CameraNoise(CameraNoise),
    /// Streaks of rain.
    Rain(Rain),
}

/// The degradation that a recipe names.
///
/// # Errors
/// When a range is empty or a number is none.
pub fn build(spec: &DegradationSpec) -> Result<Box<dyn Degradation>, Error> {
    match spec {
        DegradationSpec::CameraNoise(noise) => {
            noise.check()?;
            Ok(Box::new(noise.clone()))
        }
        DegradationSpec::Rain(rain) => {
            rain.check()?;
            Ok(Box::new(rain.clone()))
        }
    }
}

/// A degraded picture, drawn from a seed; both are `[3, height, width]`, values in [0, 1].
pub fn once(degradation: &dyn Degradation, clean: &Array3<f32>, seed: u64) -> Array3<f32> {
    degradation.degrade(clean, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// A range that a number is drawn from, `[least, most]`.
pub type Range = [f32; 2];

fn check_range(key: &str, range: Range, least: f32, most: f32) -> Result<(), Error> {
    let [from, to] = range;
    if from >= least && from <= to && to <= most {
        return Ok(());
    }
    let problem =
        format!("degradation.{key}: [{from}, {to}] is no range within {least} ..= {most}");
    Err(Error::new(Kind::Recipe, problem))
}
