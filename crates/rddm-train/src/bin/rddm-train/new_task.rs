//! `rddm-train new-task`.

use std::fs;
use std::path::{Path, PathBuf};

use rddm_manifest::{Draft, ModelId, Text};
use rddm_networks::NetworkConfig;
use rddm_networks::edge::{EdgeConfig, Norm};
use rddm_train::Recipe;
use rddm_train::recipe::{Augment, Diffusion, Growth, Source, Training, Validation, Weight};

use crate::degrade::parse;
use crate::report::{unwritten, word};
use crate::{Failure, print};

/// Begins a model: writes its recipe, model.toml and card, and says which commands make a published model of it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The model's name: lower case letters, digits and hyphens.
    name: ModelId,
    /// Folder of the pictures.
    #[arg(long, env = "RDDM_DATA")]
    data: PathBuf,
    /// Two folders of pictures under the same names, below --data: degraded and clean.
    #[arg(long, num_args = 2, value_names = ["DEGRADED", "CLEAN"], required_unless_present = "clean")]
    pairs: Vec<PathBuf>,
    /// A folder of clean pictures, below --data, that --degradation is done to.
    #[arg(long, requires = "degradation", conflicts_with = "pairs")]
    clean: Option<PathBuf>,
    /// The degradation as a recipe writes it, such as `{ kind = "blur", motion = 1.0 }`.
    #[arg(long, requires = "clean")]
    degradation: Option<String>,
    /// The picture has an up and a down, as rain has: examples are mirrored and never turned.
    #[arg(long)]
    upright: bool,
    /// One line on what the model does, for lists.
    #[arg(long, default_value = "Restores pictures")]
    summary: Text,
    /// Terms of the pictures that it is trained on, for its card and manifest.
    #[arg(long, default_value = "unknown")]
    terms: Text,
    /// How large the network is.
    #[arg(long, value_enum, default_value_t = Size::Small)]
    size: Size,
    /// Optimiser steps: 10000 take about half an hour on one core, for the small network.
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// Folder of the zoo; the model gets a folder of its own in it.
    #[arg(long, default_value = "zoo")]
    zoo: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Size {
    /// 0.13 million weights.
    Tiny,
    /// Half a million.
    Small,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let folder = arguments.zoo.join(arguments.name.as_str());
    if folder.exists() {
        let text = format!("{} is there already; choose another name", folder.display());
        return Err(Failure { code: 7, text });
    }
    let recipe = recipe(&arguments)?;
    let text = recipe.to_toml()?;
    // What was written is what will be read: a range that is none shows here, and no picture missing later.
    Recipe::parse(&text)?;
    let model = model(&arguments, &recipe);
    Draft::parse(&model)
        .map_err(|error| Failure { code: 2, text: format!("the model.toml to be: {error}") })?;
    rddm_train::data::DataSet::load(&recipe, &arguments.data)?;
    let texts = [("recipe.toml", text), ("model.toml", model), ("card.md", card(&arguments))];
    if let Err(failure) = write(&folder, texts) {
        // Half a model would be in the way of the next try.
        let _ = fs::remove_dir_all(&folder);
        return Err(failure);
    }
    next(&arguments, &folder)
}

fn write(folder: &Path, texts: [(&str, String); 3]) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    for (name, text) in texts {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| unwritten(&path, &error))?;
    }
    Ok(())
}

fn recipe(arguments: &Arguments) -> Result<Recipe, Failure> {
    let mut folders = arguments.clean.iter().chain(&arguments.pairs);
    if let Some(folder) = folders.find(|folder| folder.to_str().is_none()) {
        let problem = "a recipe is UTF-8, and this name is not; rename the folder";
        return Err(Failure { code: 2, text: format!("{}: {problem}", folder.display()) });
    }
    let source = match (&arguments.clean, &arguments.degradation, &arguments.pairs[..]) {
        (Some(clean), Some(degradation), _) => Source::Degraded {
            clean: clean.clone(),
            degradation: parse(degradation)?,
            weight: Weight::default(),
        },
        (_, _, [input, target]) => Source::Pairs {
            input: input.clone(),
            target: target.clone(),
            mask: None,
            gain: None,
            weight: Weight::default(),
        },
        _ => return Err(Failure { code: 2, text: "give --pairs, or --clean".into() }),
    };
    let (widths, blocks) = match arguments.size {
        Size::Tiny => (vec![16, 32, 48], vec![1, 1, 1]),
        Size::Small => (vec![24, 48, 96], vec![1, 1, 2]),
    };
    let network = EdgeConfig { widths, blocks, norm: Norm::Channel, ..EdgeConfig::default() };
    Ok(Recipe {
        schema: 1,
        id: arguments.name.to_string(),
        notes: String::new(),
        network: NetworkConfig::Edge(network),
        start: None,
        teacher: None,
        diffusion: Diffusion { sum_scale: 1e-3, ..Diffusion::default() },
        validation: Validation {
            hold_out: held_out(&source, &arguments.data)?,
            ..Validation::default()
        },
        data: vec![source],
        training: Training {
            steps: arguments.steps,
            warmup: arguments.steps.div_ceil(5).min(200),
            augment: if arguments.upright { Augment::Mirror } else { Augment::Turn },
            grow: vec![Growth { after: 0.75, crop: 128, batch: 2 }],
            noise_weight: 0.05,
            last_time: 0.9,
            ..Training::default()
        },
    })
}

