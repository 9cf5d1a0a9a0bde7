//! Losses, Adam, the average and AOSA against numbers of the official Python code (`RDDM_GOLDENS`, else
//! `../shared/goldens`).

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

use std::path::PathBuf;

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use rddm_core::aosa::Choice;
use rddm_core::{Ema, FirstStep, Objective, Schedule, ScheduleSpec, TimeEncoding};
use rddm_networks::checkpoint::{StateDict, gradients, state_dict};
use rddm_networks::unet::UnetRes;
use rddm_train::aosa::{Lambda, Sums, losses};
use rddm_train::ema;
use rddm_train::loss::{Batch, loss};
use rddm_train::recipe::{Distance, NoiseUnit, Training};
use serde_json::Value;

#[test]
fn losses_and_gradients_match() {
    let Some(goldens) = Goldens::find() else { return };
    let device = Device::flex().autodiff();
    for case in goldens.of_kind("loss") {
        let id = text(case, "id");
        let file = goldens.tensors(text(case, "file"));
        let (_, network) =
            UnetRes::from_state_dict(&goldens.tensors(text(case, "weights")), &device).unwrap();
        let batch = batch(&file, "", case["conditional"] == true, &schedule(case), &device);
        let loss = network_loss(&network, &batch, case);
        let found = gradients(&network, &loss.backward());

        let error = (f64::from(loss.into_scalar::<f32>()) - values(&file, "loss")[0]).abs();
        println!("{id}: loss {error:.1e}");
        assert!(error <= number(case, "tolerance"), "{id}: the loss is {error} off");

        let relative = number(case, "gradient_relative_tolerance");
        for (name, expected) in file.under("grad.").iter() {
            let expected: Vec<f64> = expected.iter::<f64>().collect();
            let largest = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            let error = furthest(&values(&found, name), &expected) / largest;
            assert!(
                error <= relative,
                "{id}: the gradient of {name} is {error} of its largest off"
            );
        }
        let norms = case["gradient_norms"].as_object().unwrap();
        assert_eq!(norms.len(), found.len(), "{id}");
        let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let whole = norm(&norms.values().map(|value| value.as_f64().unwrap()).collect::<Vec<_>>());
        let mut worst = 0.0_f64;
        for (name, expected) in norms {
            let expected = expected.as_f64().unwrap();
            // A bias before a norm has no gradient but rounding.
            let error = (norm(&values(&found, name)) - expected).abs() / (expected + 1e-5 * whole);
            worst = worst.max(error);
            assert!(error <= relative, "{id}: the gradient's norm of {name} is {error} off");
        }
        println!("{id}: gradient norms {worst:.1e}");
    }
}

#[test]
fn adam_moves_weights_as_the_official_code_does() {
    let Some(goldens) = Goldens::find() else { return };
    let device = Device::flex().autodiff();
    for case in goldens.of_kind("training") {
        let file = goldens.tensors(text(case, "file"));
        let (initial, last) = (file.under("initial."), file.under("final."));
        let (_, mut network) = UnetRes::from_state_dict(&initial, &device).unwrap();
        let rate = number(case, "learning_rate");
        let steps = case["steps"].as_u64().unwrap();
        let beta = |place: usize| case["betas"][place].as_f64().unwrap() as f32;
        let config = AdamConfig::new().with_beta_1(beta(0)).with_beta_2(beta(1));
        let mut optimizer = config.with_epsilon(number(case, "eps") as f32).init();
        for step in 0..steps {
            let batch = batch(&file, &format!("step.{step}."), true, &schedule(case), &device);
            let loss = network_loss(&network, &batch, case);
            let moves = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(rate, network, moves);
            let error = (f64::from(loss.into_scalar::<f32>())
                - case["losses"][step as usize].as_f64().unwrap())
            .abs();
            println!("step {step}: loss {error:.1e}");
            assert!(error <= 1e-4, "the loss of step {step} is {error} off");
        }
        let found = state_dict(&network);
        let mut errors = Vec::new();
        for (name, _) in initial.iter() {
            let ends = values(&found, name).into_iter().zip(values(&last, name));
            errors.extend(ends.map(|(found, expected)| (found - expected).abs()));
        }
        errors.sort_by(f64::total_cmp);
        let (most, all) =
            (errors[(errors.len() as f64 * 0.995) as usize], errors[errors.len() - 1]);
        println!("weights: 99.5 % within {most:.1e}, all within {all:.1e}");
        assert!(most <= number(case, "tolerance"), "99.5 % of the weights are within {most} only");
        assert!(all <= 4.0 * rate * steps as f64, "a weight is {all} off");
    }
}

