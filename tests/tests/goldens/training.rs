//! Kinds of training: losses with their gradients, Adam, the average of weights. burn alone trains.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor as BurnTensor};
use rddm_core::{Ema, Objective, Schedule, ScheduleSpec, TimeEncoding};
use rddm_networks::checkpoint::{StateDict, Weights, gradients, state_dict};
use rddm_networks::unet::UnetRes;
use rddm_train::ema::follow;
use rddm_train::loss::{Batch, loss as trainer_loss};
use rddm_train::recipe::{Distance, NoiseUnit, Training};
use serde::Deserialize;

use crate::compare::{Measured, absolute};
use crate::engines::{Model, Shape, built, device, to_burn, vector};
use crate::report::Run;
use crate::set::{Case, Set};
use crate::tensors::{Tensor, Tensors};

#[derive(Deserialize)]
struct LossSettings {
    weights: String,
    #[serde(flatten)]
    shape: Shape,
    objective: String,
    loss: Distance,
    conditional: bool,
    timesteps: usize,
    sum_scale: f64,
    gradient_norms: BTreeMap<String, f64>,
    tolerance: f64,
    gradient_relative_tolerance: f64,
}

pub fn loss(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: LossSettings = case.settings()?;
    Ok(vec![Run::new("burn", measured_loss(set, case, &settings))])
}

fn measured_loss(set: &Set, case: &Case, settings: &LossSettings) -> Result<Measured, String> {
    let golden = set.tensors(&case.file)?;
    let device = device().autodiff();
    let model = Model::open(set.path(&settings.weights), Weights::Average, &device)?;
    model.check(&settings.shape)?;
    let task = Task {
        objective: parsed(&settings.objective)?,
        schedule: schedule(settings.timesteps, settings.sum_scale)?,
        distance: settings.loss,
        conditional: settings.conditional,
        device,
    };
    let loss = task.loss(&model.network, &golden, "")?;
    let slopes = gradients(&model.network, &loss.backward());
    let loss = absolute(&[loss.into_scalar()], golden.values("loss")?, settings.tolerance)?;
    let gradient = Gradients { slopes: &slopes, relative: settings.gradient_relative_tolerance };
    Ok(loss.worse(gradient.tensors(&golden)?).worse(gradient.norms(&settings.gradient_norms)?))
}

/// Gradients beside golden ones.
struct Gradients<'a> {
    slopes: &'a StateDict,
    relative: f64,
}

impl Gradients<'_> {
    /// Each tensor's largest error as a part of its largest value.
    fn tensors(&self, golden: &Tensors) -> Result<Measured, String> {
        let mut worst = Measured { error: 0.0, tolerance: self.relative };
        for (name, expected) in golden.iter() {
            let Some(name) = name.strip_prefix("grad.") else { continue };
            let largest = expected.values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            let got = values(self.slopes, name)?;
            let error = absolute(&got, &expected.values, self.relative)?.error / f64::from(largest);
            worst = worst.worse(Measured { error, ..worst });
        }
        Ok(worst)
    }

    /// Each norm's error as a part of the norm; a norm that is nothing but rounding beside the whole gradient's, as
    /// that of a bias before a normalisation, counts as a hundred-thousandth of the whole: those are
    /// sums of thousands of terms that cancel, each rounded to a 2^-24th.
    fn norms(&self, golden: &BTreeMap<String, f64>) -> Result<Measured, String> {
        if self.slopes.len() != golden.len() {
            let got = self.slopes.len();
            return Err(format!("{got} gradients where the golden has {}", golden.len()));
        }
        let whole = golden.values().map(|norm| norm * norm).sum::<f64>().sqrt();
        let mut worst = Measured { error: 0.0, tolerance: self.relative };
        for (name, &expected) in golden {
            let norm = norm(&values(self.slopes, name)?);
            let error = (norm - expected).abs() / (expected + 1e-5 * whole);
            worst = worst.worse(Measured { error, ..worst });
        }
        Ok(worst)
    }
}

pub fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// What is trained for.
struct Task {
    objective: Objective,
    schedule: Schedule,
    distance: Distance,
    conditional: bool,
    device: Device,
}

impl Task {
    /// The trainer's loss of the batch that a golden file has under `prefix`.
    fn loss(
        &self,
        network: &UnetRes,
        golden: &Tensors,
        prefix: &str,
    ) -> Result<BurnTensor<1>, String> {
        let batch = batch(golden, prefix, self.conditional, &self.schedule, &self.device)?;
        let outputs = network.forward(batch.x.clone(), batch.times.clone());
        if outputs.len() != self.objective.outputs() {
            return Err(format!("{} outputs for {}", outputs.len(), self.objective));
        }
        let training = Training {
            loss: self.distance,
            noise_weight: 1.0,
            noise_unit: NoiseUnit::Unit,
            ..Training::default()
        };
        Ok(trainer_loss(&outputs, &batch, self.objective, &training))
    }
}

/// The trainer's batch of golden pictures, noise and times.
pub fn batch(
    golden: &Tensors,
    prefix: &str,
    conditional: bool,
    schedule: &Schedule,
    device: &Device,
) -> Result<Batch, String> {
    let get = |name: &str| golden.get(&format!("{prefix}{name}"));
    let picture = |tensor: &Tensor| to_burn::<4>(tensor, device).mul_scalar(2.0).sub_scalar(1.0);
    let times: Vec<usize> = get("time")?.values.iter().map(|&time| time as usize).collect();
    let input = if conditional { Some(picture(get("x_input")?)) } else { None };
    let noise = to_burn::<4>(get("noise")?, device);
    Batch::diffuse(
        picture(get("x_start")?),
        input,
        None,
        noise,
        &times,
        schedule,
        TimeEncoding::Index,
    )
    .map_err(|error| error.to_string())
}

