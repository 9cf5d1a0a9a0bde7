//! `rddm-train eval`.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::builder::BoolishValueParser;
use indicatif::ProgressBar;
use ndarray::{Array3, Axis};
use rddm_manifest::{Digest, ModelId};
use rddm_runtime::{Control, ErrorKind};
use rddm_train::data::{Layout, Split};
use rddm_train::evaluate::{
    DataSetScore, NamedPair, PictureScore, degraded_pairs, evaluate, inputs, pairs_of,
    stored_pairs, without_partner,
};
use rddm_train::validate::{first_output, restore_any_size, sampler};
use rddm_train::{Error, Recipe};
use serde_json::{Map, Value};

use crate::model::{Running, digests, given_or_own};
use crate::report::{Output, Report, Row, round, rounded, shown, unread, word};
use crate::{Failure, degrade, print};

/// Measures a model of the zoo, or a run, where the clean picture is known: PSNR, SSIM and MAE of 8-bit pictures.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The model of the zoo.
    #[arg(long, required_unless_present = "run")]
    model: Option<ModelId>,
    /// A training run instead: its averaged weights, in the trainer's own arithmetic, which no engine and no seed change.
    #[arg(long, conflicts_with_all = ["model", "engine", "threads", "seed", "registry", "key", "allow_unsigned"])]
    run: Option<PathBuf>,
    /// Folder of a data set: `gt` with clean pictures, and folders of degraded ones named `input…`, each with its masks
    /// in `mask…` where there are any; with --degraded, a folder of clean pictures.
    #[arg(long, required = true)]
    data: Vec<PathBuf>,
    /// The data set's folders are as its authors give it out: istd, lol, rain_drop, go_pro, celeb_a, sidd or rain100.
    #[arg(long, value_parser = layout, conflicts_with = "degraded")]
    layout: Option<Layout>,
    /// Degrades the pictures as this recipe's first source that degrades, with the seeds from the recipe's on
    /// (`validation.seed`, else `training.seed`); folders that it names lie below the working folder.
    #[arg(long, value_name = "RECIPE")]
    degraded: Option<PathBuf>,
    /// Numbers of sampling steps; by default the model's own, and 1 for a run.
    #[arg(long, value_delimiter = ',')]
    steps: Vec<usize>,
    /// What of the network's outputs the sampler goes by; by default what the model was published with. To look at: its figures
    /// are not for --output.
    #[arg(long, conflicts_with = "output")]
    objective: Option<rddm_core::Objective>,
    /// What the noise `β²` sums to, of a run; by default what its recipe says. To look at, as --objective.
    #[arg(long, requires = "run", conflicts_with = "output")]
    sum_scale: Option<f64>,
    /// What the residual is cut to, of a run; by default what its recipe says. To look at, as --objective.
    #[arg(long, requires = "run", conflicts_with = "output")]
    residual_limit: Option<f32>,
    /// The mean over the eight mirrored and turned forms of each picture, or over two where the model knows upright pictures alone.
    #[arg(long, conflicts_with_all = ["run", "mirror"])]
    ensemble: bool,
    /// Asks the networks about mirror images too, or not; as the model was published unless given.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), hide_possible_values = true, conflicts_with = "run")]
    mirror: Option<bool>,
    /// Lets a change stand only where a look at the picture at half of its size sees it too, or not; as the model was published
    /// unless given.
    #[arg(long, value_name = "on|off", value_parser = BoolishValueParser::new(), hide_possible_values = true, conflicts_with_all = ["run", "mirror", "ensemble"])]
    confirm: Option<bool>,
    #[command(flatten)]
    running: Running,
    /// JSON file that gets the figures; those of the same network on other data sets, in other steps and by other engines are kept.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

/// What the name of a data set gains where pictures were not restored as the model says of itself: by the mean over turned forms,
/// with mirror images, without them, confirmed from afar, or not.
pub(crate) const VARIANTS: [&str; 5] = [ENSEMBLE, MIRRORED, ONCE, CONFIRMED, UNCONFIRMED];
const ENSEMBLE: &str = " ensemble";
const MIRRORED: &str = " mirrored";
const ONCE: &str = " once";
const CONFIRMED: &str = " confirmed";
const UNCONFIRMED: &str = " unconfirmed";

impl Arguments {
    /// The one of [`VARIANTS`] that is asked for, and the option that asks.
    fn variant(&self) -> (&'static str, &'static str) {
        match (self.ensemble, self.mirror, self.confirm) {
            (true, ..) => (ENSEMBLE, " --ensemble"),
            (_, Some(true), _) => (MIRRORED, " --mirror on"),
            (_, Some(false), _) => (ONCE, " --mirror off"),
            (.., Some(true)) => (CONFIRMED, " --confirm on"),
            (.., Some(false)) => (UNCONFIRMED, " --confirm off"),
            (false, None, None) => ("", ""),
        }
    }
}

