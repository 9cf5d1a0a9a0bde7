//! Whole walks from the start to the clean picture.

use rddm_networks::checkpoint::Weights;
use serde::Deserialize;

use crate::engines::{Model, Shape, device};
use crate::report::Run;
use crate::sampling::{Plan, Walk};
use crate::set::{Case, Set};

#[derive(Deserialize)]
struct Settings {
    weights: String,
    #[serde(flatten)]
    shape: Shape,
    objective: String,
    timesteps: usize,
    steps: usize,
    sampler: String,
    sum_scale: f64,
    conditional: bool,
    eta: f32,
    schedule: String,
    time: String,
    tolerance: f64,
}

pub fn trajectory(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: Settings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let sampler = settings.plan().sampler()?;
    let walk = Walk::new(&sampler, &golden)?;
    let model = Model::open(set.path(&settings.weights), Weights::Average, &device())?;
    model.check(&settings.shape)?;
    let mut runs = Vec::new();
    if let Some(outcome) = walk.replayed(&sampler, settings.tolerance).transpose() {
        runs.push(Run::new("core", outcome));
    }
    for (engine, predictor) in model.engines(&settings.objective) {
        let outcome = predictor.and_then(|mut predictor| {
            walk.predicted(&sampler, predictor.as_mut(), settings.tolerance)
        });
        runs.push(Run::new(engine, outcome));
    }
    Ok(runs)
}

impl Settings {
    fn plan(&self) -> Plan<'_> {
        Plan {
            objective: &self.objective,
            timesteps: self.timesteps,
            steps: self.steps,
            sampler: &self.sampler,
            sum_scale: self.sum_scale,
            conditional: self.conditional,
            eta: self.eta,
            schedule: &self.schedule,
            time: &self.time,
        }
    }
}
