//! `rddm-train eval`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use indicatif::ProgressBar;
use ndarray::Array3;
use rddm_manifest::ModelId;
use rddm_runtime::{Control, Restorer};
use rddm_train::degrade::DegradationSpec;
use rddm_train::evaluate::{
    DataSetScore, NamedPair, PictureScore, degraded_pairs, evaluate, inputs, stored_pairs,
};
use rddm_train::recipe::Source;
use rddm_train::validate::{restore_any_size, sampler};
use rddm_train::{Error, Recipe};
use rddm_zoo::{ResolveOptions, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Failure, print};

/// Measures a model of the zoo, or a run, where the clean picture is known: PSNR, SSIM and MAE of 8-bit pictures.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The model of the zoo.
    #[arg(long, required_unless_present = "run")]
    model: Option<ModelId>,
    /// A training run instead: its averaged weights, in the trainer's own arithmetic.
    #[arg(long, conflicts_with = "model")]
    run: Option<PathBuf>,
    /// Folder of a data set: `gt` with clean pictures, and folders of degraded ones named `input…`; with --degraded,
    /// a folder of clean pictures.
    #[arg(long, required = true)]
    data: Vec<PathBuf>,
    /// Degrades the pictures as this recipe's first source that degrades, with the seeds from the recipe's on.
    #[arg(long, value_name = "RECIPE")]
    degraded: Option<PathBuf>,
    /// Numbers of sampling steps; by default the model's own, and 1 for a run.
    #[arg(long, value_delimiter = ',')]
    steps: Vec<usize>,
    /// What of the network's outputs the sampler goes by; by default what the model was published with.
    #[arg(long)]
    objective: Option<rddm_core::Objective>,
    /// What runs the model's networks: tract, or ort where it was built in.
    #[arg(long, default_value = "tract")]
    engine: String,
    /// The shared library of ONNX Runtime, for `--engine ort`.
    #[arg(long, env = "ORT_DYLIB_PATH")]
    ort_library: Option<PathBuf>,
    /// Seed of the noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder or URL of the registry.
    #[arg(long)]
    registry: Option<String>,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// JSON file that gets the figures; those of other data sets, steps and engines that it holds are kept.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// A figure as `eval.json` has it; the manifest's form with more beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    dataset: String,
    metric: String,
    value: f64,
    input: f64,
    steps: usize,
    engine: String,
    command: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    rows: Vec<Row>,
    #[serde(default)]
    pictures: Vec<Value>,
}

type Restore = Box<dyn FnMut(&Array3<f32>) -> Result<Array3<f32>, Error>>;

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut report = match &arguments.output {
        Some(path) if path.exists() => read(path)?,
        _ => Report::default(),
    };
    print::line(&format!(
        "{:28} {:>5} {:>7}  {:>15} {:>15} {:>17} {:>17}  {:>6}",
        "data set", "steps", "engine", "PSNR RGB", "PSNR Y", "SSIM RGB", "SSIM Y", "least"
    ));
    let steps: Vec<Option<usize>> = match arguments.steps.as_slice() {
        [] => vec![None],
        given => given.iter().copied().map(Some).collect(),
    };
    for steps in steps {
        let (mut restore, steps, engine) = restorer(&arguments, steps)?;
        for folder in &arguments.data {
            for (dataset, mut pairs) in datasets(&arguments, folder)? {
                let bar = ProgressBar::new_spinner();
                let on_picture = &mut |score: &PictureScore| bar.set_message(score.name.clone());
                let score = evaluate(&mut pairs, &mut restore, on_picture)?;
                bar.finish_and_clear();
                print::line(&line(&dataset, steps, &engine, &score));
                report.replace(&arguments, &dataset, steps, &engine, &score);
            }
        }
    }
    if let Some(path) = &arguments.output {
        let text = serde_json::to_string_pretty(&report).map_err(|error| files(path, &error))?;
        fs::write(path, text + "\n").map_err(|error| files(path, &error))?;
    }
    Ok(())
}

type Pairs = Box<dyn Iterator<Item = NamedPair>>;

/// The data sets of a folder, by name.
fn datasets(arguments: &Arguments, folder: &Path) -> Result<Vec<(String, Pairs)>, Failure> {
    let Some(path) = &arguments.degraded else {
        let pairs = inputs(folder)?.into_iter().map(|input| {
            let pairs: Pairs = Box::new(stored_pairs(folder, &input)?);
            Ok((dataset_name(folder, &input), pairs))
        });
        return pairs.collect();
    };
    let recipe = Recipe::read(path)?;
    let spec: Option<&DegradationSpec> = recipe.data.iter().find_map(|source| match source {
        Source::Degraded { degradation, .. } => Some(degradation),
        _ => None,
    });
    let Some(spec) = spec else {
        let text = format!("{}: no source degrades; give pairs without --degraded", path.display());
        return Err(Failure { code: 2, text });
    };
    let pairs: Pairs = Box::new(degraded_pairs(folder, spec, recipe.training.seed)?);
    Ok(vec![(dataset_name(folder, &recipe.id), pairs)])
}

