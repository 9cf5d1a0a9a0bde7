//! The moving average of a network's weights.

use crate::{Error, ErrorKind};

/// How an average follows its weights: as the paper's code keeps it, by the rule of the package ema-pytorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ema {
    /// The largest decay, in [0, 1).
    pub beta: f64,
    /// The average changes on every so many calls, at least 1.
    pub update_every: u64,
    /// Up to this call the average is a copy.
    pub update_after: u64,
}

impl Default for Ema {
    /// 0.995, every tenth call, after 100.
    fn default() -> Self {
        Self { beta: 0.995, update_every: 10, update_after: 100 }
    }
}

/// What a call does to the average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EmaUpdate {
    /// Nothing.
    Keep,
    /// The average becomes `decay · average + (1 - decay) · weights`; a decay of 0 copies.
    Mix {
        /// The decay, 0 to `beta`.
        decay: f64,
    },
}

impl Ema {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidAverage`] for a decay or an interval out of range.
    pub fn new(beta: f64, update_every: u64) -> Result<Self, Error> {
        if !(0.0..1.0).contains(&beta) || update_every == 0 {
            return Err(Error::new(
                ErrorKind::InvalidAverage,
                alloc::format!(
                    "an average with beta {beta} every {update_every} calls can't be kept; beta lies from 0 to below \
                     1, and the interval is at least 1"
                ),
            ));
        }
        Ok(Self { beta, update_every, ..Self::default() })
    }

    /// What call number `call` does, counted from 0, one call after each step of training.
    ///
    /// With `n` calls since `update_after` the decay is `1 - (1 + n)^(-2/3)`, at most `beta`: 0 before the first, so
    /// that early weights are soon forgotten.
    pub fn update(&self, call: u64) -> EmaUpdate {
        if !call.is_multiple_of(self.update_every.max(1)) {
            return EmaUpdate::Keep;
        }
        let since = call.saturating_sub(self.update_after);
        let decay = 1.0 - libm::pow(1.0 + since as f64, -2.0 / 3.0);
        EmaUpdate::Mix { decay: decay.min(self.beta) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_copies_then_warms_up_to_beta() {
        let ema = Ema::new(0.9, 10).unwrap();
        assert_eq!(ema.update(100), EmaUpdate::Mix { decay: 0.0 });
        assert_eq!(ema.update(101), EmaUpdate::Keep);
        let EmaUpdate::Mix { decay } = ema.update(107 + 3) else { panic!("call 110 mixes") };
        assert!((decay - (1.0 - libm::pow(11.0, -2.0 / 3.0))).abs() < 1e-15);
        assert_eq!(ema.update(100_000), EmaUpdate::Mix { decay: 0.9 });
    }

    #[test]
    fn averages_out_of_range_are_refused() {
        for (beta, every) in [(1.0, 10), (-0.1, 10), (f64::NAN, 10), (0.9, 0)] {
            assert_eq!(Ema::new(beta, every).unwrap_err().kind(), ErrorKind::InvalidAverage);
        }
    }
}
