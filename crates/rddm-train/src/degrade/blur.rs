//! The blur of a camera that moves during the exposure, or that is focused on another distance.
//!
//! Light is blurred, not stored values: a lamp's trace stays bright. A moved camera draws a curve whose direction changes
//! slowly, or a hand's, which stops and turns; a lens out of focus draws a disc.

use std::f32::consts::TAU;

use ndarray::{Array2, Array3, ArrayView2, s};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::light::{to_linear, to_stored};
use super::{Degradation, Degraded, Range, check_range, uniform};
use crate::error::Error;

/// A blur; the defaults are such as a hand leaves at a fraction of a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Blur {
    /// Share of the pictures that are blurred by motion; the others are out of focus.
    pub motion: f32,
    /// Length of the curve that a motion draws, pixels.
    pub length: Range,
    /// By how much the curve turns in all, degrees.
    pub turn: Range,
    /// Share of the motions that are an unsteady hand's, whose speed and direction change at random; the others are steady
    /// and turn by [`turn`](Self::turn).
    pub shake: f32,
    /// Radius of the disc of a lens out of focus, pixels.
    pub radius: Range,
}

impl Default for Blur {
    fn default() -> Self {
        Self {
            motion: 0.75,
            length: [3.0, 20.0],
            turn: [-150.0, 150.0],
            shake: 0.0,
            radius: [0.7, 3.0],
        }
    }
}

/// Points of a kernel along one pixel of length.
const FINENESS: f32 = 8.0;

impl Blur {
    /// How the light of a point is spread: weights that sum to 1, in a square of odd side.
    fn kernel(&self, random: &mut ChaCha8Rng) -> Array2<f32> {
        // Without `shake` nothing is drawn for it: a recipe from before it was there makes the same blurs.
        let points = if random.random::<f32>() >= self.motion {
            disc(uniform(self.radius, random))
        } else if self.shake > 0.0 && random.random::<f32>() < self.shake {
            shaken(uniform(self.length, random), random)
        } else {
            self.trace(random)
        };
        let mean = |axis: usize| points.iter().map(|p| p[axis]).sum::<f32>() / points.len() as f32;
        let centre = [mean(0), mean(1)];
        let far = points.iter().flatten().zip(centre.iter().cycle());
        let far = far.map(|(at, centre)| (at - centre).abs()).fold(0.0, f32::max);
        let reach = far.ceil() as usize + 1;
        let mut kernel = Array2::zeros((2 * reach + 1, 2 * reach + 1));
        let share = 1.0 / points.len() as f32;
        for point in &points {
            // Spread over the four pixels around it.
            let at = [0, 1].map(|axis| point[axis] - centre[axis] + reach as f32);
            let [y, x] = at.map(|at| at.floor() as usize);
            let [down, right] = at.map(f32::fract);
            kernel[(y, x)] += share * (1.0 - down) * (1.0 - right);
            kernel[(y, x + 1)] += share * (1.0 - down) * right;
            kernel[(y + 1, x)] += share * down * (1.0 - right);
            kernel[(y + 1, x + 1)] += share * down * right;
        }
        kernel
    }

    /// Points of a curve of constant speed whose turning changes once.
    fn trace(&self, random: &mut ChaCha8Rng) -> Vec<[f32; 2]> {
        let count = (uniform(self.length, random) * FINENESS).ceil().max(1.0);
        let mut angle = random.random_range(0.0..TAU);
        let turns = [uniform(self.turn, random), uniform(self.turn, random)].map(f32::to_radians);
        let change = random.random::<f32>();
        let mut at = [0.0; 2];
        (0..count as usize)
            .map(|index| {
                angle += turns[usize::from(index as f32 / count > change)] / count;
                at[0] += angle.sin() / FINENESS;
                at[1] += angle.cos() / FINENESS;
                at
            })
            .collect()
    }
}

/// Points, evenly spaced in time, of a curve of a length in pixels that an unsteady hand draws: what drives it is noise, and
/// its velocity forgets itself within a twentieth to a half of the exposure (an Ornstein-Uhlenbeck process).
fn shaken(length: f32, random: &mut ChaCha8Rng) -> Vec<[f32; 2]> {
    let count = (length * FINENESS).ceil().max(2.0);
    let kept = (-1.0 / (count * uniform([0.05, 0.5], random))).exp();
    let noise = (1.0 - kept * kept).sqrt();
    let mut velocity: [f32; 2] = [0, 1].map(|_| random.sample(StandardNormal));
    let (mut at, mut drawn) = ([0.0; 2], 0.0_f32);
    let points: Vec<[f32; 2]> = (0..count as usize)
        .map(|_| {
            velocity = velocity.map(|v| kept * v + noise * random.sample::<f32, _>(StandardNormal));
            at = [0, 1].map(|axis| at[axis] + velocity[axis]);
            drawn += velocity[0].hypot(velocity[1]);
            at
        })
        .collect();
    let scale = length / drawn.max(f32::MIN_POSITIVE);
    points.into_iter().map(|point| point.map(|at| at * scale)).collect()
}

