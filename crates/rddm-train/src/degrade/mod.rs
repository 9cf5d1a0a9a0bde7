//! What is done to clean pictures to make examples.
//!
//! A degradation is physical where it can be: light is added and scaled in linear light. To add one: a file here, a
//! variant of [`DegradationSpec`], a line in `unchecked`.

mod blur;
mod camera_noise;
mod exposure;
mod holes;
mod kernels;
pub(crate) mod light;
mod rain;
mod shadow;

pub use blur::Blur;
pub use camera_noise::CameraNoise;
pub use exposure::Exposure;
pub use holes::Holes;
pub use kernels::KernelBlur;
pub use rain::Rain;
pub use shadow::Shadow;

use std::path::Path;

use ndarray::{Array2, Array3, Zip};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// Makes a degraded picture from a clean one.
pub trait Degradation: Send + Sync {
    /// Checks that its numbers are such as can be drawn from.
    ///
    /// # Errors
    /// When a range is empty or a number is none; the text names the key.
    fn check(&self) -> Result<(), Error>;

    /// Degrades a picture `[3, height, width]`, values in [0, 1].
    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded;
}

/// A degraded picture.
#[derive(Debug, Clone)]
pub struct Degraded {
    /// The picture, of the clean one's shape, values in [0, 1].
    pub picture: Array3<f32>,
    /// Where it is degraded, `[height, width]` from 0 to 1; none where it is all over.
    pub mask: Option<Array2<f32>>,
}

impl From<Array3<f32>> for Degraded {
    /// A picture that is degraded all over.
    fn from(picture: Array3<f32>) -> Self {
        Self { picture, mask: None }
    }
}

/// A degradation as a recipe names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum DegradationSpec {
    /// The blur of a moved camera or of a wrong distance.
    Blur(Blur),
    /// The blur of kernels that were measured.
    KernelBlur(KernelBlur),
    /// The noise of a camera's sensor, as it comes out of its processing.
    CameraNoise(CameraNoise),
    /// Too little light, and its colour.
    Exposure(Exposure),
    /// Strokes and rectangles whose content is lost.
    Holes(Holes),
    /// Streaks of rain.
    Rain(Rain),
    /// A shadow that something outside the picture casts.
    Shadow(Shadow),
    /// One after the other, in the order in which light meets them.
    Chain {
        /// The degradations.
        of: Vec<DegradationSpec>,
    },
}

/// Degradations one after the other.
struct Chain(Vec<Box<dyn Degradation>>);

impl Degradation for Chain {
    fn check(&self) -> Result<(), Error> {
        self.0.iter().try_for_each(|degradation| degradation.check())
    }

    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        self.0.iter().fold(clean.clone().into(), |so_far: Degraded, degradation| {
            let Degraded { picture, mask } = degradation.degrade(&so_far.picture, random);
            let mask = match (so_far.mask, mask) {
                (Some(before), Some(now)) => {
                    Some(Zip::from(&before).and(&now).map_collect(|a, b| a.max(*b)))
                }
                (before, now) => before.or(now),
            };
            Degraded { picture, mask }
        })
    }
}

impl DegradationSpec {
    /// Whether it tells where a picture is degraded.
    pub fn masks(&self) -> bool {
        match self {
            Self::Shadow(_) | Self::Holes(_) => true,
            Self::Chain { of } => of.iter().any(Self::masks),
            _ => false,
        }
    }

    /// The same on a picture that was made `by` times smaller before; none for what such a picture no longer shows.
    pub fn afar(&self, by: usize) -> Option<Self> {
        match self {
            Self::Shadow(shadow) => Some(Self::Shadow(shadow.afar(by))),
            Self::Exposure(exposure) => Some(Self::Exposure(exposure.clone())),
            Self::Chain { of } => {
                let of =
                    of.iter().map(|degradation| degradation.afar(by)).collect::<Option<_>>()?;
                Some(Self::Chain { of })
            }
            Self::Blur(_)
            | Self::KernelBlur(_)
            | Self::CameraNoise(_)
            | Self::Holes(_)
            | Self::Rain(_) => None,
        }
    }
}

/// The degradation that a recipe names; what it reads lies below the folder `data`.
///
/// # Errors
/// When a range is empty or a number is none, or what it reads is not there.
pub fn build(spec: &DegradationSpec, data: &Path) -> Result<Box<dyn Degradation>, Error> {
    let degradation = unchecked(spec, data)?;
    degradation.check()?;
    Ok(degradation)
}

/// The degradation of a specification whose numbers were checked, such as that which another was made from.
pub(crate) fn unchecked(
    spec: &DegradationSpec,
    data: &Path,
) -> Result<Box<dyn Degradation>, Error> {
    Ok(match spec {
        DegradationSpec::Blur(blur) => Box::new(blur.clone()),
        DegradationSpec::KernelBlur(blur) => Box::new(blur.read(data)?),
        DegradationSpec::CameraNoise(noise) => Box::new(noise.clone()),
        DegradationSpec::Exposure(exposure) => Box::new(exposure.clone()),
        DegradationSpec::Holes(holes) => Box::new(holes.clone()),
        DegradationSpec::Rain(rain) => Box::new(rain.clone()),
        DegradationSpec::Shadow(shadow) => Box::new(shadow.clone()),
        DegradationSpec::Chain { of } => {
            Box::new(Chain(of.iter().map(|one| unchecked(one, data)).collect::<Result<_, _>>()?))
        }
    })
}

/// A picture `[3, height, width]`, values in [0, 1], degraded by what is drawn from a seed.
pub fn once(degradation: &dyn Degradation, clean: &Array3<f32>, seed: u64) -> Degraded {
    degradation.degrade(clean, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// A range that a number is drawn from, `[least, most]`.
pub type Range = [f32; 2];

pub(crate) fn uniform(range: Range, random: &mut impl Rng) -> f32 {
    random.random_range(range[0]..=range[1])
}

/// Evenly in the logarithm.
pub(crate) fn log_uniform(range: Range, random: &mut impl Rng) -> f32 {
    uniform(range.map(f32::ln), random).exp()
}

fn check_range(key: &str, range: Range, least: f32, most: f32) -> Result<(), Error> {
    no_range(range, least, most).map_or(Ok(()), |problem| {
        Err(Error::new(Kind::Recipe, format!("degradation.{key}: {problem}")))
    })
}

/// What is wrong with a range that should be within `least ..= most`.
pub(crate) fn no_range([from, to]: Range, least: f32, most: f32) -> Option<String> {
    let right = from >= least && from <= to && to <= most;
    (!right).then(|| format!("[{from}, {to}] is no range within {least} ..= {most}"))
}
