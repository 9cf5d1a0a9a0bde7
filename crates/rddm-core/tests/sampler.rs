//! Walks with networks that know the truth, and the refusals.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use rddm_core::{
    Coefficients, DdimSpec, Details, ErrorKind, FirstStep, Method, NoiseField, Objective, Phase,
    Sampler, SamplerSpec, Schedule, ScheduleSpec, Shape, Step, TimeEncoding,
};

const LENGTH: usize = 64;

struct Picture {
    clean: Vec<f32>,
    input: Vec<f32>,
    noise: Vec<f32>,
}

impl Picture {
    fn new() -> Self {
        let wave = |frequency: f32| (0..LENGTH).map(move |i| 0.8 * (i as f32 * frequency).sin());
        let clean: Vec<f32> = wave(0.3).collect();
        let input =
            clean.iter().zip(wave(1.1)).map(|(clean, wave)| 0.7 * clean + 0.2 * wave).collect();
        let mut noise = vec![0.0; LENGTH];
        NoiseField::new(3).fill(0, 0, 0, 0, &mut noise);
        Self { clean, input, noise }
    }

    /// What perfect networks say about `x`: the residual is the truth, the noise is what is left.
    fn outputs(&self, objective: Objective, step: &Step, x: &[f32]) -> [Vec<f32>; 2] {
        let targets = (0..LENGTH).map(|i| {
            let residual = self.input[i] - self.clean[i];
            let noise = step.sums.noise_from_residual(x[i], self.input[i], residual);
            objective.targets(self.clean[i], residual, noise)
        });
        let (first, second) = targets.map(|[first, second]| (first, second)).unzip();
        [first, second]
    }

    fn walk(&self, sampler: &Sampler, mut after: impl FnMut(&Step, &[f32])) -> Vec<f32> {
        let mut x = vec![0.0; LENGTH];
        sampler.start(&self.input, &self.noise, &mut x).unwrap();
        for (index, step) in sampler.steps().iter().enumerate() {
            let [first, second] = self.outputs(sampler.objective(), step, &x);
            let mut z = vec![f32::NAN; LENGTH];
            if step.needs_noise {
                NoiseField::new(3).fill(step.draw, 0, 0, 0, &mut z);
            }
            sampler.step(index, &mut x, &self.input, &first, Some(&second), Some(&z)).unwrap();
            after(step, &x);
        }
        x
    }
}

fn largest(got: &[f32], expected: &[f32]) -> f32 {
    let errors = got.iter().zip(expected).map(|(a, b)| (a - b).abs());
    errors.map(|error| if error.is_nan() { f32::INFINITY } else { error }).fold(0.0, f32::max)
}

#[test]
fn perfect_networks_give_the_clean_picture_by_every_objective_and_method() {
    let picture = Picture::new();
    for &objective in Objective::ALL {
        for &method in Method::ALL {
            for (steps, eta) in [(1, 0.0), (5, 0.0), (10, 1.0), (1000, 0.5)] {
                if steps == 1 && objective == Objective::PredNoise {
                    // At the last time nothing of the clean picture is left that the noise could tell.
                    continue;
                }
                let spec = SamplerSpec { objective, method, steps, eta, ..SamplerSpec::default() };
                let Ok(sampler) = Sampler::new(spec) else {
                    let fits = method == Method::Ddim
                        || method == Method::Ancestral && steps == 1000
                        || method == Method::PathIndependent && objective.outputs() == 2;
                    assert!(!fits, "{objective} {method} {steps}");
                    continue;
                };
                let error = largest(&picture.walk(&sampler, |_, _| {}), &picture.clean);
                assert!(error < 1e-5, "{objective} {method} {steps} {eta}: {error}");
            }
        }
    }
}