#[test]
fn the_average_follows_as_the_official_code_does() {
    let Some(goldens) = Goldens::find() else { return };
    let device = Device::flex();
    for case in goldens.of_kind("ema") {
        let file = goldens.tensors(text(case, "file"));
        let rule = Ema::new(number(case, "beta"), case["update_every"].as_u64().unwrap()).unwrap();
        let online = values(&file, "online");
        let mut module =
            Weight { weight: Param::from_tensor(Tensor::from_floats([online[0] as f32], &device)) };
        let mut average = module.clone();
        let mut found = Vec::new();
        for (call, &value) in online.iter().enumerate() {
            module.weight = module.weight.map(|_| Tensor::from_floats([value as f32], &device));
            average = ema::follow(average, &module, &rule, call as u64);
            found.push(f64::from(average.weight.val().into_scalar::<f32>()));
        }
        let error = furthest(&found, &values(&file, "average"));
        println!("average: {error:.1e}");
        assert!(error <= number(case, "tolerance"), "the average is {error} off");
    }
}

#[test]
fn aosa_matches() {
    let Some(goldens) = Goldens::find() else { return };
    let device = Device::flex().autodiff();
    for case in goldens.of_kind("aosa") {
        let file = goldens.tensors(text(case, "file"));
        let (_, network) =
            UnetRes::from_state_dict(&goldens.tensors(text(case, "weights")), &device).unwrap();
        let beta2_bar: Vec<f64> =
            values(&file, "betas_cumsum").iter().map(|beta| beta * beta).collect();
        let schedule =
            Schedule::from_sums(&values(&file, "alphas_cumsum"), &beta2_bar, FirstStep::Zero)
                .unwrap();
        let batch = batch(&file, "", true, &schedule, &device);
        let sums = Sums::new(&schedule, &times(&file, ""), &device).unwrap();
        // The case says "alpha_bar*T", but its numbers come from a network that was given the index itself.
        let tolerance = number(case, "tolerance");
        for row in case["rows"].as_array().unwrap() {
            let lambda = Lambda::new(number(row, "lam") as f32, &device);
            let choice = lambda.choice(number(case, "threshold") as f32);
            let expected = match row["switched_to"].as_u64() {
                None => Choice::Open,
                Some(0) => Choice::Noise,
                Some(_) => Choice::Residual,
            };
            assert_eq!(choice, expected);
            let output = network.forward(batch.x.clone(), batch.times.clone()).remove(0);
            let found = losses(output, &batch, &sums, &lambda, choice, &Training::default());
            let slopes = found.total.backward();
            let scalar = |loss: Option<Tensor<1>>| {
                loss.map_or(0.0, |loss| f64::from(loss.into_scalar::<f32>()))
            };
            let final_conv = values(&gradients(&network, &slopes), "unet0.final_conv.weight");
            let pairs = [
                ("loss_residual", scalar(found.residual)),
                ("loss_noise", scalar(found.noise)),
                ("total", scalar(Some(found.total))),
                ("grad_lambda", scalar(lambda.tensor().grad(&slopes))),
                (
                    "gradient_norm_final_conv",
                    final_conv.iter().map(|value| value * value).sum::<f64>().sqrt(),
                ),
            ];
            for (name, value) in pairs {
                let error = (value - row[name].as_f64().unwrap_or(0.0)).abs();
                println!("λ {}: {name} {error:.1e}", row["lam"]);
                assert!(error <= tolerance, "λ {}: {name} is {value}, {error} off", row["lam"]);
            }
        }
    }
}

#[test]
fn impossible_times_are_refused() {
    let device = Device::flex();
    let schedule =
        Schedule::new(&ScheduleSpec { timesteps: 10, ..ScheduleSpec::default() }).unwrap();
    let picture = Tensor::<4>::zeros([1, 3, 4, 4], &device);
    let diffuse = |times: &[usize]| {
        let index = TimeEncoding::Index;
        Batch::diffuse(picture.clone(), None, None, picture.clone(), times, &schedule, index)
            .map(|_| ())
    };
    assert!(diffuse(&[9]).is_ok());
    assert!(diffuse(&[10]).unwrap_err().to_string().contains("time 10"));
    assert!(diffuse(&[1, 2]).is_err());
}

#[derive(Module, Debug)]
struct Weight {
    weight: Param<Tensor<1>>,
}

fn network_loss(network: &UnetRes, batch: &Batch, case: &Value) -> Tensor<1> {
    let objective: Objective = text(case, "objective").parse().unwrap();
    let training = Training {
        loss: serde_json::from_value(case["loss"].clone()).unwrap(),
        noise_unit: NoiseUnit::Unit,
        noise_weight: 1.0,
        ..Training::default()
    };
    let outputs = network.forward(batch.x.clone(), batch.times.clone());
    loss(&outputs, batch, objective, &training)
}

fn batch(
    file: &StateDict,
    prefix: &str,
    conditional: bool,
    schedule: &Schedule,
    device: &Device,
) -> Batch {
    let tensor = |name: &str| {
        Tensor::<4>::from_data(file.get(&format!("{prefix}{name}")).unwrap().clone(), device)
    };
    let centred = |name: &str| tensor(name) * 2.0 - 1.0;
    let input = conditional.then(|| centred("x_input"));
    let (times, index) = (times(file, prefix), TimeEncoding::Index);
    Batch::diffuse(centred("x_start"), input, None, tensor("noise"), &times, schedule, index)
        .unwrap()
}

