//! Checkpoint files of the official trainer, and what their weights restore.

use rddm_networks::checkpoint::Weights;
use serde::Deserialize;

use crate::engines::{Model, Shape, device};
use crate::report::Run;
use crate::sampling::{Plan, Walk};
use crate::set::{Case, Set};

#[derive(Deserialize)]
struct Settings {
    checkpoint: String,
    weights_of: String,
    objective: String,
    #[serde(flatten)]
    shape: Shape,
    conditional: bool,
    sum_scale: f64,
    timesteps: usize,
    steps: usize,
    sampler: String,
    tolerance: f64,
}

pub fn checkpoint(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: Settings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let weights = match settings.weights_of.as_str() {
        "ema_model" => Weights::Average,
        "model" => Weights::Model,
        other => return Err(format!("the suite knows no weights of \"{other}\"")),
    };
    let model = Model::open(set.path(&settings.checkpoint), weights, &device())?;
    model.check(&settings.shape)?;
    let plan = Plan {
        objective: &settings.objective,
        timesteps: settings.timesteps,
        steps: settings.steps,
        sampler: &settings.sampler,
        sum_scale: settings.sum_scale,
        conditional: settings.conditional,
        eta: 0.0,
        schedule: "linear default",
        time: "index",
    };
    let sampler = plan.sampler()?;
    let walk = Walk::new(&sampler, &golden)?;
    let runs = model.engines(&settings.objective).into_iter().map(|(engine, predictor)| {
        let outcome = predictor.and_then(|mut predictor| {
            walk.predicted(&sampler, predictor.as_mut(), settings.tolerance)
        });
        Run::new(engine, outcome)
    });
    Ok(runs.collect())
}
