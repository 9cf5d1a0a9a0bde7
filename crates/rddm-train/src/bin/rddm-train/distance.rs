//! `rddm-train distance`.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use ndarray::Array3;
use rddm_manifest::ModelId;
use rddm_metrics::{quantise, sliced_wasserstein};
use rddm_runtime::{Control, Restorer};
use rddm_train::data::{Picture8, files};
use serde_json::{Map, Value};

use crate::model::{Running, digests, given_or_own};
use crate::report::{Output, Row, round, rounded, shown};
use crate::{Failure, print};

/// The measure's name in `eval.json`.
const METRIC: &str = "sliced_wasserstein";
/// Seed of the measure's patches and directions.
const DIRECTIONS: u64 = 1;

/// Measures how far the pictures of a generating model are from real ones: the sliced Wasserstein distance of their patches,
/// times 1000, at each level of a Laplacian pyramid, finest first, and its mean.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The model of the zoo.
    #[arg(long)]
    model: ModelId,
    /// Folder of real pictures that the model was not trained on, all of the model's size.
    #[arg(long)]
    data: PathBuf,
    /// Another folder of real pictures, whose distance from the first is the scale to read the others by.
    #[arg(long)]
    real: Option<PathBuf>,
    /// Pictures of each set; fewer of all where a folder has fewer.
    #[arg(long, default_value_t = 500)]
    count: usize,
    /// Numbers of sampling steps; by default the model's own.
    #[arg(long, value_delimiter = ',')]
    steps: Vec<usize>,
    #[command(flatten)]
    running: Running,
    /// JSON file that gets the figures; those of the same network in other steps and by other engines are kept.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let model = arguments.running.zoo.find(&arguments.model)?;
    let networks = digests(&model);
    let channels = model.manifest.picture.channels as usize;
    let Some(size) = model.manifest.picture.size.filter(|_| !model.manifest.sampler.conditional)
    else {
        let text = format!("{} restores; distance measures models that generate", arguments.model);
        return Err(Failure { code: 2, text });
    };
    let size = size.map(|side| side as usize);
    let pictures = |folder: &Path| read(folder, arguments.count, channels, size);
    let mut data = pictures(&arguments.data)?;
    let each = given_or_own(&arguments.steps)
        .into_iter()
        .map(|steps| arguments.running.restorer(&model, steps, None, None, None));
    let each = each.collect::<Result<Vec<Restorer>, Failure>>()?;
    let mut output = Output::new(arguments.output.as_deref())?;
    let mut real = arguments.real.as_deref().map(pictures).transpose()?;
    if let Some(real) = &mut real {
        // The distance falls with the number: all sets have the same.
        let least = real.len().min(data.len());
        if real.len() != data.len() {
            print::note(&format!(
                "{least} pictures of each set are compared: one folder has no more"
            ));
        }
        real.truncate(least);
        data.truncate(least);
    }
    print::line(&format!("{:24} {:>8}  {:>8}  levels, finest first", "pictures", "", "distance"))?;
    let real = match (&arguments.real, real) {
        (Some(folder), Some(real)) => {
            let levels = distance(&real, &data)?;
            print::line(&line(&folder.display().to_string(), "", &levels))?;
            Some(mean(&levels))
        }
        _ => None,
    };
    let folder = arguments.data.canonicalize().unwrap_or_else(|_| arguments.data.clone());
    let dataset = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let against = arguments.real.as_deref().map(|real| format!(" --real {}", shown(real)));
    let against = against.unwrap_or_default();
    for restorer in each {
        let (steps, engine) = (restorer.sampler().steps, restorer.engine().to_owned());
        let bar = ProgressBar::new(data.len() as u64);
        let seeds = (0..data.len() as u64).map(|index| arguments.running.seed.wrapping_add(index));
        let made = seeds.map(|seed| {
            bar.inc(1);
            let picture = restorer.generate(size, seed, &mut |_| Control::Continue)?;
            Ok(quantise(picture.view()))
        });
        let made = made.collect::<Result<Vec<_>, Failure>>()?;
        bar.finish_and_clear();
        let levels = distance(&made, &data)?;
        let mut more = Map::new();
        more.insert("levels".into(), levels.iter().map(|&level| rounded(level)).collect());
        more.insert("pictures".into(), Value::from(data.len()));
        if let Some(real) = real {
            more.insert("real".into(), rounded(real));
        }
        let row = Row {
            dataset: dataset.clone(),
            metric: METRIC.to_owned(),
            value: round(mean(&levels)),
            input: None,
            steps,
            command: format!(
                "rddm-train distance --model {} --engine {engine} --steps {steps}{} --count {} --data {}{against}",
                arguments.model,
                arguments.running.seed_given(),
                data.len(),
                shown(&arguments.data)
            ),
            engine,
            more,
        };
        output.add(&networks, |report| {
            report.rows.retain(|old| {
                (&old.metric, &old.dataset, old.steps, &old.engine)
                    != (&row.metric, &row.dataset, row.steps, &row.engine)
            });
            report.rows.push(row);
        })?;
        print::line(&line(arguments.model.as_str(), &format!("{steps} steps"), &levels))?;
    }
    output.end()
}

/// The first pictures of a folder, all of the model's size.
fn read(
    folder: &Path,
    count: usize,
    channels: usize,
    [height, width]: [usize; 2],
) -> Result<Vec<Array3<f32>>, Failure> {
    let paths = files(folder)?.into_iter().take(count);
    let pictures = paths.map(|path| {
        let picture = Picture8::read_channels(&path, 1, channels, None)?.whole();
        match picture.dim() {
            (_, h, w) if (h, w) == (height, width) => Ok(picture),
            (_, h, w) => {
                let text = format!("{}: {w}×{h}, the model makes {width}×{height}", path.display());
                Err(Failure { code: 3, text })
            }
        }
    });
    pictures.collect()
}

fn distance<'a>(a: &'a [Array3<f32>], b: &'a [Array3<f32>]) -> Result<Vec<f64>, Failure> {
    let views = |set: &'a [Array3<f32>]| set.iter().map(|picture| picture.view()).collect();
    let (a, b): (Vec<_>, Vec<_>) = (views(a), views(b));
    sliced_wasserstein(&a, &b, DIRECTIONS)
        .map_err(|error| Failure { code: 3, text: error.to_string() })
}

fn mean(levels: &[f64]) -> f64 {
    levels.iter().sum::<f64>() / levels.len().max(1) as f64
}

fn line(what: &str, steps: &str, levels: &[f64]) -> String {
    let each: Vec<String> = levels.iter().map(|level| format!("{level:7.1}")).collect();
    format!("{what:24} {steps:>8}  {:8.1}  {}", mean(levels), each.join(" "))
}
