//! A shadow that something outside the picture casts.
//!
//! Where the sun is hidden, the sky's light alone is left: less of it, and bluer. The sun is no point, so that the border
//! is a ramp as wide as the caster is far (the penumbra). Shadows are drawn as the part of the plane where a sum of a few
//! waves is high, or as the inside of a polygon, or as a strip across it, or as all beyond a line: round foliage, straight
//! walls, poles and trunks, houses.

use std::f32::consts::TAU;
use std::ops::RangeInclusive;

use ndarray::{Array2, Array3};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::light::{to_linear, to_stored};
use super::{Degradation, Degraded, Range, check_range, log_uniform, uniform};
use crate::error::Error;

/// A shadow; the defaults span hard and soft shadows of a clear day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shadow {
    /// Share of the light that is left in the shadow's core.
    pub light: Range,
    /// How much more of the blue light is left than of the red: blue is multiplied by it, red divided.
    pub blue: Range,
    /// Width of the border, pixels, drawn evenly in its logarithm.
    pub penumbra: Range,
    /// Size of the shape, pixels, drawn evenly in its logarithm.
    pub size: Range,
    /// Share of the shapes that are strips from border to border, such as trunks cast.
    pub strips: f32,
    /// Share of the shapes that are all that lies beyond a straight border, such as a house casts. Half of what is neither
    /// this nor a strip is round, half straight.
    pub edges: f32,
}

impl Default for Shadow {
    fn default() -> Self {
        Self {
            light: [0.15, 0.6],
            blue: [1.0, 1.25],
            penumbra: [1.0, 24.0],
            size: [40.0, 400.0],
            strips: 0.0,
            edges: 0.0,
        }
    }
}

impl Shadow {
    /// The same on a picture that was made `by` times smaller: light keeps its share in means of pixels, as nearly as makes no
    /// difference where the shadow's border is not among them.
    pub(super) fn afar(&self, by: usize) -> Self {
        let smaller = |lengths: Range| lengths.map(|length| length / by as f32);
        Self { penumbra: smaller(self.penumbra), size: smaller(self.size), ..self.clone() }
    }
}

impl Degradation for Shadow {
    fn check(&self) -> Result<(), Error> {
        check_range("light", self.light, 0.0, 1.0)?;
        check_range("blue", self.blue, 0.1, 10.0)?;
        check_range("penumbra", self.penumbra, 0.1, 1000.0)?;
        check_range("size", self.size, 1.0, 1e5)?;
        check_range("strips", [0.0, self.strips], 0.0, 1.0)?;
        check_range("edges", [0.0, self.edges], 0.0, 1.0)?;
        // Above 1 by a rounding at most, as 0.6 and 0.4 may be.
        check_range("strips + edges", [0.0, self.strips + self.edges], 0.0, 1.0 + 1e-6)
    }

    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        let (_, height, width) = clean.dim();
        let light = uniform(self.light, random);
        let blue = uniform(self.blue, random);
        let kept = [light / blue, light, light * blue].map(|share| share.min(1.0));
        let border = log_uniform(self.penumbra, random);
        let size = log_uniform(self.size, random);
        // Without `strips` and `edges` nothing is drawn for them: a recipe from before they were there makes the same shadows.
        let kinds = self.strips + self.edges;
        let kind = if kinds > 0.0 { random.random::<f32>() } else { 1.0 };
        let depth = if kind < self.strips {
            convex([height, width], size, 2..=2, 0.04, random)
        } else if kind < kinds {
            convex([height, width], size, 1..=1, 0.25, random)
        } else if random.random() {
            waves(height, width, size, random)
        } else {
            convex([height, width], size, 3..=5, 0.25, random)
        };
        // The share of the sun that is hidden, smooth at both ends of the border.
        let hidden = depth.mapv(|depth| {
            let share = (depth / border + 0.5).clamp(0.0, 1.0);
            share * share * (3.0 - 2.0 * share)
        });
        let picture = Array3::from_shape_fn(clean.dim(), |(channel, y, x)| {
            let left = 1.0 - hidden[(y, x)] * (1.0 - kept[channel]);
            to_stored(to_linear(clean[(channel, y, x)]) * left)
        });
        Degraded { picture, mask: Some(hidden) }
    }
}

/// About how far, in pixels, a pixel is inside the shape; negative outside.
fn waves(height: usize, width: usize, size: f32, random: &mut ChaCha8Rng) -> Array2<f32> {
    let waves: Vec<[f32; 4]> = (0..6)
        .map(|_| {
            let angle = random.random_range(0.0..TAU);
            let turns = TAU / (size * random.random_range(0.6..3.0_f32));
            let strength = random.random_range(0.4..1.0);
            [turns * angle.cos(), turns * angle.sin(), random.random_range(0.0..TAU), strength]
        })
        .collect();
    let level = random.random_range(-0.8..0.8);
    Array2::from_shape_fn((height, width), |(y, x)| {
        let (mut value, mut slope) = (level, [0.0_f32; 2]);
        for [down, right, phase, strength] in &waves {
            let angle = down * y as f32 + right * x as f32 + phase;
            value += strength * angle.sin();
            slope[0] += strength * down * angle.cos();
            slope[1] += strength * right * angle.cos();
        }
        // Close to the border, value over slope is the distance.
        value / slope[0].hypot(slope[1]).max(0.3 * TAU / size)
    })
}

