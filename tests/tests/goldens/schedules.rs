//! Kinds of tables and times, which rddm-core answers alone.

use std::collections::BTreeMap;

use rddm_core::{
    Coefficients, DdimBetas, DdimSpec, FirstStep, Schedule, ScheduleSpec, Shape, sampling_times,
};
use serde::Deserialize;

use crate::compare::{Measured, Relative, absolute};
use crate::report::Run;
use crate::set::{Case, Set};
use crate::tensors::Tensors;

#[derive(Deserialize)]
struct ScheduleSettings {
    timesteps: usize,
    alpha: String,
    beta2: String,
    variant: String,
    sum_scale: f64,
    #[serde(flatten)]
    tolerance: Relative,
}

pub fn schedule(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: ScheduleSettings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let spec = ScheduleSpec {
        timesteps: settings.timesteps,
        alpha: coefficients_of(&settings.alpha, &settings.variant, 1.0)?,
        beta2: coefficients_of(&settings.beta2, &settings.variant, 1.0)?,
        sum_scale: settings.sum_scale,
    };
    let outcome = Schedule::new(&spec)
        .map_err(|error| error.to_string())
        .and_then(|schedule| tables(&schedule, &golden, settings.tolerance));
    Ok(vec![Run::new("core", outcome)])
}

#[derive(Deserialize)]
struct CoefficientsSettings {
    timesteps: usize,
    shape: String,
    ratio: f64,
    variant: String,
    sum_scale: f64,
    #[serde(flatten)]
    tolerance: Relative,
}

pub fn coefficients(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: CoefficientsSettings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let coefficients = coefficients_of(&settings.shape, &settings.variant, settings.ratio)?;
    // As a schedule's α where they sum to 1, and as its β², which is what a scale applies to.
    let spec = ScheduleSpec {
        timesteps: settings.timesteps,
        beta2: coefficients,
        sum_scale: settings.sum_scale,
        ..ScheduleSpec::default()
    };
    let outcome = Schedule::new(&spec).map_err(|error| error.to_string()).and_then(|schedule| {
        settings.tolerance.measure(schedule.beta2(), golden.values("coefficients")?).and_then(
            |first| {
                let sums =
                    settings.tolerance.measure(schedule.beta2_bar(), golden.values("cumsum")?)?;
                Ok(first.worse(sums))
            },
        )
    });
    Ok(vec![Run::new("core", outcome)])
}

#[derive(Deserialize)]
struct DdimSettings {
    timesteps: usize,
    beta_schedule: String,
    beta_start: f64,
    beta_end: f64,
    first_step: Option<String>,
    #[serde(flatten)]
    tolerance: Relative,
}

impl DdimSettings {
    fn spec(&self) -> Result<DdimSpec, String> {
        let betas: DdimBetas =
            self.beta_schedule.parse().map_err(|error: rddm_core::Error| error.to_string())?;
        let (beta_start, beta_end) = (self.beta_start, self.beta_end);
        Ok(DdimSpec { timesteps: self.timesteps, betas, beta_start, beta_end })
    }
}

pub fn ddim_to_rddm(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: DdimSettings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let spec = settings.spec()?;
    Ok(vec![Run::new("core", converted(&spec, &golden, settings.tolerance))])
}

fn converted(spec: &DdimSpec, golden: &Tensors, tolerance: Relative) -> Result<Measured, String> {
    let text = |error: rddm_core::Error| error.to_string();
    let products = spec.alpha_products().map_err(text)?;
    let (alpha_bar, beta2_bar) = rddm_core::ddim_to_rddm(&products);
    let columns = [
        ("ddim_betas", spec.betas().map_err(text)?),
        ("ddim_alphas_cumprod", products),
        ("alphas_cumsum", alpha_bar),
        ("betas2_cumsum", beta2_bar),
    ];
    worst(golden, tolerance, columns.iter().map(|(name, values)| (*name, single(values))))
}