#[derive(Deserialize)]
struct TrainingSettings {
    objective: String,
    steps: usize,
    learning_rate: f64,
    betas: [f32; 2],
    eps: f32,
    losses: Vec<f32>,
    #[serde(flatten)]
    shape: Shape,
    sum_scale: f64,
    timesteps: usize,
    loss: Distance,
    tolerance: f64,
}

/// The share of weights that Adam must move as the golden does; a weight whose gradient is nearly 0 may have one of
/// either sign.
const SHARE: f64 = 0.995;

/// The tolerance of losses in training, which the manifest has for the kind `loss` alone.
const LOSS_TOLERANCE: f64 = 1e-4;

pub fn training(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: TrainingSettings = case.settings()?;
    Ok(vec![Run::new("burn", trained(set, case, &settings))])
}

/// The error is that of the weight at the 99.5th percentile, or of the losses.
fn trained(set: &Set, case: &Case, settings: &TrainingSettings) -> Result<Measured, String> {
    let golden = set.tensors(&case.file)?;
    let device = device().autodiff();
    let all = StateDict::from_safetensors(case.file.as_str(), &set.bytes(&case.file)?)
        .map_err(|error| error.to_string())?;
    let (initial, last) = (all.under("initial."), all.under("final."));
    let (config, mut network) = built(&initial, &device)?;
    settings.shape.check(&config)?;
    let task = Task {
        objective: parsed(&settings.objective)?,
        schedule: schedule(settings.timesteps, settings.sum_scale)?,
        distance: settings.loss,
        conditional: config.in_channels > config.channels,
        device,
    };
    let [beta_1, beta_2] = settings.betas;
    let adam = AdamConfig::new().with_beta_1(beta_1).with_beta_2(beta_2);
    let mut optimizer = adam.with_epsilon(settings.eps).init();
    let mut losses = Vec::new();
    for step in 0..settings.steps {
        let loss = task.loss(&network, &golden, &format!("step.{step}."))?;
        losses.push(loss.clone().into_scalar());
        let slopes = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(settings.learning_rate, network, slopes);
    }
    let errors = moves(&initial, &state_dict(&network), &last)?;
    let furthest = 4.0 * settings.learning_rate * settings.steps as f64;
    if errors.last().is_none_or(|&error| error > furthest) {
        return Err(format!("a weight ended {:?} away, {furthest:.1e} is allowed", errors.last()));
    }
    let error = errors[(errors.len() as f64 * SHARE).ceil() as usize - 1];
    let losses = absolute(&losses, &settings.losses, LOSS_TOLERANCE)?;
    Ok(Measured { error, tolerance: settings.tolerance }.worse(losses))
}

/// The errors of `got - initial` beside `last - initial`, rising.
fn moves(initial: &StateDict, got: &StateDict, last: &StateDict) -> Result<Vec<f64>, String> {
    let mut errors = Vec::new();
    for (name, _) in initial.iter() {
        let (start, got, last) = (values(initial, name)?, values(got, name)?, values(last, name)?);
        if got.len() != start.len() || last.len() != start.len() {
            return Err(format!("{name} changed its length"));
        }
        errors.extend(
            got.iter().zip(&last).zip(&start).map(|((got, last), start)| {
                (f64::from(got - start) - f64::from(last - start)).abs()
            }),
        );
    }
    if errors.is_empty() {
        return Err("the golden has no weights".to_owned());
    }
    errors.sort_by(f64::total_cmp);
    Ok(errors)
}

#[derive(Deserialize)]
struct EmaSettings {
    beta: f64,
    update_every: u64,
    tolerance: f64,
}

/// The golden has one weight, online and averaged, after each call.
pub fn ema(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: EmaSettings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let rule = Ema::new(settings.beta, settings.update_every).map_err(|error| error.to_string())?;
    let online = golden.values("online")?;
    let mut module = Param::from_tensor(vector(&online[..online.len().min(1)], &device()));
    let mut average = module.clone();
    let mut averages = Vec::new();
    for (&weight, call) in online.iter().zip(0..) {
        module = module.map(|value| value.zeros_like().add_scalar(weight));
        average = follow(average, &module, &rule, call);
        averages.push(average.val().into_scalar());
    }
    let outcome = absolute(&averages, golden.values("average")?, settings.tolerance);
    Ok(vec![Run::new("burn", outcome)])
}

fn parsed(objective: &str) -> Result<Objective, String> {
    objective.parse().map_err(|error: rddm_core::Error| error.to_string())
}

fn schedule(timesteps: usize, sum_scale: f64) -> Result<Schedule, String> {
    Schedule::new(&ScheduleSpec { timesteps, sum_scale, ..ScheduleSpec::default() })
        .map_err(|error| error.to_string())
}

pub fn values(weights: &StateDict, name: &str) -> Result<Vec<f32>, String> {
    let data = weights.get(name).ok_or_else(|| format!("there is no {name}"))?;
    data.try_to_vec().map_err(|error| format!("{name}: {error:?}"))
}