/// Points of a disc.
fn disc(radius: f32) -> Vec<[f32; 2]> {
    let side = (radius * FINENESS).ceil().max(1.0) as i32;
    let places = (-side..=side).flat_map(|y| (-side..=side).map(move |x| [y, x]));
    places
        .map(|place| place.map(|at| at as f32 * radius / side as f32))
        .filter(|at| at[0].hypot(at[1]) <= radius)
        .collect()
}

impl Degradation for Blur {
    fn check(&self) -> Result<(), Error> {
        check_range("motion", [0.0, self.motion], 0.0, 1.0)?;
        check_range("length", self.length, 0.0, 64.0)?;
        check_range("turn", self.turn, -360.0, 360.0)?;
        check_range("shake", [0.0, self.shake], 0.0, 1.0)?;
        check_range("radius", self.radius, 0.0, 32.0)
    }

    fn degrade(&self, clean: &Array3<f32>, random: &mut ChaCha8Rng) -> Degraded {
        blurred(clean, self.kernel(random).view()).into()
    }
}

/// The picture `[channels, height, width]`, stored values, with the kernel over the light of each pixel.
pub(super) fn blurred(clean: &Array3<f32>, kernel: ArrayView2<'_, f32>) -> Array3<f32> {
    let mut blurred = clean.clone();
    for mut plane in blurred.outer_iter_mut() {
        let light = spread(plane.mapv(to_linear).view(), kernel);
        plane.assign(&light.mapv(to_stored));
    }
    blurred
}

/// The plane with the kernel over each pixel; mirrored beyond its borders.
fn spread(plane: ArrayView2<'_, f32>, kernel: ArrayView2<'_, f32>) -> Array2<f32> {
    let (height, width) = plane.dim();
    let reach = kernel.nrows() / 2;
    let mirror = |at: usize, length: usize| {
        let (period, at) = (2 * length, at + 2 * length * reach - reach);
        (at % period).min(period - 1 - at % period)
    };
    let wide = Array2::from_shape_fn((height + 2 * reach, width + 2 * reach), |(y, x)| {
        plane[(mirror(y, height), mirror(x, width))]
    });
    let mut sum = Array2::zeros((height, width));
    for ((y, x), &share) in kernel.indexed_iter().filter(|(_, share)| **share > 0.0) {
        sum.scaled_add(share, &wide.slice(s![y..y + height, x..x + width]));
    }
    sum
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn spreads_light_and_keeps_its_sum() {
        let mut dark = Array3::zeros((3, 65, 65));
        dark.slice_mut(s![.., 32, 32]).fill(1.0);
        for seed in 0..40 {
            let blur = Blur { shake: if seed < 20 { 0.0 } else { 1.0 }, ..Blur::default() };
            let blurred = blur.degrade(&dark, &mut ChaCha8Rng::seed_from_u64(seed));
            let light = blurred.picture.mapv(to_linear);
            assert!((light.sum() / 3.0 - 1.0).abs() < 1e-3, "{}", light.sum());
            assert!(light[(0, 32, 32)] < 0.9);
            let row = |y: usize| light.slice(s![0, y, ..]).sum() * y as f32;
            let centre = (0..65).map(row).sum::<f32>();
            assert!((centre - 32.0).abs() < 0.1, "the picture moved to {centre}");
        }
    }

    /// The curve has its length, but neither its speed nor its direction stays.
    #[test]
    fn a_hand_draws_an_uneven_curve_of_the_length_asked_for() {
        for seed in 0..20 {
            let points = shaken(20.0, &mut ChaCha8Rng::seed_from_u64(seed));
            let steps: Vec<f32> = points.windows(2).map(|two| distance(two[0], two[1])).collect();
            let (first, last) = (points[0], points[points.len() - 1]);
            assert!((steps.iter().sum::<f32>() - 20.0).abs() < 1.0);
            assert!(distance(first, last) < 19.5, "straight");
            let (least, most) =
                steps.iter().fold((f32::MAX, 0.0_f32), |(l, m), &s| (l.min(s), m.max(s)));
            assert!(most > 2.0 * least, "steady: {least} to {most}");
        }
    }

    fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
        (a[0] - b[0]).hypot(a[1] - b[1])
    }

    #[test]
    fn a_flat_picture_stays_as_it_is() {
        let flat = Array3::from_elem((3, 9, 5), 0.4);
        let blurred = Blur::default().degrade(&flat, &mut ChaCha8Rng::seed_from_u64(1)).picture;
        assert!(blurred.iter().all(|value| (value - 0.4).abs() < 1e-5));
    }

    /// By hand: a straight trace of 8 pixels leaves an eighth of a point's light at each.
    #[test]
    fn a_straight_motion_is_a_line_of_its_length() {
        let blur = Blur { motion: 1.0, length: [8.0; 2], turn: [0.0; 2], ..Blur::default() };
        let kernel = blur.kernel(&mut ChaCha8Rng::seed_from_u64(4));
        let middle = kernel.nrows() as f32 / 2.0 - 0.5;
        let spread = kernel.indexed_iter().map(|((y, x), share)| {
            share * ((y as f32 - middle).powi(2) + (x as f32 - middle).powi(2))
        });
        // The variance of a line of length 8, and of the spread over neighbours (1/6 on each axis, at most).
        let variance = spread.sum::<f32>();
        assert!((64.0 / 12.0 - 0.1..64.0 / 12.0 + 0.6).contains(&variance), "{variance}");
    }
}
