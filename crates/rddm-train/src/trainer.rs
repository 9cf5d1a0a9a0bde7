//! The training itself.

use std::path::Path;
use std::thread;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use rddm_core::Schedule;
use rddm_networks::Network;

use crate::data::DataSet;
use crate::ema;
use crate::error::{Error, Kind};
use crate::examples::Examples;
use crate::feed::Feed;
use crate::log::{self, Entry, LoggedScore};
use crate::loss::{Batch, loss, loss_from};
use crate::published::{Published, Teaching};
use crate::rate::learning_rate;
use crate::recipe::{Recipe, Teacher};
use crate::replicas::Replicas;
use crate::run::{Checkpoint, Run, State};
use crate::validate::{Score, validate};

/// What a training tells while it runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// It goes on from a checkpoint.
    Resumed {
        /// Optimiser steps done before.
        step: usize,
    },
    /// The pictures are not those that the training saw before: it goes on with other examples.
    OtherPictures,
    /// An optimiser step is done.
    Step {
        /// Optimiser steps done.
        step: usize,
        /// Its loss.
        loss: f64,
    },
    /// Held out pictures were measured.
    Validated {
        /// Optimiser steps done.
        step: usize,
        /// What was found.
        scores: &'a [Score],
    },
}

/// Trains `recipe` on the pictures below `data`, in the run folder `out`; goes on where that folder's checkpoint stands.
///
/// `stop` is asked after each step; where it answers yes, a checkpoint is written and the training ends early.
///
/// # Errors
/// When the recipe, the pictures or the folder are not as they should be, another process writes to the folder, its run is
/// beyond the recipe's last step, or the loss, a weight or a restored picture is not finite any more.
pub fn train(
    recipe: &Recipe,
    data: &Path,
    out: &Path,
    device: &Device,
    published: Published<'_>,
    on_event: &mut dyn FnMut(Event<'_>),
    stop: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let data = DataSet::load(recipe, data)?;
    let (run, mut session) = Session::open(recipe, out, published, device)?;
    let (begun, last) = (session.checkpoint.state.step, recipe.training.steps);
    if begun > last {
        let problem = format!(
            "its run is at step {begun}, beyond training.steps = {last}, so that nothing is left to train; begin again with \
             more steps in another folder"
        );
        return Err(Error::run(out, problem));
    }
    let log = run.path("log.jsonl");
    if session.checkpoint.state.step > 0 {
        on_event(Event::Resumed { step: session.checkpoint.state.step });
    }
    let seen = &mut session.checkpoint.state.pictures;
    if begun < last && !seen.is_empty() && *seen != data.digest() {
        on_event(Event::OtherPictures);
    }
    data.digest().clone_into(seen);
    // What was logged past the checkpoint will be logged again.
    if log.exists() {
        log::replace(&log, &log::read(&log, session.checkpoint.state.step)?)?;
    }
    let training = &recipe.training;
    if session.checkpoint.state.step >= training.steps {
        // The last sitting may have ended before they were written.
        run.save_weights(&session.checkpoint)?;
    }
    let (workers, schedule) = (training.workers, session.schedule.clone());
    let make = |step: usize| -> Vec<Examples> {
        let share = training.examples(step).1 / workers;
        let parts = (0..workers).map(|part| part * share..(part + 1) * share);
        parts.map(|indices| Examples::draw(recipe, &data, &schedule, step, indices)).collect()
    };
    thread::scope(|scope| {
        let feed = Feed::start(scope, session.checkpoint.state.step..training.steps, &make);
        let mut started = Instant::now();
        for batch in feed {
            let loss = session.step(recipe, batch, device);
            session.checkpoint.state.seconds += started.elapsed().as_secs_f64();
            let step = session.checkpoint.state.step;
            if !loss.is_finite() {
                return Err(Error::diverged(&format!("the loss is {loss}"), step));
            }
            let losses = &mut session.checkpoint.state.losses;
            *losses = (losses.0 + loss, losses.1 + 1);
            on_event(Event::Step { step, loss });
            let last = step == training.steps;
            if step.is_multiple_of(recipe.validation.every) || last {
                let average = &session.checkpoint.average;
                let scores = validate(average, recipe, &data, step, &device.clone().inner())?;
                on_event(Event::Validated { step, scores: &scores });
                let (sum, count) = std::mem::take(&mut session.checkpoint.state.losses);
                let entry = Entry {
                    step,
                    seconds: session.checkpoint.state.seconds,
                    loss: sum / count as f64,
                    rate: learning_rate(training, step - 1),
                    scores: scores.into_iter().map(LoggedScore::from).collect(),
                };
                log::append(&log, &entry)?;
                log::plot(&log::read(&log, usize::MAX)?, &run.path("curve.svg"))?;
            }
            let stopped = stop();
            if step.is_multiple_of(training.checkpoint_every) || last || stopped {
                run.save(&session.checkpoint)?;
            }
            if stopped {
                break;
            }
            started = Instant::now();
        }
        Ok(())
    })
}

impl From<Score> for LoggedScore {
    fn from(score: Score) -> Self {
        let Score { source, steps, psnr, input } = score;
        Self { source, steps, psnr, input }
    }
}

/// A training in one sitting.
struct Session {
    checkpoint: Checkpoint,
    schedule: Schedule,
    teacher: Option<Teaching>,
    replicas: Replicas,
}

impl Session {
    /// The beginning, or what follows the checkpoint in the folder `out`, which is written to after all else is well.
    fn open(
        recipe: &Recipe,
        out: &Path,
        published: Published<'_>,
        device: &Device,
    ) -> Result<(Run, Self), Error> {
        let schedule = schedule(recipe)?;
        let mut new = begin(recipe, device)?;
        if !Run::begun(out) {
            new = new.started(recipe, published.start, device)?;
        }
        let teacher = recipe.teacher.as_ref();
        let teacher = teacher.map(|teacher| teacher.load(published, device)).transpose()?;
        let replicas = Replicas::new(recipe.training.workers)?;
        let run = Run::open(out, recipe)?;
        let checkpoint = run.load_or(new)?.at_examples(recipe);
        Ok((run, Self { checkpoint, schedule, teacher, replicas }))
    }

    /// One optimiser step, on one part of the batch for each worker; its loss.
    fn step(&mut self, recipe: &Recipe, parts: Vec<Examples>, device: &Device) -> f64 {
        let Checkpoint { state, network, average, optimizer } = &mut self.checkpoint;
        let training = &recipe.training.at(state.step);
        let teacher = &self.teacher;
        let measure = |network: &Network, batch: Batch| {
            let predictions = network.forward(batch.x.clone(), batch.times.clone());
            let truth = loss(&predictions, &batch, recipe.diffusion.objective, training);
            let (Some(teacher), Some(Teacher { weight, .. })) = (teacher, &recipe.teacher) else {
                return truth;
            };
            let times = batch.times.clone().map(Tensor::inner);
            let answers = teacher.answers(batch.x.clone().inner(), times);
            let answers = answers.into_iter().map(Tensor::from_inner);
            let drawn =
                loss_from(&predictions, answers, &batch, recipe.diffusion.objective, training);
            truth.mul_scalar(1.0 - weight) + drawn.mul_scalar(*weight)
        };
        let (loss, gradients) = self.replicas.gradients(network, device, parts, &measure);
        let rate = learning_rate(training, state.step);
        *network = optimizer.step(rate, network.clone(), gradients);
        let decay = ema::decay(training, state.step);
        *average = ema::update(average.clone(), network, decay);
        state.step += 1;
        loss
    }
}

impl Checkpoint {
    /// With a network that takes the recipe's examples as they are; the average is for whole pictures.
    pub(crate) fn at_examples(mut self, recipe: &Recipe) -> Self {
        if recipe.training.afar {
            self.network = self.network.unshrinking();
        }
        self
    }
}

/// The beginning of a training: weights drawn from the recipe's seed.
pub(crate) fn begin(recipe: &Recipe, device: &Device) -> Result<Checkpoint, Error> {
    device.seed(recipe.training.seed);
    let network = recipe.network.init(device);
    let network = network.map_err(|error| Error::new(Kind::Recipe, error.to_string()))?;
    Ok(Checkpoint {
        state: State::new(recipe)?,
        average: network.clone().valid(),
        network,
        optimizer: optimizer(),
    })
}

/// The tables of the recipe's diffusion.
pub(crate) fn schedule(recipe: &Recipe) -> Result<Schedule, Error> {
    Schedule::new(&recipe.diffusion.schedule())
        .map_err(|error| Error::new(Kind::Recipe, error.to_string()))
}

pub(crate) fn optimizer() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).init()
}
