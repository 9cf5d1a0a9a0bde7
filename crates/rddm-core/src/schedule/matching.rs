use alloc::vec::Vec;

use super::Schedule;
use crate::{Error, ErrorKind};

/// The times at which a trained schedule has the sums of another one: re-adjustment.
///
/// A network knows a time `t` by how much residual `ᾱ_t` and noise `β̄_t` its pictures had in training. To walk along
/// other sums without training again, the residual's network gets the time at which its own `ᾱ` equals the walked
/// one, and the noise's network the time at which its own `β̄` does. Between two time steps the time is interpolated;
/// outside the trained range it is the nearest end.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedTimes {
    residual: Vec<f32>,
    noise: Vec<f32>,
    trained_timesteps: usize,
}

impl MatchedTimes {
    /// Finds, for each time of `walked`, the times of `trained`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchedule`] when `trained` can't tell times apart: its sums never rise.
    pub fn new(trained: &Schedule, walked: &Schedule) -> Result<Self, Error> {
        let flat = |sums: &[f64]| sums.first() >= sums.last();
        if flat(&trained.exact_alpha_bar) || flat(&trained.exact_beta2_bar) {
            return Err(Error::new(
                ErrorKind::InvalidSchedule,
                "the trained schedule's sums never rise, so no time can be found by them",
            ));
        }
        let root = |sums: &[f64]| sums.iter().map(|&sum| libm::sqrt(sum)).collect::<Vec<f64>>();
        Ok(Self {
            residual: times_of(&trained.exact_alpha_bar, &walked.exact_alpha_bar),
            noise: times_of(&root(&trained.exact_beta2_bar), &root(&walked.exact_beta2_bar)),
            trained_timesteps: trained.timesteps(),
        })
    }

    /// For each walked time, the time that the residual's network gets.
    pub fn residual(&self) -> &[f32] {
        &self.residual
    }

    /// For each walked time, the time that the noise's network gets.
    pub fn noise(&self) -> &[f32] {
        &self.noise
    }

    /// The number of time steps `T` of the trained schedule.
    pub fn trained_timesteps(&self) -> usize {
        self.trained_timesteps
    }
}

fn times_of(trained: &[f64], walked: &[f64]) -> Vec<f32> {
    walked.iter().map(|&sum| time_of(trained, sum) as f32).collect()
}

/// The earliest time at which the rising `sums` reach `sum`.
fn time_of(sums: &[f64], sum: f64) -> f64 {
    let above = sums.partition_point(|&value| value < sum);
    match (above.checked_sub(1).and_then(|below| sums.get(below)), sums.get(above)) {
        (None, _) => 0.0,
        (_, None) => (sums.len() - 1) as f64,
        (Some(low), Some(high)) => (above - 1) as f64 + (sum - low) / (high - low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Coefficients, ScheduleSpec, Shape};

    #[test]
    fn the_same_schedule_matches_its_own_times() {
        let schedule = Schedule::new(&ScheduleSpec::default()).unwrap();
        let times = MatchedTimes::new(&schedule, &schedule).unwrap();
        for t in 0..1000 {
            // ᾱ's last sums differ by less than their rounding in f64 allows to tell apart exactly.
            assert!((times.residual()[t] - t as f32).abs() < 1e-3);
            assert!((times.noise()[t] - t as f32).abs() < 1e-3);
        }
    }

    #[test]
    fn an_average_walk_finds_times_by_the_inverse_of_the_closed_form() {
        // ᾱ of a decreasing schedule: 1 - (T-1-t)(T-t)/(T(T+1)); of an average one: (t+1)/T.
        let trained = Schedule::new(&ScheduleSpec::default()).unwrap();
        let walked = Schedule::new(&ScheduleSpec {
            alpha: Coefficients::of(Shape::Average),
            ..ScheduleSpec::default()
        })
        .unwrap();
        let times = MatchedTimes::new(&trained, &walked).unwrap();
        for t in [100, 500, 900] {
            let sum = (t + 1) as f64 / 1000.0;
            // (T-t')(T-1-t') = (1 - sum) T (T+1), solved for t'.
            let product = (1.0 - sum) * 1000.0 * 1001.0;
            let expected = 999.5 - libm::sqrt(product + 0.25);
            assert!((f64::from(times.residual()[t]) - expected).abs() < 1e-2);
            assert!((times.noise()[t] - t as f32).abs() < 1e-3);
        }
    }

    #[test]
    fn sums_out_of_the_trained_range_get_the_ends() {
        let spec = ScheduleSpec { sum_scale: 0.01, ..ScheduleSpec::default() };
        let trained = Schedule::new(&spec).unwrap();
        let walked = Schedule::new(&ScheduleSpec { sum_scale: 1.0, ..spec }).unwrap();
        let times = MatchedTimes::new(&trained, &walked).unwrap();
        assert_eq!(times.noise()[999], 999.0);
    }
}
