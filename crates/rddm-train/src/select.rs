//! The open stage of the automatic choice of the objective, before a training.
//!
//! One network with one output is trained as both objectives at once until the learnt `λ` passes the threshold
//! ([`crate::aosa`]). What is left behind is an ordinary run of the decided objective, which [`crate::train`] goes on with.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use rddm_core::Schedule;
use rddm_core::aosa::Choice;
use serde::{Deserialize, Serialize};

use crate::aosa::{Lambda, Sums, THRESHOLD, losses};
use crate::data::DataSet;
use crate::error::{Error, Kind};
use crate::examples::Examples;
use crate::log::{self, Line, Panel};
use crate::rate::learning_rate;
use crate::recipe::Recipe;
use crate::run::{self, Checkpoint, Run, State};
use crate::trainer::{begin, optimizer, schedule};

/// How the choice is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// How far `λ` has to be from ½.
    pub threshold: f32,
    /// Learning rate of `λ`; the paper trains everything with 8e-5.
    pub rate: f64,
    /// Optimiser steps until the choice is given up; no more than the recipe's.
    pub most_steps: usize,
}

/// `λ` and the two losses at one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Optimiser steps done.
    pub step: usize,
    /// `λ` after them.
    pub lambda: f32,
    /// Loss of the residual.
    pub residual: f32,
    /// Loss of the noise.
    pub noise: f32,
}

/// What was decided, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The recipe with the decided objective, as it stands in the run's folder.
    pub recipe: Recipe,
    /// Every step.
    pub points: Vec<Point>,
}

impl Default for Options {
    fn default() -> Self {
        Self { threshold: THRESHOLD, rate: 8e-5, most_steps: 2000 }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        for (key, value) in [("threshold", f64::from(self.threshold)), ("rate", self.rate)] {
            if !(value > 0.0 && value.is_finite()) {
                let problem = format!("--{key}: {value}; give a finite number above 0");
                return Err(Error::new(Kind::Recipe, problem));
            }
        }
        Ok(())
    }
}

impl Point {
    /// Checks that the training is still one: a `λ` that is no number would decide something.
    fn check(&self) -> Result<(), Error> {
        let Self { step, lambda, residual, noise } = self;
        if [lambda, residual, noise].into_iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        let problem = format!(
            "at step {step} λ is {lambda}, and the losses are {residual} and {noise}; try a lower --rate, which is λ's, or a \
             lower training.rate"
        );
        Err(Error::new(Kind::Diverged, problem))
    }
}

/// Trains `recipe` until `λ` decides, and leaves a run of the decided objective in the folder `out`, with `aosa.json`
/// (every [`Point`]) and `aosa.svg` beside it.
///
/// # Errors
/// When an option is not finite and above 0, the network has not one output, the recipe begins with a published network or has
/// a teacher, `out` holds a run already or is written to by another process, `λ` or a loss is not finite any more, `λ` decides
/// nothing in time, and as [`crate::train`].
pub fn select(
    recipe: &Recipe,
    data: &Path,
    out: &Path,
    device: &Device,
    options: &Options,
    on_point: &mut dyn FnMut(&Point),
) -> Result<Selection, Error> {
    options.check()?;
    if recipe.network.outputs() != 1 || !recipe.diffusion.conditional {
        let problem = "the choice is between residual and noise of one degraded picture: give a network of one output";
        return Err(Error::new(Kind::Recipe, format!("network.outputs: {problem}")));
    }
    for (key, there) in [
        ("[start]", recipe.start.is_some()),
        ("[teacher]", recipe.teacher.is_some()),
        ("training.within_mask", recipe.training.within_mask),
    ] {
        if there {
            let problem = "the choice is made from new weights by the whole truth; leave it out";
            return Err(Error::new(Kind::Recipe, format!("{key}: {problem}")));
        }
    }
    let run = Run::claim(out)?;
    if run.path("recipe.toml").exists() {
        return Err(Error::run(out, "holds a run already; give another folder with --out"));
    }
    let data = DataSet::load(recipe, data)?;
    let mut stage = Stage::new(recipe, device)?;
    // A choice after the last step would leave nothing to train.
    let most_steps = options.most_steps.min(recipe.training.steps);
    let mut points = Vec::new();
    let choice = loop {
        let point = stage.step(recipe, &data, options, device)?;
        point.check()?;
        points.push(point);
        on_point(&point);
        match stage.lambda.choice(options.threshold) {
            Choice::Open if points.len() >= most_steps => {
                let problem = format!(
                    "λ is {:.4} after {} steps and has not left ½ by {}; more steps (--most-steps, and training.steps) \
                     or a higher --rate may help",
                    point.lambda,
                    points.len(),
                    options.threshold
                );
                return Err(Error::new(Kind::Undecided, problem));
            }
            Choice::Open => {}
            choice => break choice,
        }
    };
    let mut decided = recipe.clone();
    decided.diffusion.objective = choice.objective().unwrap_or(recipe.diffusion.objective);
    let Checkpoint { state, network, .. } = stage.checkpoint;
    run.save(&Checkpoint {
        state: State {
            step: state.step,
            seconds: state.seconds,
            pictures: data.digest().to_owned(),
            ..State::new(&decided)?
        },
        average: network.clone().valid(),
        network,
        optimizer: optimizer(),
    })?;
    let text = serde_json::to_vec_pretty(&points)
        .map_err(|error| Error::new(Kind::Run, error.to_string()))?;
    run::write(&run.path("aosa.json"), &text)?;
    plot(&points, &run.path("aosa.svg"))?;
    // Last: where one of the others could not be written, no run of the decided objective is there.
    run.of(&decided)?;
    Ok(Selection { recipe: decided, points })
}

