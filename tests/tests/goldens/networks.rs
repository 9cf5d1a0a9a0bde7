//! Whole networks at one input.

use rddm_networks::checkpoint::Weights;
use serde::Deserialize;

use crate::compare::{Measured, absolute};
use crate::engines::{Model, Predictor, Shape, device};
use crate::report::Run;
use crate::set::{Case, Set};
use crate::tensors::{Tensor, Tensors};

#[derive(Deserialize)]
struct Settings {
    weights: String,
    #[serde(flatten)]
    shape: Shape,
    tolerance: f64,
}

pub fn network(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    let settings: Settings = case.settings()?;
    let golden = set.tensors(&case.file)?;
    let model = Model::open(set.path(&settings.weights), Weights::Average, &device())?;
    model.check(&settings.shape)?;
    let objective = objective(set, &settings);
    let times = times(&golden, &objective)?;
    // A file takes a mask of one plane, and this golden's has three that differ.
    let masked = model.config.in_channels == 9;
    let engines = model.engines(&objective).into_iter().take(if masked { 1 } else { usize::MAX });
    let runs = engines.map(|(engine, predictor)| {
        let outcome = predictor.and_then(|mut predictor| {
            measure(
                predictor.as_mut(),
                &golden,
                [&times[0].values, &times[1].values],
                settings.tolerance,
            )
        });
        Run::new(engine, outcome)
    });
    Ok(runs.collect())
}

fn measure(
    predictor: &mut dyn Predictor,
    golden: &Tensors,
    times: [&[f32]; 2],
    tolerance: f64,
) -> Result<Measured, String> {
    let got = predictor.predict(golden.get("x")?, times)?;
    let expected = golden.numbered("output");
    if got.len() != expected.len() || expected.is_empty() {
        return Err(format!("{} outputs where the golden has {}", got.len(), expected.len()));
    }
    let mut worst = Measured { error: 0.0, tolerance };
    for (got, expected) in got.iter().zip(expected) {
        if got.shape != expected.shape {
            return Err(format!("{:?} where the golden has {:?}", got.shape, expected.shape));
        }
        worst = worst.worse(absolute(&got.values, &expected.values, tolerance)?);
    }
    Ok(worst)
}

/// The two times that the networks see: both `time`, or `time.0` and `time.1`; a network of the noise alone sees the
/// second in both places.
fn times<'a>(golden: &'a Tensors, objective: &str) -> Result<[&'a Tensor; 2], String> {
    if let Some(time) = golden.find("time") {
        return Ok([time, time]);
    }
    let (first, second) = (golden.get("time.0")?, golden.get("time.1")?);
    Ok(match objective {
        "pred_noise" => [second, second],
        "pred_res" => [first, first],
        _ => [first, second],
    })
}

/// What the networks predict, which a case of this kind does not say: for one network, what another case of the same
/// weights says. Networks of two times predict the noise where they are alone, in the official code.
fn objective(set: &Set, settings: &Settings) -> String {
    #[derive(Deserialize)]
    struct Other {
        weights: Option<String>,
        objective: Option<String>,
    }
    if settings.shape.networks != "one" {
        return "pred_res_noise".to_owned();
    }
    let others = set.cases().iter().filter_map(|case| case.settings::<Other>().ok());
    others
        .filter(|other| other.weights.as_deref() == Some(settings.weights.as_str()))
        .find_map(|other| other.objective)
        .unwrap_or_else(|| "pred_noise".to_owned())
}