/// Likewise, of a convex shape of straight sides, each turned by up to `turn` of the angle from one to the next.
fn convex(
    [height, width]: [usize; 2],
    size: f32,
    sides: RangeInclusive<usize>,
    turn: f32,
    random: &mut ChaCha8Rng,
) -> Array2<f32> {
    let centre = [
        random.random_range(0.0..=1.0) * height as f32,
        random.random_range(0.0..=1.0) * width as f32,
    ];
    let sides = random.random_range(sides);
    let first = random.random_range(0.0..TAU);
    let sides: Vec<[f32; 3]> = (0..sides)
        .map(|side| {
            let angle =
                first + (side as f32 + random.random_range(-turn..turn)) * TAU / sides as f32;
            [angle.sin(), angle.cos(), 0.5 * size * random.random_range(0.4..1.0)]
        })
        .collect();
    Array2::from_shape_fn((height, width), |(y, x)| {
        let (down, right) = (y as f32 - centre[0], x as f32 - centre[1]);
        let inside = |side: &[f32; 3]| side[2] - side[0] * down - side[1] * right;
        sides.iter().map(inside).fold(f32::INFINITY, f32::min)
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn takes_light_with_a_soft_border_and_leaves_the_rest_alone() {
        let shadow = Shadow {
            light: [0.3; 2],
            blue: [1.2; 2],
            size: [60.0; 2],
            penumbra: [10.0; 2],
            ..Shadow::default()
        };
        let clean = Array3::from_elem((3, 96, 96), 0.7);
        let mut drawn = 0;
        for seed in 0..12 {
            let shaded = shadow.degrade(&clean, &mut ChaCha8Rng::seed_from_u64(seed)).picture;
            let kept = shaded.mapv(|value| to_linear(value) / to_linear(0.7));
            let [red, blue] = [0, 2].map(|channel| kept.index_axis(ndarray::Axis(0), channel));
            assert!(kept.iter().all(|&kept| (0.249..1.001).contains(&kept)));
            assert!(red.iter().zip(blue).all(|(red, blue)| red <= blue));
            let count = |from: f32, to: f32| red.iter().filter(|k| (from..to).contains(*k)).count();
            if count(0.0, 0.26) > 0 && count(0.99, 2.0) > 0 {
                drawn += 1;
                assert!(count(0.3, 0.9) > 100, "no soft border in seed {seed}");
            }
        }
        assert!(drawn >= 4, "only {drawn} of 12 show a core and a border");
    }

    /// How many pieces of the picture's border are dark.
    fn dark_ends(shadow: &Shadow, seed: u64) -> usize {
        let clean = Array3::from_elem((3, 64, 64), 0.7);
        let mask = shadow.degrade(&clean, &mut ChaCha8Rng::seed_from_u64(seed)).mask.unwrap();
        let border = (0..64).map(|x| (0, x)).chain((0..64).map(|y| (y, 63)));
        let border =
            border.chain((0..64).map(|x| (63, 63 - x))).chain((0..64).map(|y| (63 - y, 0)));
        let dark: Vec<bool> = border.map(|at| mask[at] > 0.5).collect();
        (0..256).filter(|&at| dark[at] && !dark[(at + 255) % 256]).count()
    }

    #[test]
    fn strips_go_from_border_to_border() {
        let strips =
            Shadow { size: [40.0; 2], penumbra: [1.0; 2], strips: 1.0, ..Shadow::default() };
        // Whoever walks round the picture enters it at its two ends, or once along a strip beside the border.
        let ends: Vec<usize> = (0..12).map(|seed| dark_ends(&strips, seed)).collect();
        assert!(ends.iter().all(|ends| (1..=2).contains(ends)), "{ends:?}");
        assert!(ends.iter().filter(|&&ends| ends == 2).count() >= 6, "{ends:?}");
    }

    #[test]
    fn edges_part_the_picture_in_two() {
        let edges = Shadow { size: [40.0; 2], penumbra: [1.0; 2], edges: 1.0, ..Shadow::default() };
        let ends: Vec<usize> = (0..12).map(|seed| dark_ends(&edges, seed)).collect();
        assert!(ends.iter().all(|&ends| ends <= 1), "{ends:?}");
        assert!(ends.iter().filter(|&&ends| ends == 1).count() >= 8, "{ends:?}");
        let both = Shadow { strips: 0.6, ..edges };
        assert!(both.check().unwrap_err().to_string().contains("edges"));
    }
}
