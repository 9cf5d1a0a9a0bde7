use ndarray::{Array3, ArrayView3};
use rddm_core::{NoiseField, Philox};

use crate::pointwise::not_finite;
use crate::{Error, ErrorKind};

/// Side of a patch.
const PATCH: usize = 7;
/// Patches of each picture.
const PATCHES: usize = 64;
/// Directions that the patches are projected on.
const DIRECTIONS: usize = 256;
/// Side of the coarsest level.
const COARSEST: usize = 16;

/// Sliced Wasserstein distance between two sets of pictures, for each level of their Laplacian
/// pyramids, finest first, times 1000 (Karras et al., "Progressive Growing of GANs", ICLR 2018,
/// section 5): how differently their 7×7 patches are distributed. 0 for sets alike; the distance
/// between two sets of real pictures is the scale to read it by.
///
/// All pictures have one shape `[channel, side, side]`, the side a power of two of at least 16. The
/// larger set is cut to the smaller one's number. Patches and directions are drawn from `seed`.
///
/// # Errors
/// [`ErrorKind::Size`] for an empty set, pictures without channels or such a side, [`ErrorKind::Shape`]
/// where shapes differ, [`ErrorKind::NotFinite`] where a value is NaN or infinite.
pub fn sliced_wasserstein(
    a: &[ArrayView3<'_, f32>],
    b: &[ArrayView3<'_, f32>],
    seed: u64,
) -> Result<Vec<f64>, Error> {
    let Some(first) = a.first() else {
        return Err(Error::new(ErrorKind::Size, "there are no pictures to compare"));
    };
    let (channels, side, width) = first.dim();
    let fits = channels > 0 && side == width && side >= COARSEST && side.is_power_of_two();
    if b.is_empty() || !fits {
        let text = format!(
            "sets of {} and {} pictures of {width}×{side} with {channels} channels: both must have some, with channels \
             and of a side that is a power of two from {COARSEST} on",
            a.len(),
            b.len()
        );
        return Err(Error::new(ErrorKind::Size, text));
    }
    if a.iter().chain(b).any(|picture| picture.dim() != (channels, side, side)) {
        return Err(Error::new(ErrorKind::Shape, "the pictures have several shapes"));
    }
    if !a.iter().chain(b).flat_map(|picture| picture.iter()).all(|value| value.is_finite()) {
        return Err(not_finite());
    }
    let count = a.len().min(b.len());
    let pyramids = |set: &[ArrayView3<'_, f32>]| -> Vec<Vec<Array3<f32>>> {
        set[..count].iter().map(|picture| pyramid(*picture)).collect()
    };
    let (a, b) = (pyramids(a), pyramids(b));
    let distance = |level: usize| {
        // The sets draw from generators of their own: no patch is compared with its own place.
        let a = Patches::of(&a, level, seed, 0);
        let b = Patches::of(&b, level, seed, 1);
        1000.0 * a.distance(&b, seed)
    };
    Ok((0..a[0].len()).map(distance).collect())
}

/// What each halving loses, then the coarsest picture.
fn pyramid(picture: ArrayView3<'_, f32>) -> Vec<Array3<f32>> {
    let mut levels = Vec::new();
    let mut fine = picture.to_owned();
    while fine.dim().1 > COARSEST {
        let (channels, side, _) = fine.dim();
        let coarse = Array3::from_shape_fn((channels, side / 2, side / 2), |(c, y, x)| {
            let [y, x] = [2 * y, 2 * x];
            let square = [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)];
            square.iter().map(|&(y, x)| fine[(c, y, x)]).sum::<f32>() / 4.0
        });
        levels.push(Array3::from_shape_fn(fine.dim(), |(c, y, x)| {
            fine[(c, y, x)] - coarse[(c, y / 2, x / 2)]
        }));
        fine = coarse;
    }
    levels.push(fine);
    levels
}

/// Patches of a set, one after the other, each channel with mean 0 and variance 1 over the set.
struct Patches {
    values: Vec<f32>,
    length: usize,
}

impl Patches {
    fn of(pyramids: &[Vec<Array3<f32>>], level: usize, seed: u64, set: u32) -> Self {
        let random = Philox::new([seed as u32, (seed >> 32) as u32]);
        let (channels, side, _) = pyramids[0][level].dim();
        let length = channels * PATCH * PATCH;
        let mut values = Vec::with_capacity(pyramids.len() * PATCHES * length);
        for (index, pyramid) in pyramids.iter().enumerate() {
            for patch in 0..PATCHES {
                let [y, x, ..] = random.block([index as u32, patch as u32, level as u32, set]);
                let at = |word: u32| word as usize % (side - PATCH + 1);
                let (y, x) = (at(y), at(x));
                for place in 0..length {
                    let (c, v, u) = (place / (PATCH * PATCH), place / PATCH % PATCH, place % PATCH);
                    values.push(pyramid[level][(c, y + v, x + u)]);
                }
            }
        }
        let mut patches = Self { values, length };
        for channel in 0..channels {
            patches.normalise(channel);
        }
        patches
    }

    fn normalise(&mut self, channel: usize) {
        let place = channel * PATCH * PATCH..(channel + 1) * PATCH * PATCH;
        let values = || self.values.chunks(self.length).flat_map(|patch| &patch[place.clone()]);
        let count = (self.values.len() / self.length * PATCH * PATCH) as f64;
        let mean = values().map(|&value| f64::from(value)).sum::<f64>() / count;
        let variance = values().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
        let scale = if variance > 0.0 { 1.0 / variance.sqrt() } else { 0.0 };
        for patch in self.values.chunks_mut(self.length) {
            for value in &mut patch[place.clone()] {
                *value = ((f64::from(*value) - mean) * scale) as f32;
            }
        }
    }

    /// The mean over the directions of the distance between the two sets' sorted projections.
    fn distance(&self, other: &Self, seed: u64) -> f64 {
        let field = NoiseField::new(seed);
        let mut sum = 0.0;
        for index in 0..DIRECTIONS {
            let mut direction = vec![0.0; self.length];
            field.fill(0, 0, index, 0, &mut direction);
            let norm = direction.iter().map(|value| value * value).sum::<f32>().sqrt();
            let pairs =
                self.projected(&direction, norm).into_iter().zip(other.projected(&direction, norm));
            let count = (self.values.len() / self.length) as f64;
            sum += pairs.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / count;
        }
        sum / DIRECTIONS as f64
    }

    fn projected(&self, direction: &[f32], norm: f32) -> Vec<f32> {
        let along = |patch: &[f32]| patch.iter().zip(direction).map(|(a, b)| a * b).sum::<f32>();
        let mut values: Vec<f32> =
            self.values.chunks(self.length).map(|patch| along(patch) / norm).collect();
        values.sort_unstable_by(f32::total_cmp);
        values
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Pictures of waves of one period, with noise.
    fn waves(count: u64, period: f32, noise: f32, from: u64) -> Vec<Array3<f32>> {
        (from..from + count)
            .map(|seed| {
                let mut values = vec![0.0; 32 * 32];
                NoiseField::new(seed).fill(0, 0, 0, 0, &mut values);
                Array3::from_shape_fn((1, 32, 32), |(_, y, x)| {
                    let phase = seed as f32 + (x + 2 * y) as f32;
                    0.5 + 0.3 * (phase * std::f32::consts::TAU / period).sin()
                        + noise * values[32 * y + x]
                })
            })
            .collect()
    }

    fn distance(a: &[Array3<f32>], b: &[Array3<f32>]) -> Vec<f64> {
        let [a, b] = [a, b].map(|set| set.iter().map(|picture| picture.view()).collect::<Vec<_>>());
        sliced_wasserstein(&a, &b, 3).unwrap()
    }

    #[test]
    fn sets_alike_are_nearer_than_sets_that_differ() {
        let a = waves(60, 9.0, 0.02, 0);
        let alike = distance(&a, &waves(60, 9.0, 0.02, 100));
        let other = distance(&a, &waves(60, 23.0, 0.02, 100));
        assert_eq!(alike.len(), 2);
        for (alike, other) in alike.iter().zip(other) {
            assert!(3.0 * alike < other, "{alike} against {other}");
        }
    }

    #[test]
    fn what_has_no_distance_is_refused() {
        let picture = Array3::<f32>::zeros((1, 20, 20));
        let kind = |a: &[ArrayView3<'_, f32>], b: &[ArrayView3<'_, f32>]| {
            sliced_wasserstein(a, b, 1).unwrap_err().kind()
        };
        assert_eq!(kind(&[], &[picture.view()]), ErrorKind::Size);
        assert_eq!(kind(&[picture.view()], &[picture.view()]), ErrorKind::Size);
        let (a, b) = (Array3::<f32>::zeros((1, 16, 16)), Array3::<f32>::zeros((3, 16, 16)));
        assert_eq!(kind(&[a.view()], &[b.view()]), ErrorKind::Shape);
        let none = Array3::<f32>::zeros((0, 16, 16));
        assert_eq!(kind(&[none.view()], &[none.view()]), ErrorKind::Size);
        let mut broken = a.clone();
        for value in [f32::NAN, f32::INFINITY] {
            broken[(0, 15, 15)] = value;
            assert_eq!(kind(&[broken.view()], &[a.view()]), ErrorKind::NotFinite);
            assert_eq!(kind(&[a.view()], &[broken.view()]), ErrorKind::NotFinite);
        }
    }
}
