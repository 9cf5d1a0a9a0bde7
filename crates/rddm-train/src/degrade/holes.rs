//! Parts of a picture whose content is lost: scratches, strokes of a pen, covered rectangles.

use std::f32::consts::TAU;

use ndarray::{Array2, Array3};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Degradation, Degraded, Range, check_range, log_uniform, uniform};
use crate::error::Error;

/// Holes; the defaults are a few thick strokes and small rectangles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holes {
    /// Share of the pixels that are lost, at least.
    pub area: Range,
    /// Width of a stroke, pixels.
    pub width: Range,
    /// Sides of a rectangle, pixels, drawn evenly in their logarithm.
    pub side: Range,
    /// Share of the holes that are strokes; the others are rectangles.
    pub strokes: f32,
    /// Share of the pictures whose holes show something else of the picture; the others' have one colour.
    pub covered: f32,
}

impl Default for Holes {
    fn default() -> Self {
        Self {
            area: [0.02, 0.2],
            width: [2.0, 10.0],
            side: [4.0, 24.0],
            strokes: 0.7,
            covered: 0.5,
        }
    }
}

impl Degradation for Holes {
    fn check(&self) -> Result<(), Error> {
        check_range("area", self.area, 0.0, 0.9)?;
        check_range("width", self.width, 1.0, 1000.0)?;
        check_range("side", self.side, 1.0, 1e4)?;
        check_range("strokes", [0.0, self.strokes], 0.0, 1.0)?;
        check_range("covered", [0.0, self.covered], 0.0, 1.0)
    }

    /// A network that is told where the holes are learns to ignore what is in them only when that can be anything: one
    /// colour, or what the picture has at the opposite place.
    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        let (_, height, width) = clean.dim();
        let wanted = uniform(self.area, random) * (height * width) as f32;
        let mut mask = Array2::<f32>::zeros((height, width));
        let mut lost = 0;
        while (lost as f32) < wanted {
            lost += if random.random::<f32>() < self.strokes {
                self.stroke(&mut mask, random)
            } else {
                self.rectangle(&mut mask, random)
            };
        }
        let covered = random.random::<f32>() < self.covered;
        let colour: [f32; 3] = random.random();
        let picture = Array3::from_shape_fn(clean.dim(), |(channel, y, x)| {
            if mask[(y, x)] == 0.0 {
                clean[(channel, y, x)]
            } else if covered {
                clean[(channel, height - 1 - y, width - 1 - x)]
            } else {
                colour[channel]
            }
        });
        Degraded { picture, mask: Some(mask) }
    }
}

impl Holes {
    /// A round pen along a curve that turns at random; how many pixels it marks that were not marked.
    fn stroke(&self, mask: &mut Array2<f32>, random: &mut ChaCha8Rng) -> usize {
        let (height, width) = mask.dim();
        let radius = 0.5 * uniform(self.width, random);
        let steps = random.random_range(4..40);
        let mut angle = random.random_range(0.0..TAU);
        let mut at =
            [random.random::<f32>() * height as f32, random.random::<f32>() * width as f32];
        let mut marked = 0;
        for _ in 0..steps {
            marked += fill(mask, at, [radius; 2], |down, right| down.hypot(right) <= radius);
            angle += random.random_range(-0.5..0.5);
            let step = radius.max(1.0);
            at = [at[0] + step * angle.sin(), at[1] + step * angle.cos()];
        }
        marked
    }

    fn rectangle(&self, mask: &mut Array2<f32>, random: &mut ChaCha8Rng) -> usize {
        let (height, width) = mask.dim();
        let at = [random.random::<f32>() * height as f32, random.random::<f32>() * width as f32];
        let half = [0.5 * log_uniform(self.side, random), 0.5 * log_uniform(self.side, random)];
        fill(mask, at, half, |_, _| true)
    }
}

/// Marks the pixels around a place, as far as `reach`, whose distances down and right are inside; at least the nearest. How
/// many of them were not marked.
fn fill(
    mask: &mut Array2<f32>,
    at: [f32; 2],
    reach: [f32; 2],
    inside: impl Fn(f32, f32) -> bool,
) -> usize {
    let (height, width) = mask.dim();
    let range = |axis: usize, length: usize| {
        let from = (at[axis] - reach[axis]).round().max(0.0) as usize;
        let to = (at[axis] + reach[axis]).round().max(0.0) as usize + 1;
        from.min(length)..to.min(length)
    };
    let columns = range(1, width);
    let mut marked = 0;
    for y in range(0, height) {
        for x in columns.clone() {
            let (down, right) = (y as f32 - at[0], x as f32 - at[1]);
            if inside(down, right) || down.abs().max(right.abs()) <= 0.5 {
                marked += usize::from(std::mem::replace(&mut mask[(y, x)], 1.0) == 0.0);
            }
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn loses_what_was_asked_for_and_nothing_beside_it() {
        for (seed, area) in (0..12).zip([0.02, 0.1, 0.3].into_iter().cycle()) {
            let covered = (seed % 2) as f32;
            let holes = Holes { area: [area; 2], covered, ..Holes::default() };
            let clean = Array3::from_shape_fn((3, 64, 96), |(c, y, x)| {
                ((c * 31 + y * 7 + x * 3) % 101) as f32 / 101.0
            });
            let Degraded { picture, mask } =
                holes.degrade(&clean, &mut ChaCha8Rng::seed_from_u64(seed));
            let mask = mask.unwrap();
            let share = mask.mean().unwrap();
            let mut again = mask.clone();
            let [stroke, before] =
                [holes.stroke(&mut again, &mut ChaCha8Rng::seed_from_u64(seed)) as f32, mask.sum()];
            assert_eq!(before + stroke, again.sum());
            assert!((area..area + 0.2).contains(&share), "{share} of {area}");
            let mut colour = [None; 3];
            for ((channel, y, x), &value) in picture.indexed_iter() {
                let expected = match (mask[(y, x)], seed % 2) {
                    (0.0, _) => clean[(channel, y, x)],
                    (_, 0) => *colour[channel].get_or_insert(value),
                    _ => clean[(channel, 63 - y, 95 - x)],
                };
                assert_eq!(value, expected);
            }
        }
    }
}
