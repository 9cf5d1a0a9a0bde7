//! Streaks of rain.
//!
//! Drops fall along one wind; each draws a line as long as the shutter is open. Near drops are few, long and wide, far
//! ones many, short and faint. A streak adds light, and what is bright already saturates.

use ndarray::{Array2, Array3};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::{Degradation, Degraded, Range, check_range};
use crate::error::Error;

/// Rain; the defaults span drizzle to a downpour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rain {
    /// Streaks per thousand pixels, drawn evenly in its logarithm.
    pub density: Range,
    /// Length of a near streak, pixels.
    pub length: Range,
    /// Width of a near streak, pixels: twice the standard deviation of its profile.
    pub width: Range,
    /// Angle of the wind from straight down, degrees.
    pub angle: Range,
    /// Standard deviation of a streak's angle from the wind's, degrees.
    pub spread: Range,
    /// Stored value that a near streak adds.
    pub light: Range,
}

impl Default for Rain {
    fn default() -> Self {
        Self {
            density: [0.5, 8.0],
            length: [12.0, 60.0],
            width: [1.0, 3.0],
            angle: [-45.0, 45.0],
            spread: [0.5, 4.0],
            light: [0.2, 0.7],
        }
    }
}

/// One streak: a segment with a soft profile.
struct Streak {
    centre: [f32; 2],
    direction: [f32; 2],
    half_length: f32,
    sigma: f32,
    light: f32,
}

impl Degradation for Rain {
    fn check(&self) -> Result<(), Error> {
        check_range("density", self.density, 1e-3, 100.0)?;
        check_range("length", self.length, 1.0, 1000.0)?;
        check_range("width", self.width, 0.1, 100.0)?;
        check_range("angle", self.angle, -90.0, 90.0)?;
        check_range("spread", self.spread, 0.0, 90.0)?;
        check_range("light", self.light, 0.0, 1.0)
    }

    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        let (_, height, width) = clean.dim();
        let mut between = |[least, most]: Range| random.random_range(least..=most);
        let density = between(self.density.map(f32::ln)).exp();
        let (wind, spread) = (between(self.angle), between(self.spread));
        let (length, thickness, light) =
            (between(self.length), between(self.width), between(self.light));
        // Streaks that begin outside reach in.
        let margin = length;
        let area = (height as f32 + 2.0 * margin) * (width as f32 + 2.0 * margin);
        let count = (area / 1000.0 * density).round() as usize;
        let mut veil = Array2::<f32>::zeros((height, width));
        for _ in 0..count {
            // Distance in near planes: the number of drops rises with its square, all else falls with it.
            let distance = 1.0 + 3.0 * random.random::<f32>().sqrt();
            let turn: f32 = random.sample(StandardNormal);
            let angle = (wind + spread * turn).to_radians();
            let stretch = random.random_range(0.6..1.4);
            let streak = Streak {
                centre: [
                    random.random_range(-margin..height as f32 + margin),
                    random.random_range(-margin..width as f32 + margin),
                ],
                direction: [angle.cos(), angle.sin()],
                half_length: 0.5 * length * stretch / distance.sqrt(),
                sigma: (0.5 * thickness / distance).max(0.35),
                light: light * random.random_range(0.5..1.0) / distance.sqrt(),
            };
            streak.draw(&mut veil);
        }
        let add = |(channel, y, x)| (clean[(channel, y, x)] + veil[(y, x)]).min(1.0);
        Array3::from_shape_fn(clean.dim(), add).into()
    }
}

impl Streak {
    fn draw(&self, veil: &mut Array2<f32>) {
        let (height, width) = veil.dim();
        let reach = |axis: usize| self.half_length * self.direction[axis].abs() + 3.0 * self.sigma;
        let rows = overlap(self.centre[0], reach(0), height);
        let columns = overlap(self.centre[1], reach(1), width);
        for y in rows {
            for x in columns.clone() {
                let (dy, dx) = (y as f32 - self.centre[0], x as f32 - self.centre[1]);
                let along = (dy * self.direction[0] + dx * self.direction[1]).abs();
                let across = dy * self.direction[1] - dx * self.direction[0];
                let beyond = (along - self.half_length).max(0.0);
                let squared = (across * across + beyond * beyond) / (self.sigma * self.sigma);
                if squared < 9.0 {
                    veil[(y, x)] += self.light * (-0.5 * squared).exp();
                }
            }
        }
    }
}

/// The whole numbers of `0 .. length` that are within `reach` of `centre`.
fn overlap(centre: f32, reach: f32, length: usize) -> std::ops::Range<usize> {
    let from = (centre - reach).ceil().max(0.0) as usize;
    let to = ((centre + reach).floor() + 1.0).max(0.0) as usize;
    from.min(length)..to.min(length)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn adds_light_along_the_wind() {
        let clean = Array3::from_elem((3, 128, 128), 0.2);
        let rain = Rain { density: [8.0; 2], angle: [0.0; 2], spread: [0.0; 2], ..Rain::default() };
        let rainy = rain.degrade(&clean, &mut ChaCha8Rng::seed_from_u64(3)).picture;
        assert!(rainy.iter().zip(&clean).all(|(wet, dry)| wet >= dry && *wet <= 1.0));
        assert!(rainy.mean().unwrap() > 0.21);
        let change = |dy: usize, dx: usize| -> f32 {
            let (h, w) = (128 - dy, 128 - dx);
            (0..h * w)
                .map(|i| (rainy[(0, i / w, i % w)] - rainy[(0, i / w + dy, i % w + dx)]).abs())
                .sum()
        };
        // Straight down: along a column the light changes slowly, across it fast.
        assert!(change(0, 1) > 3.0 * change(1, 0), "{} {}", change(0, 1), change(1, 0));
    }

    #[test]
    fn the_same_generator_makes_the_same_rain() {
        let clean = Array3::from_elem((3, 32, 32), 0.4);
        let wet =
            |seed| Rain::default().degrade(&clean, &mut ChaCha8Rng::seed_from_u64(seed)).picture;
        assert_eq!(wet(1), wet(1));
        assert_ne!(wet(1), wet(2));
    }
}
