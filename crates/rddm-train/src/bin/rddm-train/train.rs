//! `rddm-train train`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};
use rddm_manifest::{Digest, ModelId};
use rddm_train::recipe::{Guide, Start, Teacher};
use rddm_train::run::Run;
use rddm_train::{Event, Published, Recipe, train};

use crate::model::Zoo;
use crate::report::unread;
use crate::{Failure, print};

/// Trains a recipe; goes on where the run's folder stands.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    work: Work,
    /// The network file that the recipe's `start` names, where the registry has another version by now.
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    /// Likewise, the network file of the recipe's `teacher`.
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
    /// Likewise, that of the teacher's `guide`.
    #[arg(long, value_name = "FILE")]
    guide: Option<PathBuf>,
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
    /// What trains: `cpu`, or `libtorch`, `libtorch-cuda` or `cuda` where it was built in.
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    // Before the device has threads.
    rddm_zoo::keep_ignored_signals();
    let recipe = Recipe::read(&arguments.work.recipe)?;
    let work = &arguments.work;
    let device = work.device(&recipe)?;
    let start = arguments.start(&recipe)?;
    let teacher = arguments.teacher(&recipe)?;
    let guide = arguments.guide(&recipe)?;
    let published =
        Published { start: start.as_deref(), teacher: teacher.as_deref(), guide: guide.as_deref() };
    let bar = ProgressBar::new(recipe.training.steps as u64).with_style(style());
    // A bar that is not drawn prints nothing either.
    let tell = |text: &str| if bar.is_hidden() { print::say(text) } else { bar.println(text) };
    tell(&format!("{}: {} steps", recipe.id, recipe.training.steps));
    let stop = interrupted()?;
    let mut smooth = None;
    let result = train(
        &recipe,
        &work.data,
        &work.out,
        &device,
        published,
        &mut |event| match event {
            Event::Resumed { step } => {
                tell(&format!("goes on from step {step}"));
                bar.set_position(step as u64);
                bar.reset_eta();
            }
            Event::OtherPictures => {
                tell(
                    "note: the pictures are others than before; from here on it sees other examples than it would have seen",
                );
            }
            Event::Step { step, loss } => {
                let mean = smooth.map_or(loss, |mean: f64| 0.98 * mean + 0.02 * loss);
                smooth = Some(mean);
                bar.set_message(format!("loss {mean:.5}"));
                bar.set_position(step as u64);
            }
            Event::Validated { step, scores } => {
                for score in scores {
                    tell(&format!(
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
        let file = self.start.as_deref();
        match &recipe.start {
            Some(_) if Run::begun(&self.work.out) => Ok(None),
            Some(Start { model, sha256, .. }) => {
                self.network("start", file, model, sha256).map(Some)
            }
            None => unasked("start", file),
        }
    }

    /// The network file of the teacher.
    fn teacher(&self, recipe: &Recipe) -> Result<Option<Vec<u8>>, Failure> {
        let file = self.teacher.as_deref();
        match &recipe.teacher {
            Some(Teacher { model, sha256, .. }) => {
                self.network("teacher", file, model, sha256).map(Some)
            }
            None => unasked("teacher", file),
        }
    }

    /// The network file of the teacher's guide.
    fn guide(&self, recipe: &Recipe) -> Result<Option<Vec<u8>>, Failure> {
        let file = self.guide.as_deref();
        match recipe.teacher.as_ref().and_then(|teacher| teacher.guide.as_ref()) {
            Some(Guide { model, sha256, .. }) => {
                self.network("guide", file, model, sha256).map(Some)
            }
            None => unasked("teacher.guide", file),
        }
    }

    /// The network file that the recipe's table `key` names: the one that is given, or the registry's.
    fn network(
        &self,
        key: &str,
        file: Option<&Path>,
        model: &ModelId,
        sha256: &Digest,
    ) -> Result<Vec<u8>, Failure> {
        if let Some(path) = file {
            return std::fs::read(path).map_err(|error| unread(path, &error));
        }
        let networks = self.zoo.find(model)?.networks;
        let joint = networks.into_iter().find(|network| Digest::of(&network.bytes) == *sha256);
        joint.map(|network| network.bytes).ok_or_else(|| Failure {
            code: 2,
            text: format!(
                "{key}: no network of {model} in the registry has the digest {sha256}; name the file with --{key} (a former \
                 version's lies in the history of the zoo's repository), or write the digest of the one that \
                 `rddm-zoo show {model}` tells"
            ),
        })
    }
}

/// No file for a table `key` that the recipe has not.
fn unasked(key: &str, file: Option<&Path>) -> Result<Option<Vec<u8>>, Failure> {
    let text =
        || format!("--{key}: the recipe has no [{key}]; name the file's model and digest there");
    file.map_or(Ok(None), |_| Err(Failure { code: 2, text: text() }))
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
    /// The device that was asked for, ready to train the recipe.
    pub(crate) fn device(&self, recipe: &Recipe) -> Result<Device, Failure> {
        let device = match self.device.as_str() {
            "cpu" => Device::flex(),
            "libtorch" => libtorch(recipe.training.workers)?,
            "libtorch-cuda" => libtorch_cuda()?,
            "cuda" => cuda()?,
            name => {
                let text = format!("--device {name}: give cpu, libtorch, libtorch-cuda or cuda");
                return Err(Failure { code: 2, text });
            }
        };
        Ok(device.autodiff())
    }
}

/// A device that is a feature of the build.
#[cfg(not(all(feature = "cuda", feature = "libtorch")))]
fn not_built_in(device: &str, feature: &str) -> Failure {
    let text = format!("--device {device}: not built in; build with --features {feature}");
    Failure { code: 2, text }
}

/// PyTorch's library on the CPU; the recipe's workers share the processor.
#[cfg(feature = "libtorch")]
fn libtorch(workers: usize) -> Result<Device, Failure> {
    tch::set_num_threads((tch::get_num_threads() / workers as i32).max(1));
    #[allow(deprecated)] // docs/decisions/libtorch.md
    Ok(Device::libtorch())
}

#[cfg(not(feature = "libtorch"))]
fn libtorch(_workers: usize) -> Result<Device, Failure> {
    Err(not_built_in("libtorch", "libtorch"))
}

/// PyTorch's library on the first CUDA device.
#[cfg(feature = "libtorch")]
fn libtorch_cuda() -> Result<Device, Failure> {
    if !tch::Cuda::is_available() {
        let text = "--device libtorch-cuda: this libtorch finds no GPU; is it one with CUDA, and does nvidia-smi list a GPU?";
        return Err(Failure { code: 8, text: text.into() });
    }
    // Threads of its own would wait for work on the cores that make the examples.
    tch::set_num_threads(1);
    tch::Cuda::cudnn_set_benchmark(true);
    #[allow(deprecated)] // docs/decisions/libtorch.md
    Ok(Device::libtorch_cuda(0))
}

#[cfg(not(feature = "libtorch"))]
fn libtorch_cuda() -> Result<Device, Failure> {
    Err(not_built_in("libtorch-cuda", "libtorch"))
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

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device, Failure> {
    Err(not_built_in("cuda", "cuda"))
}
