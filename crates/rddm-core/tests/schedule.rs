//! Schedules against closed forms.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use rddm_core::{Coefficients, ErrorKind, FirstStep, Schedule, ScheduleSpec, Shape};

const T: usize = 1000;

fn schedule(alpha: Shape, beta2: Shape, sum_scale: f64) -> Schedule {
    let (alpha, beta2) = (Coefficients::of(alpha), Coefficients::of(beta2));
    Schedule::new(&ScheduleSpec { timesteps: T, alpha, beta2, sum_scale }).unwrap()
}

#[track_caller]
fn assert_close(got: f32, expected: f64) {
    let error = (f64::from(got) - expected).abs();
    assert!(error <= 6e-8 * expected.abs() + 1e-12, "{got} where {expected} was expected");
}

#[test]
fn sums_follow_their_closed_forms() {
    let n = T as f64;
    let all = n * (n + 1.0);
    let decreased = |t: f64| 1.0 - (n - 1.0 - t) * (n - t) / all;
    let increased = |t: f64| (t + 1.0) * (t + 2.0) / all;
    let average = |t: f64| (t + 1.0) / n;
    let default = schedule(Shape::Decreased, Shape::Increased, 0.01);
    let other = schedule(Shape::Average, Shape::Decreased, 1.0);
    for t in 0..T {
        let time = t as f64;
        assert_close(default.alpha_bar()[t], decreased(time));
        assert_close(default.beta2_bar()[t], 0.01 * increased(time));
        assert_close(default.beta_bar()[t], (0.01 * increased(time)).sqrt());
        assert_close(default.alpha()[t], 2.0 * (n - time) / all);
        assert_close(default.beta2()[t], 0.01 * 2.0 * (time + 1.0) / all);
        assert_close(other.alpha_bar()[t], average(time));
        assert_close(other.beta2_bar()[t], decreased(time));
    }
}

#[test]
fn the_posterior_follows_from_the_sums() {
    let schedule = schedule(Shape::Decreased, Shape::Increased, 0.01);
    let n = T as f64;
    let all = n * (n + 1.0);
    for t in 1..T {
        let time = t as f64;
        // β̄²_{t-1} / β̄²_t and β²_t / β̄²_t of an increasing schedule.
        assert_close(schedule.posterior_mean_picture()[t], time / (time + 2.0));
        assert_close(schedule.posterior_mean_start()[t], 2.0 / (time + 2.0));
        let variance = 0.01 * 2.0 * (time + 1.0) / all * time / (time + 2.0);
        assert_close(schedule.posterior_variance()[t], variance);
        assert_close(schedule.posterior_log_variance()[t], variance.ln());
    }
}

#[test]
fn the_ends_are_replaced() {
    let schedule = schedule(Shape::Decreased, Shape::Increased, 0.01);
    assert_eq!(schedule.posterior_mean_picture()[0], 0.0);
    assert_eq!(schedule.posterior_mean_residual()[0], 0.0);
    assert_eq!(schedule.posterior_mean_start()[0], 1.0);
    assert_eq!(schedule.posterior_variance()[0], 0.0);
    assert_close(schedule.posterior_log_variance()[0], 1e-20_f64.ln());
    assert_eq!(schedule.one_minus_alpha_bar()[T - 1], 1e-6);
    assert_eq!(schedule.alpha_bar()[T - 1], 1.0);
}

#[test]
fn differences_of_sums_are_the_coefficients() {
    let spec = ScheduleSpec::default();
    let n = T as f64;
    let alpha_bar: Vec<f64> =
        (0..T).map(|t| 1.0 - (n - 1.0 - t as f64) * (n - t as f64) / (n * (n + 1.0))).collect();
    let beta2_bar: Vec<f64> =
        (0..T).map(|t| 0.01 * (t as f64 + 1.0) * (t as f64 + 2.0) / (n * (n + 1.0))).collect();
    let direct = Schedule::new(&spec).unwrap();
    for first_step in [FirstStep::Zero, FirstStep::RepeatSecond] {
        let summed = Schedule::from_sums(&alpha_bar, &beta2_bar, first_step).unwrap();
        for t in 1..T {
            assert!((summed.alpha()[t] - direct.alpha()[t]).abs() < 1e-9);
            assert!((summed.beta2()[t] - direct.beta2()[t]).abs() < 1e-11);
        }
        let expected = if first_step == FirstStep::Zero { 0.0 } else { summed.alpha()[1] };
        assert_eq!(summed.alpha()[0], expected);
    }
}

#[test]
fn schedules_that_make_no_sense_are_refused() {
    let refused = |spec: ScheduleSpec| {
        assert_eq!(Schedule::new(&spec).unwrap_err().kind(), ErrorKind::InvalidSchedule);
    };
    let spec = ScheduleSpec::default();
    for sum_scale in [0.0, -0.01, 1e-31, 1.5, f64::NAN] {
        refused(ScheduleSpec { sum_scale, ..spec });
    }
    for timesteps in [0, 1, usize::MAX] {
        refused(ScheduleSpec { timesteps, ..spec });
    }
    for ratio in [0.0, -2.0, f64::INFINITY] {
        refused(ScheduleSpec { beta2: Coefficients { shape: Shape::Average, ratio }, ..spec });
    }
    let sums = |alpha: &[f64], beta2: &[f64]| Schedule::from_sums(alpha, beta2, FirstStep::Zero);
    assert!(sums(&[0.1, 0.5], &[0.1, 0.5]).is_ok());
    for (alpha, beta2) in [
        (&[0.5, 0.1][..], &[0.1, 0.5][..]),
        (&[0.1, 1.1], &[0.1, 0.5]),
        (&[0.1, 0.5], &[0.0, 0.5]),
        (&[0.1, 0.5], &[0.1, f64::NAN]),
        (&[0.1, 0.5], &[0.1, 0.5, 0.6]),
        (&[0.1], &[0.1]),
    ] {
        assert!(sums(alpha, beta2).is_err(), "{alpha:?} {beta2:?}");
    }
}