struct Stage {
    checkpoint: Checkpoint,
    lambda: Lambda,
    of_lambda: ModuleOptimizer,
    schedule: Schedule,
}

impl Stage {
    fn new(recipe: &Recipe, device: &Device) -> Result<Self, Error> {
        Ok(Self {
            checkpoint: begin(recipe, device)?.at_examples(recipe),
            lambda: Lambda::new(0.5, device),
            of_lambda: optimizer(),
            schedule: schedule(recipe)?,
        })
    }

    fn step(
        &mut self,
        recipe: &Recipe,
        data: &DataSet,
        options: &Options,
        device: &Device,
    ) -> Result<Point, Error> {
        let started = Instant::now();
        let Checkpoint { state, network, optimizer, .. } = &mut self.checkpoint;
        let training = &recipe.training;
        let indices = 0..training.examples(state.step).1;
        let drawn = Examples::draw(recipe, data, &self.schedule, state.step, indices);
        let sums = Sums::new(&self.schedule, &drawn.steps, device)?;
        let batch = drawn.on(device);
        let output = network.forward(batch.x.clone(), batch.times.clone()).remove(0);
        let losses = losses(output, &batch, &sums, &self.lambda, Choice::Open, training);
        let mut slopes = losses.total.backward();
        let gradients = GradientsParams::from_module(&mut slopes, &self.lambda);
        self.lambda = self.of_lambda.step(options.rate, self.lambda.clone(), gradients);
        let gradients = GradientsParams::from_module(&mut slopes, network);
        let rate = learning_rate(training, state.step);
        *network = optimizer.step(rate, network.clone(), gradients);
        state.step += 1;
        state.seconds += started.elapsed().as_secs_f64();
        let number = |loss: Option<Tensor<1>>| loss.map_or(0.0, |l| l.into_scalar());
        Ok(Point {
            step: state.step,
            lambda: self.lambda.value(),
            residual: number(losses.residual),
            noise: number(losses.noise),
        })
    }
}

fn plot(points: &[Point], path: &Path) -> Result<(), Error> {
    let line = |name: &str, value: fn(&Point) -> f32| Line {
        name: name.to_owned(),
        points: points.iter().map(|p| (p.step as f64, f64::from(value(p)))).collect(),
    };
    let panels = [
        Panel { label: "λ", lines: vec![line("λ", |p| p.lambda)] },
        Panel {
            label: "loss",
            lines: vec![line("residual", |p| p.residual), line("noise", |p| p.noise)],
        },
    ];
    log::draw(&panels, path)
}