pub fn schedule_from_ddim(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: DdimSettings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let first_step = settings.first_step.as_deref().ok_or("the case names no first_step")?;
    let first_step: FirstStep =
        first_step.parse().map_err(|error: rddm_core::Error| error.to_string())?;
    let outcome = Schedule::from_ddim(&settings.spec()?, first_step)
        .map_err(|error| error.to_string())
        .and_then(|schedule| tables(&schedule, &golden, settings.tolerance));
    Ok(vec![Run::new("core", outcome)])
}

/// `"T/S": [t, …, -1]`.
pub fn times(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let golden: BTreeMap<String, Vec<f32>> = set.json(&case.file)?;
    let mut worst: Option<Measured> = None;
    for (name, times) in &golden {
        let numbers = name.split_once('/').and_then(|(timesteps, steps)| {
            Some((timesteps.parse::<usize>().ok()?, steps.parse::<usize>().ok()?))
        });
        let (timesteps, steps) = numbers.ok_or_else(|| format!("\"{name}\" is not T/S"))?;
        let got = sampling_times(timesteps, steps).map_err(|error| error.to_string())?;
        let got: Vec<f32> = got.into_iter().map(|time| time as f32).chain([-1.0]).collect();
        let measured =
            absolute(&got, times, 0.0).map_err(|problem| format!("{name}: {problem}"))?;
        if !measured.passes() {
            return Err(format!("{name}: {got:?} where the golden has {times:?}"));
        }
        worst = Some(measured);
    }
    Ok(worst.map(|measured| Run::new("core", Ok(measured))).into_iter().collect())
}

/// `linear` is the first form of the paper's code, without an exponent; `power` the later one.
fn coefficients_of(shape: &str, variant: &str, ratio: f64) -> Result<Coefficients, String> {
    let shape: Shape = shape.parse().map_err(|error: rddm_core::Error| error.to_string())?;
    let shape = match (variant, shape) {
        ("power", Shape::Increased) => Shape::IncreasedFromZero,
        ("power", Shape::Decreased) => Shape::DecreasedToZero,
        ("linear" | "power", shape) => shape,
        _ => return Err(format!("the suite knows no variant \"{variant}\"")),
    };
    Ok(Coefficients { shape, ratio })
}

fn tables(schedule: &Schedule, golden: &Tensors, tolerance: Relative) -> Result<Measured, String> {
    let columns = [
        ("alphas", schedule.alpha()),
        ("alphas_cumsum", schedule.alpha_bar()),
        ("betas", schedule.beta()),
        ("betas2", schedule.beta2()),
        ("betas2_cumsum", schedule.beta2_bar()),
        ("betas_cumsum", schedule.beta_bar()),
        ("one_minus_alphas_cumsum", schedule.one_minus_alpha_bar()),
        ("posterior_mean_coef1", schedule.posterior_mean_picture()),
        ("posterior_mean_coef2", schedule.posterior_mean_residual()),
        ("posterior_mean_coef3", schedule.posterior_mean_start()),
        ("posterior_variance", schedule.posterior_variance()),
        ("posterior_log_variance_clipped", schedule.posterior_log_variance()),
    ];
    worst(golden, tolerance, columns.into_iter().map(|(name, values)| (name, values.to_vec())))
}

/// Compares all columns of a golden file, each of which must be among `columns`.
fn worst(
    golden: &Tensors,
    tolerance: Relative,
    columns: impl Iterator<Item = (&'static str, Vec<f32>)>,
) -> Result<Measured, String> {
    let columns: BTreeMap<_, _> = columns.collect();
    let mut worst: Option<(Measured, &str)> = None;
    for (name, tensor) in golden.iter() {
        let got = columns.get(name).ok_or_else(|| format!("the suite knows no table {name}"))?;
        let measured = tolerance
            .measure(got, &tensor.values)
            .map_err(|problem| format!("{name}: {problem}"))?;
        worst = Some(match worst {
            Some((before, at)) if before.error >= measured.error => (before, at),
            _ => (measured, name),
        });
    }
    match worst {
        Some((measured, name)) if !measured.passes() => Err(format!(
            "{name} is off by {:.2e}, and {:.2e} is allowed",
            measured.error, measured.tolerance
        )),
        Some((measured, _)) => Ok(measured),
        None => Err("the golden file has no table".to_owned()),
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}