/// With perfect networks every picture of the deterministic way lies on the forward process of the start's noise.
#[test]
fn the_deterministic_way_retraces_the_forward_process() {
    let picture = Picture::new();
    let sampler = Sampler::new(SamplerSpec { steps: 7, ..SamplerSpec::default() }).unwrap();
    let schedule = Schedule::new(&ScheduleSpec::default()).unwrap();
    picture.walk(&sampler, |step, x| {
        let Some(s) = step.s else { return };
        for (i, &got) in x.iter().enumerate() {
            let residual = picture.input[i] - picture.clean[i];
            let expected = picture.clean[i]
                + schedule.alpha_bar()[s] * residual
                + schedule.beta_bar()[s] * picture.noise[i];
            assert!((got - expected).abs() < 1e-5, "time {s}");
        }
    });
}

/// η = 1 leaves as much noise as the forward process has: the deterministic part shrinks by what is drawn anew.
#[test]
fn drawn_noise_keeps_the_variance_of_the_forward_process() {
    let schedule = Schedule::new(&ScheduleSpec::default()).unwrap();
    let spec = SamplerSpec { steps: 10, eta: 1.0, ..SamplerSpec::default() };
    let sampler = Sampler::new(spec).unwrap();
    let step = &sampler.steps()[4];
    let s = step.s.unwrap();
    // A unit of predicted noise and a unit of drawn noise, each alone.
    let moved = |noise: f32, z: f32| {
        let mut x = [step.sums.beta_bar * noise];
        sampler.step(4, &mut x, &[0.0], &[0.0], Some(&[noise]), Some(&[z])).unwrap();
        x[0]
    };
    let variance = moved(1.0, 0.0).powi(2) + moved(0.0, 1.0).powi(2);
    assert!((variance - schedule.beta2_bar()[s]).abs() < 1e-7);
    assert!(moved(0.0, 1.0) > 0.0);
}

/// With so steep a schedule the noise of a step is nothing beside that of the step before it, and that of the first
/// times nothing at all.
#[test]
fn steep_schedules_give_numbers() {
    for ratio in [2.0, 64.0] {
        let beta2 = Coefficients { shape: Shape::Increased, ratio };
        let schedule = ScheduleSpec { beta2, ..ScheduleSpec::default() };
        for objective in [Objective::PredRes, Objective::PredResNoise] {
            for steps in (2..60).chain([1000]) {
                let spec =
                    SamplerSpec { schedule, objective, steps, eta: 1.0, ..SamplerSpec::default() };
                all_are_numbers(&Sampler::new(spec).unwrap());
            }
        }
    }
    let beta2 = Coefficients { shape: Shape::Increased, ratio: 64.0 };
    let schedule = ScheduleSpec { timesteps: 100_000, beta2, ..ScheduleSpec::default() };
    let schedule = ScheduleSpec { sum_scale: 1e-30, ..schedule };
    for method in [Method::Ddim, Method::Ancestral] {
        let spec = SamplerSpec { schedule, method, steps: 100_000, ..SamplerSpec::default() };
        let objective = Objective::PredRes;
        all_are_numbers(&Sampler::new(SamplerSpec { objective, ..spec }).unwrap());
    }
}

#[track_caller]
fn all_are_numbers(sampler: &Sampler) {
    for (index, step) in sampler.steps().iter().enumerate() {
        let (mut x, mut residual, mut noise, mut x_start) = ([0.5], [0.0], [0.0], [0.0]);
        let details = Details { residual: &mut residual, noise: &mut noise, x_start: &mut x_start };
        let one = Some(&[1.0][..]);
        sampler.step_with_details(index, &mut x, &[0.25], &[0.125], one, one, details).unwrap();
        let all = [x, residual, noise, x_start];
        assert!(all.iter().flatten().all(|value| value.is_finite()), "{all:?} after {step:?}");
    }
}

#[test]
fn parts_of_a_picture_walk_as_the_whole_does() {
    let picture = Picture::new();
    let spec = SamplerSpec { objective: Objective::PredRes, ..SamplerSpec::default() };
    let sampler = Sampler::new(spec).unwrap();
    let step = &sampler.steps()[2];
    let [first, _] = picture.outputs(Objective::PredRes, step, &picture.noise);
    let mut whole = picture.noise.clone();
    sampler.step(2, &mut whole, &picture.input, &first, None, None).unwrap();
    let mut parts = picture.noise.clone();
    for range in [0..7, 7..8, 8..LENGTH] {
        let (input, first) = (&picture.input[range.clone()], &first[range.clone()]);
        sampler.step(2, &mut parts[range], input, first, None, None).unwrap();
    }
    assert_eq!(whole, parts);
}