fn times(file: &StateDict, prefix: &str) -> Vec<usize> {
    values(file, &format!("{prefix}time")).into_iter().map(|time| time as usize).collect()
}

fn schedule(case: &Value) -> Schedule {
    let timesteps = case["timesteps"].as_u64().unwrap() as usize;
    Schedule::new(&ScheduleSpec {
        timesteps,
        sum_scale: number(case, "sum_scale"),
        ..ScheduleSpec::default()
    })
    .unwrap()
}

fn values(file: &StateDict, name: &str) -> Vec<f64> {
    let data: &TensorData = file.get(name).unwrap_or_else(|| panic!("no {name}"));
    data.iter::<f64>().collect()
}

fn furthest(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("no {key}"))
}

/// The folder of golden numbers.
struct Goldens {
    folder: PathBuf,
    manifest: Value,
}

impl Goldens {
    /// Where there is none: a loud skip, and in CI a failure.
    fn find() -> Option<Self> {
        let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/goldens");
        let folder = std::env::var_os("RDDM_GOLDENS").map_or_else(beside, PathBuf::from);
        let Ok(text) = std::fs::read_to_string(folder.join("manifest.json")) else {
            assert!(std::env::var_os("CI").is_none(), "no goldens in {}", folder.display());
            eprintln!("SKIPPED: no goldens in {}; set RDDM_GOLDENS", folder.display());
            return None;
        };
        Some(Self { folder, manifest: serde_json::from_str(&text).unwrap() })
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.manifest["cases"].as_array().unwrap().iter().filter(move |case| case["kind"] == kind)
    }

    fn tensors(&self, file: &str) -> StateDict {
        StateDict::from_safetensors(file, &std::fs::read(self.folder.join(file)).unwrap()).unwrap()
    }
}

#[test]
fn errors_outside_of_the_mask_count_for_nothing_where_that_is_asked_for() {
    let device = Device::flex();
    let schedule = Schedule::new(&ScheduleSpec::default()).unwrap();
    let picture = |values: [f32; 12]| {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 2, 2]), &device)
    };
    let (clean, degraded) = (picture([0.25; 12]), picture([-0.5; 12]));
    let mask = Tensor::<4>::from_floats([[[[1.0, -0.5], [-1.0, -1.0]]]], &device);
    let noise = picture([0.0; 12]);
    let (seen, encoding) = (Some(mask.clone()), TimeEncoding::AlphaBarBetaBar);
    let batch =
        Batch::diffuse(clean, Some(degraded), seen, noise.clone(), &[999], &schedule, encoding)
            .unwrap();
    // All of the residual, a tenth of the noise.
    for (time, expected) in batch.times.clone().into_iter().zip([1000.0, 100.0]) {
        assert!((time.into_scalar::<f32>() - expected).abs() < 1e-2);
    }
    let of = |wrong: Tensor<4>, within_mask: bool| {
        let training = Training { within_mask, ..Training::default() };
        let predictions = [batch.residual.clone() + wrong, noise.clone()];
        loss(&predictions, &batch, Objective::PredResNoise, &training).into_scalar::<f32>()
    };
    let inside = mask.greater_elem(-1.0).float().repeat_dim(1, 3);
    let outside = inside.clone().mul_scalar(-1.0).add_scalar(1.0);
    assert_eq!(of(outside.clone(), true), 0.0);
    assert!(of(outside, false) > 0.4);
    assert_eq!(of(inside.clone(), true), of(inside, false));
}

#[test]
fn the_psnr_of_each_picture_counts_alike() {
    let device = Device::flex();
    let schedule = Schedule::new(&ScheduleSpec::default()).unwrap();
    let zeros = Tensor::<4>::zeros([2, 1, 2, 2], &device);
    let input = Some(zeros.clone());
    let index = TimeEncoding::Index;
    let batch =
        Batch::diffuse(zeros.clone(), input, None, zeros.clone(), &[999; 2], &schedule, index)
            .unwrap();
    // Off by 0.2 of a range of 2, and by nothing: 20 dB and the most that counts.
    let wrong = Tensor::<4>::from_floats([[[[0.2]]], [[[0.0]]]], &device);
    for (psnr_limit, expected) in [(60.0, 40.0), (40.0, 29.98)] {
        let training = Training { loss: Distance::Psnr, psnr_limit, ..Training::default() };
        let wrong = batch.residual.clone() + wrong.clone();
        let found = loss(&[wrong], &batch, Objective::PredRes, &training).into_scalar::<f32>();
        assert!((found + expected).abs() < 3e-3, "{found} at a limit of {psnr_limit}");
    }
}