type Restore = Box<dyn FnMut(&Array3<f32>, Option<&Array3<f32>>) -> Result<Array3<f32>, Error>>;

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    // What is missing or wrong shows before the work.
    let each = given_or_own(&arguments.steps).into_iter().map(|steps| restorer(&arguments, steps));
    let each = each.collect::<Result<Vec<Ready>, Failure>>()?;
    let channels = each.first().map_or(3, |ready| ready.channels);
    if arguments.degraded.is_some() && channels != 3 {
        let text = "--degraded: pictures are degraded in colour, and it restores grey ones; give --data a folder of pairs";
        return Err(Failure { code: 2, text: text.into() });
    }
    let mut names = HashSet::new();
    for folder in &arguments.data {
        note_what_is_left_out(&arguments, folder)?;
        for (dataset, _) in datasets(&arguments, folder, channels)? {
            if !names.insert(dataset.clone()) {
                let text = format!(
                    "--data: two data sets are called {dataset}, and one's figures would take the other's place; \
                     measure them by two commands, each with a file of its own for --output, or name their folders otherwise"
                );
                return Err(Failure { code: 2, text });
            }
        }
    }
    let mut output = Output::new(arguments.output.as_deref())?;
    print::line(&format!(
        "{:28} {:>8} {:>5} {:>7}  {:>15} {:>15} {:>17} {:>17}  {:>6}",
        "data set",
        "pictures",
        "steps",
        "engine",
        "PSNR RGB",
        "PSNR Y",
        "SSIM RGB",
        "SSIM Y",
        "least"
    ))?;
    for Ready { mut restore, steps, engine, networks, channels } in each {
        for folder in &arguments.data {
            for (mut dataset, mut pairs) in datasets(&arguments, folder, channels)? {
                dataset += arguments.variant().0;
                let bar = ProgressBar::new_spinner();
                let on_picture = &mut |score: &PictureScore| bar.set_message(score.name.clone());
                let score = evaluate(&mut pairs, &mut restore, on_picture)?;
                bar.finish_and_clear();
                output.add(&networks, |report| {
                    report.replace(&arguments, folder, &dataset, steps, &engine, &score);
                })?;
                print::line(&line(&dataset, steps, &engine, &score))?;
            }
        }
    }
    output.end()
}

/// A layout by the name that recipes have for it.
fn layout(name: &str) -> Result<Layout, String> {
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

/// Says how many clean pictures of a folder have no degraded side.
fn note_what_is_left_out(arguments: &Arguments, folder: &Path) -> Result<(), Failure> {
    // What is degraded has one, and a layout wants one.
    if arguments.layout.is_none() && arguments.degraded.is_none() {
        for input in inputs(folder)? {
            let count = without_partner(folder, &input)?;
            let have = match count {
                0 => continue,
                1 => "1 clean picture has".to_owned(),
                _ => format!("{count} clean pictures have"),
            };
            let dataset = dataset_name(folder, &input);
            print::note(&format!("{dataset}: {have} no degraded partner here"));
        }
    }
    Ok(())
}

type Pairs = Box<dyn Iterator<Item = NamedPair>>;

/// The data sets of a folder, by name; their pictures of so many channels.
fn datasets(
    arguments: &Arguments,
    folder: &Path,
    channels: usize,
) -> Result<Vec<(String, Pairs)>, Failure> {
    if let Some(layout) = arguments.layout {
        let pairs: Pairs = Box::new(pairs_of(layout.examples(folder, Split::Test)?, channels));
        return Ok(vec![(dataset_name(folder, "test"), pairs)]);
    }
    let Some(path) = &arguments.degraded else {
        let pairs = inputs(folder)?.into_iter().map(|input| {
            let pairs: Pairs = Box::new(stored_pairs(folder, &input, channels)?);
            Ok((dataset_name(folder, &input), pairs))
        });
        return pairs.collect();
    };
    let recipe = Recipe::read(path)?;
    let spec = degrade::of_recipe(&recipe, path)?;
    let pairs: Pairs = Box::new(degraded_pairs(folder, &spec, recipe.test_seed())?);
    Ok(vec![(dataset_name(folder, &recipe.id), pairs)])
}

/// What is measured.
struct Ready {
    restore: Restore,
    steps: usize,
    /// What runs the networks.
    engine: String,
    /// The digests of their files.
    networks: Vec<Digest>,
    /// Those of the pictures that it takes.
    channels: usize,
}

fn restorer(arguments: &Arguments, steps: Option<usize>) -> Result<Ready, Failure> {
    if let Some(folder) = &arguments.run {
        return of_run(folder, arguments, steps.unwrap_or(1));
    }
    let Some(id) = &arguments.model else {
        return Err(Failure { code: 2, text: "give --model or --run".into() });
    };
    let model = arguments.running.zoo.find(id)?;
    let Arguments { running, objective, mirror, confirm, .. } = arguments;
    let restorer = running.restorer(&model, steps, *objective, *mirror, *confirm)?;
    let (steps, engine) = (restorer.sampler().steps, restorer.engine().to_owned());
    let (masked, ensemble) = (model.manifest.picture.mask, arguments.ensemble);
    let restore: Restore = Box::new(move |picture, mask| {
        let mask = mask.filter(|_| masked).map(|mask| mask.index_axis(Axis(0), 0));
        let go_on = &mut |_| Control::Continue;
        let restored = if ensemble {
            restorer.restore_ensemble(picture.view(), mask, go_on)
        } else {
            restorer.restore(picture.view(), mask, go_on)
        };
        restored.map_err(|error| match error.kind() {
            ErrorKind::Input => Error::unfit(error.to_string()),
            _ => Error::engine(error.to_string()),
        })
    });
    let channels = model.manifest.picture.channels as usize;
    Ok(Ready { restore, steps, engine, networks: digests(&model), channels })
}

fn of_run(folder: &Path, arguments: &Arguments, steps: usize) -> Result<Ready, Failure> {
    let mut recipe = Recipe::read(&folder.join("recipe.toml"))?;
    let trained = recipe.diffusion.objective;
    let asked = arguments.objective.unwrap_or(trained);
    let Some(first) = first_output(trained, asked) else {
        let text = format!(
            "--objective: the network of {} predicts what {trained} needs, which does not serve {asked}; leave it out",
            folder.display()
        );
        return Err(Failure { code: 2, text });
    };
    let diffusion = &mut recipe.diffusion;
    diffusion.objective = asked;
    diffusion.sum_scale = arguments.sum_scale.unwrap_or(diffusion.sum_scale);
    diffusion.residual_limit = arguments.residual_limit.unwrap_or(diffusion.residual_limit);
    if !recipe.diffusion.conditional {
        let text = format!(
            "{}: a run that generates has nothing to restore; publish it, then rddm-train distance",
            folder.display()
        );
        return Err(Failure { code: 2, text });
    }
    let device = Device::flex();
    let path = folder.join("weights.safetensors");
    let weights = fs::read(&path).map_err(|error| unread(&path, &error))?;
    let digest = Digest::of(&weights);
    let new = recipe.network.init(&device);
    let network = new
        .map_err(|error| Failure { code: 2, text: error.to_string() })?
        .with_safetensors(weights)
        .map_err(|error| unread(&path, &error))?;
    let sampler = sampler(&recipe, steps)?;
    let (multiple, channels) = (recipe.network.multiple(), recipe.network.channels());
    let masked = recipe.masked();
    let restore: Restore = Box::new(move |picture, mask| {
        let mask = mask.filter(|_| masked);
        if masked && mask.is_none() {
            let problem = "the network takes a mask, and this data set has none";
            return Err(Error::unfit(problem));
        }
        restore_any_size(&network, &sampler, first, picture, mask, multiple, &device)
    });
    Ok(Ready { restore, steps, engine: "burn".into(), networks: vec![digest], channels })
}

/// The last two parts of the folder's name that tell it apart: `rain100/input_L`; of the folder `gt`, the one above it.
fn dataset_name(folder: &Path, input: &str) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let parent = folder.parent().filter(|_| folder.file_name() == Some("gt".as_ref()));
    let name = parent.unwrap_or(&folder).file_name().unwrap_or_default().to_string_lossy();
    format!("{name}/{input}")
}