#[test]
fn details_are_what_the_step_used() {
    let picture = Picture::new();
    let sampler = Sampler::new(SamplerSpec::default()).unwrap();
    let mut x = picture.input.clone();
    let (mut residual, mut noise, mut x_start) =
        (vec![0.0; LENGTH], vec![0.0; LENGTH], vec![0.0; LENGTH]);
    let details = Details { residual: &mut residual, noise: &mut noise, x_start: &mut x_start };
    let (first, second) = (vec![3.0; LENGTH], vec![-2.0; LENGTH]);
    let last = sampler.steps().len() - 1;
    sampler
        .step_with_details(last, &mut x, &picture.input, &first, Some(&second), None, details)
        .unwrap();
    assert_eq!(residual, vec![1.0; LENGTH]);
    assert_eq!(noise, second);
    assert_eq!(x_start, x);
}

#[test]
fn times_are_indices_sums_or_matched() {
    let spec = SamplerSpec { steps: 4, ..SamplerSpec::default() };
    let times =
        |sampler: &Sampler| sampler.steps().iter().map(|step| step.times).collect::<Vec<_>>();
    let plain = Sampler::new(spec).unwrap();
    assert_eq!(times(&plain), [[999.0; 2], [749.0; 2], [499.0; 2], [249.0; 2]]);

    let encoded = SamplerSpec { time_encoding: TimeEncoding::AlphaBarBetaBar, ..spec };
    let encoded = Sampler::new(encoded).unwrap();
    for step in encoded.steps() {
        assert_eq!(step.times, [step.sums.alpha_bar * 1000.0, step.sums.beta_bar * 1000.0]);
    }

    let trained = Schedule::new(&spec.schedule).unwrap();
    let same = Sampler::readjusted(spec, &trained, &trained).unwrap();
    for (got, expected) in times(&same).iter().flatten().zip(times(&plain).iter().flatten()) {
        assert!((got - expected).abs() < 1e-3);
    }
    let alpha = Coefficients::of(Shape::Average);
    let walked = Schedule::new(&ScheduleSpec { alpha, ..spec.schedule }).unwrap();
    let readjusted = Sampler::readjusted(spec, &walked, &trained).unwrap();
    for step in readjusted.steps() {
        // The decreasing schedule reaches an average one's sum earlier; the noise's sums are the same.
        assert!(step.times[0] <= step.t as f32);
        assert!((step.times[1] - step.t as f32).abs() < 1e-3);
        assert_eq!(step.sums.alpha_bar, walked.alpha_bar()[step.t]);
    }

    // Networks that are told the sums know them times the trained T.
    let spec = SamplerSpec { time_encoding: TimeEncoding::AlphaBarBetaBar, ..spec };
    let walked = Schedule::new(&ScheduleSpec { timesteps: 500, ..spec.schedule }).unwrap();
    let readjusted = Sampler::readjusted(spec, &walked, &trained).unwrap();
    for step in readjusted.steps() {
        assert_eq!(step.times, [step.sums.alpha_bar * 1000.0, step.sums.beta_bar * 1000.0]);
    }
}

#[test]
fn path_independent_sampling_walks_twice() {
    let spec = SamplerSpec { steps: 3, method: Method::PathIndependent, ..SamplerSpec::default() };
    let steps = Sampler::new(spec).unwrap();
    let phases: Vec<_> = steps.steps().iter().map(|step| (step.phase, step.t, step.s)).collect();
    let walk = [(999, Some(665)), (665, Some(332)), (332, None)];
    let expected: Vec<_> = [Phase::Residual, Phase::Noise]
        .into_iter()
        .flat_map(|phase| walk.map(|(t, s)| (phase, t, s)))
        .collect();
    assert_eq!(phases, expected);
    let mut x = [0.25];
    steps.step(0, &mut x, &[0.0], &[0.0], Some(&[100.0]), None).unwrap();
    assert_eq!(x, [0.25], "the first walk ignores the noise");
    steps.step(3, &mut x, &[0.0], &[1.0], Some(&[0.0]), None).unwrap();
    assert_eq!(x, [0.25], "the second walk ignores the residual");
}