/// The pictures that are kept out of training: one in ten, evenly over the folder.
fn held_out(source: &Source, data: &Path) -> Result<Vec<String>, Failure> {
    let folder = source.name();
    let pictures = rddm_train::data::files(&data.join(&folder))?;
    if pictures.len() < 2 {
        let problem = "holds one picture; one to train on and one to hold out are the least";
        let text = format!("{folder}: {problem}");
        return Err(Failure { code: 3, text });
    }
    let count = (pictures.len() / 10).max(1);
    let middles = (0..count).map(|part| (2 * part + 1) * pictures.len() / (2 * count));
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(middles.map(|at| name(&pictures[at])).collect())
}

fn model(arguments: &Arguments, recipe: &Recipe) -> String {
    let Arguments { name, summary, terms, .. } = arguments;
    let upright = if arguments.upright { "upright = true\n" } else { "" };
    let (multiple, overlap) = match &recipe.network {
        NetworkConfig::Edge(config) => (config.multiple(), config.receptive_radius()),
        network => (network.multiple(), 0),
    };
    let quoted = |text: &str| toml::Value::from(text);
    let data = quoted(&recipe.data[0].name());
    format!(
        r#"schema = 1
id = "{name}"
version = "0.1.0"
task = "{name}"
summary = {summary}
license = "MIT OR Apache-2.0"
least_runtime = "0.1.0"

[[networks]]
role = "joint"
precision = "fp32"
file = "{name}.onnx"
opset = 17
inputs = ["x", "time"]
outputs = ["residual", "noise"]

[sampler]
timesteps = 1000
alpha = {{ shape = "decreased", ratio = 1.0 }}
beta2 = {{ shape = "increased", ratio = 1.0 }}
sum_scale = {sum_scale}
objective = "pred_res_noise"
steps = 1
eta = 0.0
time_encoding = "index"
conditional = true
method = "ddim"

[picture]
channels = 3
mask = false
multiple = {multiple}
padding = "reflect"
tile = 256
overlap = {overlap}
{upright}
[[training_data]]
name = {data}
terms = {terms}
"#,
        sum_scale = recipe.diffusion.sum_scale,
        summary = quoted(summary.as_str()),
        terms = quoted(terms.as_str()),
    )
}

fn card(Arguments { name, summary, terms, .. }: &Arguments) -> String {
    format!(
        "# {name}\n\n{summary}.\n\n## Measured\n\nNot yet: `rddm-train eval --model {name}` on pictures that it was not trained on.\n\n\
         ## Know before use\n\nWhich pictures does it make worse? Look before you publish.\n\n\
         ## Training\n\n`recipe.toml`. Terms of the pictures: {terms}.\n"
    )
}

fn next(arguments: &Arguments, folder: &Path) -> Result<(), Failure> {
    let (name, zoo, data) = (&arguments.name, word(&arguments.zoo), word(&arguments.data));
    let registry = word(&arguments.zoo.with_file_name("manifests"));
    let [recipe, eval] = ["recipe.toml", "eval.json"].map(|file| word(&folder.join(file)));
    let folder = word(folder);
    let (degraded, test) = match &arguments.clean {
        Some(_) => (format!(" --degraded {recipe}"), "a folder of clean pictures"),
        None => (String::new(), "a folder with gt/ and input/"),
    };
    print::line(&format!(
        "{folder}: recipe.toml, model.toml, card.md. Then:\n\n\
         \x20   rddm-train train {recipe} --data {data} --out runs/{name}\n\
         \x20   rddm-export run runs/{name} --out {folder}\n\
         \x20   rddm-zoo publish --zoo {zoo} --out {registry} --signing-key KEY\n\
         \x20   rddm-train eval --model {name} --registry {registry} --key KEY.pub{degraded} --data TEST --output {eval}\n\n\
         TEST is {test} that it was not trained on. Look at pictures, finish the card, and publish once more: the manifest takes the figures from eval.json."
    ))
}
