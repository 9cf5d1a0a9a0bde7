use alloc::format;
use alloc::vec::Vec;

use crate::error::names;
use crate::{Error, ErrorKind};

/// How `α_t` or `β²_t` is spread over the time steps `t = 0 … T-1`; each shape is divided by its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Rising: `t + 1` for ratio 1, the paper's restoration code; for another ratio as [`Shape::IncreasedFromZero`],
    /// the only form in which the paper's code has an exponent.
    Increased,
    /// [`Shape::Increased`] in reverse.
    Decreased,
    /// The same value everywhere; the ratio has no effect.
    Average,
    /// The standard normal density at `T` points from -3 to 3; the ratio has no effect.
    Normal,
    /// `(t / (T-1))^ratio`, the paper's generation code: nothing happens at `t = 0`.
    IncreasedFromZero,
    /// [`Shape::IncreasedFromZero`] in reverse: nothing happens at `t = T-1`.
    DecreasedToZero,
}

names!(Shape, "schedule shape",
    Increased => "increased",
    Decreased => "decreased",
    Average => "average",
    Normal => "normal",
    IncreasedFromZero => "increased_from_zero",
    DecreasedToZero => "decreased_to_zero",
);

/// A shape and its exponent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    /// The shape.
    pub shape: Shape,
    /// The exponent, above 0 and at most 64.
    pub ratio: f64,
}

impl Coefficients {
    /// A shape with exponent 1.
    pub const fn of(shape: Shape) -> Self {
        Self { shape, ratio: 1.0 }
    }
}

/// The coefficients of all `timesteps` steps; they sum to 1.
///
/// # Errors
/// [`ErrorKind::InvalidSchedule`] for fewer than two or more than 2²⁴ time steps and for a ratio out of range.
pub fn coefficients(spec: Coefficients, timesteps: usize) -> Result<Vec<f64>, Error> {
    let Coefficients { shape, ratio } = spec;
    check_timesteps(timesteps)?;
    if !(ratio > 0.0 && ratio <= 64.0) {
        return Err(Error::new(
            ErrorKind::InvalidSchedule,
            format!("the ratio {ratio} of the {shape} schedule is not above 0 and at most 64"),
        ));
    }
    let last = (timesteps - 1) as f64;
    let mut values: Vec<f64> = match shape {
        Shape::Increased | Shape::Decreased if ratio == 1.0 => {
            (1..=timesteps).map(|step| step as f64).collect()
        }
        Shape::Increased | Shape::Decreased | Shape::IncreasedFromZero | Shape::DecreasedToZero => {
            (0..timesteps).map(|step| libm::pow(step as f64 / last, ratio)).collect()
        }
        Shape::Average => (0..timesteps).map(|_| 1.0).collect(),
        // The density's constant factor is lost in the division by the sum.
        Shape::Normal => (0..timesteps)
            .map(|step| -3.0 + 6.0 * step as f64 / last)
            .map(|point| libm::exp(-0.5 * point * point))
            .collect(),
    };
    if matches!(shape, Shape::Decreased | Shape::DecreasedToZero) {
        values.reverse();
    }
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
    Ok(values)
}

pub(super) fn check_timesteps(timesteps: usize) -> Result<(), Error> {
    if (2..=1 << 24).contains(&timesteps) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidSchedule,
        format!("a schedule has 2 to {} time steps, not {timesteps}", 1 << 24),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shapes_sum_to_one_and_have_their_direction() {
        for &shape in Shape::ALL {
            for ratio in [0.5, 1.0, 2.0, 3.0] {
                let values = coefficients(Coefficients { shape, ratio }, 1000).unwrap();
                assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-13);
                let rises = values.windows(2).all(|pair| pair[0] < pair[1]);
                let falls = values.windows(2).all(|pair| pair[0] > pair[1]);
                let expected = match shape {
                    Shape::Increased | Shape::IncreasedFromZero => (true, false),
                    Shape::Decreased | Shape::DecreasedToZero => (false, true),
                    Shape::Average | Shape::Normal => (false, false),
                };
                assert_eq!((rises, falls), expected, "{shape} {ratio}");
            }
        }
    }

    #[test]
    fn power_shapes_follow_the_closed_sums() {
        // Σ_{t<T} t = T(T-1)/2 and Σ_{t<T} t² = (T-1)T(2T-1)/6.
        let timesteps = 50;
        let n = timesteps as f64;
        for (shape, ratio, sum) in [
            (Shape::IncreasedFromZero, 1.0, n * (n - 1.0) / 2.0),
            (Shape::Increased, 2.0, (n - 1.0) * n * (2.0 * n - 1.0) / 6.0),
        ] {
            let values = coefficients(Coefficients { shape, ratio }, timesteps).unwrap();
            for (step, value) in values.iter().enumerate() {
                assert!((value - libm::pow(step as f64, ratio) / sum).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn the_normal_shape_is_symmetric_with_its_top_in_the_middle() {
        let values = coefficients(Coefficients::of(Shape::Normal), 101).unwrap();
        for step in 0..101 {
            assert!((values[step] - values[100 - step]).abs() < 1e-16);
        }
        assert!((values[0] / values[50] - libm::exp(-4.5)).abs() < 1e-15);
    }

    #[test]
    fn ratios_and_lengths_out_of_range_are_refused() {
        for ratio in [0.0, -1.0, f64::NAN, f64::INFINITY, 65.0] {
            let spec = Coefficients { shape: Shape::Average, ratio };
            assert_eq!(coefficients(spec, 10).unwrap_err().kind(), ErrorKind::InvalidSchedule);
        }
        for timesteps in [0, 1, usize::MAX] {
            assert!(coefficients(Coefficients::of(Shape::Normal), timesteps).is_err());
        }
    }

    #[test]
    fn names_go_both_ways() {
        for shape in Shape::ALL {
            assert_eq!(shape.name().parse::<Shape>().unwrap(), *shape);
        }
        let error = "rising".parse::<Shape>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownName);
    }
}