/// The first step by the noise alone divides by as little as the start's noise is.
#[test]
fn a_start_is_without_noise_where_that_decides_nothing() {
    for (objective, sum_scale, needed) in [
        (Objective::PredResNoise, 1e-12, false),
        (Objective::PredRes, 1e-4, true),
        (Objective::PredNoise, 1e-12, true),
    ] {
        let schedule = ScheduleSpec { sum_scale, ..ScheduleSpec::default() };
        let spec = SamplerSpec { schedule, objective, ..SamplerSpec::default() };
        assert_eq!(Sampler::new(spec).unwrap().start_needs_noise(), needed, "{objective}");
    }
}

#[test]
fn unconditional_walks_need_no_input() {
    let schedule = Schedule::from_ddim(&DdimSpec::default(), FirstStep::RepeatSecond).unwrap();
    let spec = SamplerSpec {
        schedule: ScheduleSpec { sum_scale: 1.0, ..ScheduleSpec::default() },
        objective: Objective::PredNoise,
        conditional: false,
        ..SamplerSpec::default()
    };
    let sampler = Sampler::with_schedule(spec, &schedule).unwrap();
    let mut x = [0.0; 2];
    sampler.start(&[], &[0.5, -0.5], &mut x).unwrap();
    assert_eq!(x, [0.5, -0.5]);
    for index in 0..sampler.steps().len() {
        sampler.step(index, &mut x, &[], &[0.1, 0.1], None, None).unwrap();
    }
    assert!(x.iter().all(|value| value.abs() <= 1.0));
}

#[test]
fn samplers_that_make_no_sense_are_refused() {
    let spec = SamplerSpec::default();
    for wrong in [
        SamplerSpec { steps: 0, ..spec },
        SamplerSpec { steps: 1001, ..spec },
        SamplerSpec { eta: -0.1, ..spec },
        SamplerSpec { eta: f32::NAN, ..spec },
        SamplerSpec { method: Method::Ancestral, ..spec },
        SamplerSpec { method: Method::PathIndependent, objective: Objective::PredRes, ..spec },
    ] {
        assert_eq!(Sampler::new(wrong).unwrap_err().kind(), ErrorKind::InvalidSampler, "{wrong:?}");
    }
    let schedule = Schedule::new(&spec.schedule).unwrap();
    let wrong = ScheduleSpec { sum_scale: 1e-31, ..spec.schedule };
    let wrong = Sampler::with_schedule(SamplerSpec { schedule: wrong, ..spec }, &schedule);
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidSchedule);
}

#[test]
fn slices_that_do_not_fit_are_refused() {
    let sampler = Sampler::new(SamplerSpec { eta: 1.0, ..SamplerSpec::default() }).unwrap();
    let (four, three) = ([0.0_f32; 4], [0.0_f32; 3]);
    let step = |index, input: &[f32], first: &[f32], second: Option<&[f32]>, z: Option<&[f32]>| {
        sampler.step(index, &mut [0.0; 4], input, first, second, z).map_err(|error| error.kind())
    };
    let second = Some(&four[..]);
    assert_eq!(step(0, &four, &four, second, second), Ok(()));
    let mismatch = Err(ErrorKind::ShapeMismatch);
    assert_eq!(step(0, &three, &four, second, second), mismatch);
    assert_eq!(step(0, &four, &three, second, second), mismatch);
    assert_eq!(step(0, &four, &four, Some(&three), second), mismatch);
    assert_eq!(step(0, &four, &four, None, second), mismatch);
    assert_eq!(step(0, &four, &four, second, None), mismatch);
    assert_eq!(step(0, &four, &four, second, Some(&three)), mismatch);
    assert_eq!(step(5, &four, &four, second, second), Err(ErrorKind::InvalidSampler));
    let start = sampler.start(&three, &four, &mut [0.0; 4]).map_err(|error| error.kind());
    assert_eq!(start, mismatch);
}