/// What restores a picture, its number of steps, and the name of what runs the network.
fn restorer(
    arguments: &Arguments,
    steps: Option<usize>,
) -> Result<(Restore, usize, String), Failure> {
    if let Some(folder) = &arguments.run {
        return of_run(folder, arguments, steps.unwrap_or(1));
    }
    let Some(id) = &arguments.model else {
        return Err(Failure { code: 2, text: "give --model or --run".into() });
    };
    let folders: Vec<PathBuf> = (env::current_dir().ok().into_iter())
        .chain(env::current_exe().ok().as_deref().and_then(Path::parent).map(Path::to_owned))
        .collect();
    let settings =
        Settings::decide(None, arguments.registry.as_deref(), |name| env::var_os(name), &folders)?;
    let mut options = ResolveOptions::default();
    options.home = settings.home;
    options.registry = settings.registry;
    let model = rddm_zoo::resolve(id, &options)?;
    let mut builder = Restorer::builder(&model.manifest)
        .engine(&arguments.engine)
        .threads(arguments.threads)
        .seed(arguments.seed);
    if let Some(steps) = steps {
        builder = builder.steps(steps);
    }
    if let Some(objective) = arguments.objective {
        builder = builder.objective(objective);
    }
    if let Some(library) = &arguments.ort_library {
        builder = builder.library(library);
    }
    let restorer = builder.build(model.networks.iter().map(|network| &network.bytes))?;
    let (steps, engine) = (restorer.sampler().steps, restorer.engine().to_owned());
    let restore: Restore = Box::new(move |picture| {
        restorer
            .restore(picture.view(), None, &mut |_| Control::Continue)
            .map_err(|error| Error::engine(error.to_string()))
    });
    Ok((restore, steps, engine))
}

fn of_run(
    folder: &Path,
    arguments: &Arguments,
    steps: usize,
) -> Result<(Restore, usize, String), Failure> {
    let mut recipe = Recipe::read(&folder.join("recipe.toml"))?;
    if let Some(objective) = arguments.objective {
        recipe.diffusion.objective = objective;
    }
    let device = Device::flex();
    let path = folder.join("weights.safetensors");
    let weights = fs::read(&path).map_err(|error| files(&path, &error))?;
    let new = recipe.network.init(&device);
    let network = new
        .map_err(|error| Failure { code: 2, text: error.to_string() })?
        .with_safetensors(weights)
        .map_err(|error| files(&path, &error))?;
    let sampler = sampler(&recipe, steps)?;
    let multiple = recipe.network.multiple();
    let restore: Restore =
        Box::new(move |picture| restore_any_size(&network, &sampler, picture, multiple, &device));
    Ok((restore, steps, "burn".into()))
}

/// The last two parts of the folder's name that tell it apart: `rain100/input_L`.
fn dataset_name(folder: &Path, input: &str) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{name}/{input}")
}

fn line(dataset: &str, steps: usize, engine: &str, score: &DataSetScore) -> String {
    let (to, from) = (&score.restored, &score.input);
    format!(
        "{dataset:28} {steps:5} {engine:>7}  {:6.2} > {:6.2} {:6.2} > {:6.2} {:7.4} > {:7.4} {:7.4} > {:7.4}  {:+6.2}",
        from.psnr_rgb,
        to.psnr_rgb,
        from.psnr_y,
        to.psnr_y,
        from.ssim_rgb,
        to.ssim_rgb,
        from.ssim_y,
        to.ssim_y,
        score.least_gain
    )
}

impl Report {
    /// Puts a data set's figures in the place of those of the same data set, steps and engine.
    fn replace(
        &mut self,
        arguments: &Arguments,
        dataset: &str,
        steps: usize,
        engine: &str,
        score: &DataSetScore,
    ) {
        let what = match (&arguments.model, &arguments.run) {
            (Some(id), _) => format!("--model {id}"),
            (None, _) => "--run RUN".to_owned(),
        };
        let folder = dataset.split('/').next().unwrap_or_default();
        let degraded = match &arguments.degraded {
            Some(path) => format!(" --degraded {}", path.display()),
            None => String::new(),
        };
        let command = format!(
            "rddm-train eval {what} --engine {engine} --steps {steps} --data $RDDM_DATA/test/{folder}{degraded}"
        );
        let same = |row: &Row| row.dataset == dataset && row.steps == steps && row.engine == engine;
        self.rows.retain(|row| !same(row));
        for ((metric, value), (_, input)) in
            score.restored.named().into_iter().zip(score.input.named())
        {
            let mut more = Map::new();
            if metric == "psnr_rgb" {
                more.insert("least_gain".into(), rounded(score.least_gain));
            }
            self.rows.push(Row {
                dataset: dataset.to_owned(),
                metric: metric.to_owned(),
                value: round(value),
                input: round(input),
                steps,
                engine: engine.to_owned(),
                command: command.clone(),
                more,
            });
        }
        let unlike = |value: &Value| {
            value["dataset"] != dataset || value["steps"] != steps || value["engine"] != engine
        };
        self.pictures.retain(unlike);
        for picture in &score.pictures {
            let measures = |all: [(&'static str, f64); 5]| -> Value {
                all.into_iter().map(|(name, value)| (name.to_owned(), rounded(value))).collect()
            };
            self.pictures.push(serde_json::json!({
                "dataset": dataset,
                "steps": steps,
                "engine": engine,
                "name": picture.name,
                "restored": measures(picture.restored.named()),
                "input": measures(picture.input.named()),
            }));
        }
    }
}

/// Four places behind the point: more than the measures are worth.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn rounded(value: f64) -> Value {
    Value::from(round(value))
}

fn read(path: &Path) -> Result<Report, Failure> {
    let text = fs::read(path).map_err(|error| files(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| files(path, &error))
}

fn files(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure { code: 7, text: format!("{}: {error}", path.display()) }
}
