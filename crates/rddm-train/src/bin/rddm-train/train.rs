//! `rddm-train train`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use rddm_manifest::Digest;
use rddm_train::run::Run;
use rddm_train::{Event, Recipe, train};

use crate::Failure;
use crate::model::Zoo;

/// Trains a recipe; goes on where the run's folder stands.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    work: Work,
    /// The network file that the recipe's `start` names, where the registry has another version by now.
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    #[command(flatten)]
    zoo: Zoo,
}

/// What is trained, on what, and where it goes.
#[derive(clap::Args)]
pub(crate) struct Work {
    /// The recipe, a TOML file.
    pub(crate) recipe: PathBuf,
    /// Folder of the pictures that the recipe names.
    #[arg(long, env = "RDDM_DATA")]
    pub(crate) data: PathBuf,
    /// The run's folder: log, curve, weights, checkpoint.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// What trains: `cpu`, or `cuda` where it was built in.
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let recipe = Recipe::read(&arguments.work.recipe)?;
    let work = &arguments.work;
    let device = work.device()?;
    let start = arguments.start(&recipe)?;
    let bar = ProgressBar::new(recipe.training.steps as u64).with_style(style());
    bar.println(format!("{}: {} steps", recipe.id, recipe.training.steps));
    let stop = interrupted()?;
    let mut smooth = None;
    let result = train(
        &recipe,
        &work.data,
        &work.out,
        &device,
        start.as_deref(),
        &mut |event| match event {
            Event::Resumed { step } => {
                bar.println(format!("goes on from step {step}"));
                bar.set_position(step as u64);
                bar.reset_eta();
            }
            Event::Step { step, loss } => {
                let mean = smooth.map_or(loss, |mean: f64| 0.98 * mean + 0.02 * loss);
                smooth = Some(mean);
                bar.set_message(format!("loss {mean:.5}"));
                bar.set_position(step as u64);
            }
            Event::Validated { step, scores } => {
                for score in scores {
                    bar.println(format!(
                        "step {step:6}  {} in {} steps: {:.2} dB (input {:.2})",
                        score.source, score.steps, score.psnr, score.input
                    ));
                }
            }
            _ => {}
        },
        &stop,
    );
    bar.finish_and_clear();
    result?;
    if stop() { Err(Failure::interrupted()) } else { Ok(()) }
}

impl Arguments {
    /// The network file that the training begins with; a training that goes on needs none.
    fn start(&self, recipe: &Recipe) -> Result<Option<Vec<u8>>, Failure> {
        let Some(start) = recipe.start.as_ref().filter(|_| !Run::begun(&self.work.out)) else {
            return match &self.start {
                Some(_) if recipe.start.is_none() => Err(Failure {
                    code: 2,
                    text: "--start: the recipe begins with new weights; name the file's model and digest in its [start]"
                        .into(),
                }),
                _ => Ok(None),
            };
        };
        if let Some(path) = &self.start {
            let failed = |error| Failure { code: 7, text: format!("{}: {error}", path.display()) };
            return std::fs::read(path).map(Some).map_err(failed);
        }
        let networks = self.zoo.find(&start.model)?.networks;
        let joint = networks.into_iter().find(|network| Digest::of(&network.bytes) == start.sha256);
        joint.map(|network| Some(network.bytes)).ok_or_else(|| Failure {
            code: 2,
            text: format!(
                "start: no network of {} in the registry has the digest {}; name the file with --start, or write the \
                 digest of the one that `rddm-zoo show {}` tells",
                start.model, start.sha256, start.model
            ),
        })
    }
}

/// What says whether the user asked for the end: the training writes a checkpoint then.
fn interrupted() -> Result<impl Fn() -> bool, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    let by_handler = asked.clone();
    ctrlc::set_handler(move || by_handler.store(true, Ordering::Relaxed))
        .map_err(|error| Failure { code: 1, text: format!("no handler for signals: {error}") })?;
    Ok(move || asked.load(Ordering::Relaxed))
}

fn style() -> ProgressStyle {
    let template = "{bar:30} {pos}/{len}  {per_sec}  {msg}  {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Work {
    /// The device that was asked for, ready to train.
    pub(crate) fn device(&self) -> Result<Device, Failure> {
        let device = match self.device.as_str() {
            "cpu" => Device::flex(),
            #[cfg(feature = "cuda")]
            "cuda" => cuda()?,
            #[cfg(not(feature = "cuda"))]
            "cuda" => {
                return Err(Failure {
                    code: 2,
                    text: "--device cuda: not built in; build with --features cuda".into(),
                });
            }
            name => {
                let text = format!("--device {name}: give cpu or cuda");
                return Err(Failure { code: 2, text });
            }
        };
        Ok(device.autodiff())
    }
}

/// The first CUDA device. burn panics where there is none, so it is asked for what there is.
#[cfg(feature = "cuda")]
fn cuda() -> Result<Device, Failure> {
    if Device::enumerate(burn::tensor::DeviceType::Cuda).is_empty() {
        let text = "--device cuda: no NVIDIA GPU that can be used here, or no driver for it; install NVIDIA's driver (does \
                    nvidia-smi list a GPU?), look at CUDA_VISIBLE_DEVICES, or train with --device cpu";
        return Err(Failure { code: 8, text: text.into() });
    }
    Ok(Device::cuda(0))
}
