//! How the learning rate goes over a training.

use std::f64::consts::PI;

use crate::recipe::{RateSchedule, Training};

/// The learning rate of step `step`, `0 .. steps`: it rises linearly over the warm-up, then goes as the training's schedule
/// says.
pub fn learning_rate(training: &Training, step: usize) -> f64 {
    if step < training.warmup {
        return training.rate * (step + 1) as f64 / training.warmup as f64;
    }
    match training.rate_schedule {
        RateSchedule::Constant => training.rate,
        RateSchedule::Cosine => {
            let length = training.steps.saturating_sub(training.warmup).max(1);
            let done = (step - training.warmup) as f64 / length as f64;
            training.rate * 0.5 * (1.0 + (PI * done.min(1.0)).cos())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_nothing_or_stays() {
        let mut training = Training { steps: 1000, warmup: 100, rate: 2e-3, ..Training::default() };
        assert!((learning_rate(&training, 0) - 2e-5).abs() < 1e-12);
        assert!((learning_rate(&training, 99) - 2e-3).abs() < 1e-12);
        assert!((learning_rate(&training, 550) - 1e-3).abs() < 1e-12);
        assert!(learning_rate(&training, 999) < 1e-8);
        training.rate_schedule = RateSchedule::Constant;
        assert!((learning_rate(&training, 0) - 2e-5).abs() < 1e-12);
        assert!((learning_rate(&training, 999) - 2e-3).abs() < 1e-12);
    }
}