fn line(dataset: &str, steps: usize, engine: &str, score: &DataSetScore) -> String {
    let (to, from) = (&score.restored, &score.input);
    format!(
        "{dataset:28} {:8} {steps:5} {engine:>7}  {:6.2} > {:6.2} {:6.2} > {:6.2} {:7.4} > {:7.4} {:7.4} > {:7.4}  {:+6.2}",
        score.pictures.len(),
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
        folder: &Path,
        dataset: &str,
        steps: usize,
        engine: &str,
        score: &DataSetScore,
    ) {
        let what = match (&arguments.model, &arguments.run) {
            (Some(id), _) => format!("--model {id} --engine {engine}"),
            (None, _) => "--run RUN".to_owned(),
        };
        let degraded = match &arguments.degraded {
            Some(path) => format!(" --degraded {}", word(path)),
            None => String::new(),
        };
        let (_, variant) = arguments.variant();
        let layout = match arguments.layout {
            Some(layout) => format!(" --layout {layout}"),
            None => String::new(),
        };
        let command = format!(
            "rddm-train eval {what} --steps {steps}{} --data {}{layout}{degraded}{variant}",
            arguments.running.seed_given(),
            shown(folder)
        );
        let same = |row: &Row| row.dataset == dataset && row.steps == steps && row.engine == engine;
        if let Some(Row { command: before, .. }) = self.rows.iter().find(|row| same(row))
            && *before != command
        {
            print::note(&format!("--output: the figures of {dataset} replace those of {before}"));
        }
        self.rows.retain(|row| !same(row));
        for ((metric, value), (_, input)) in
            score.restored.named().into_iter().zip(score.input.named())
        {
            let mut more = Map::new();
            if metric == "psnr_rgb" {
                more.insert("least_gain".into(), rounded(score.least_gain));
                let seconds = score.seconds_per_megapixel;
                more.insert("seconds_per_megapixel".into(), rounded(seconds));
            }
            self.rows.push(Row {
                dataset: dataset.to_owned(),
                metric: metric.to_owned(),
                value: round(value),
                input: Some(round(input)),
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
