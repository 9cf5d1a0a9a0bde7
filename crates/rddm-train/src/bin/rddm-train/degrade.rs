//! `rddm-train degrade`.

use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis, concatenate};
use rddm_train::Recipe;
use rddm_train::data::Picture8;
use rddm_train::degrade::{DegradationSpec, Degraded, build, once};
use rddm_train::evaluate::degraded_pairs;
use serde::Deserialize;

use crate::Failure;

/// Degrades clean pictures as a recipe would: one to look at, or a folder as a data set for `rddm-train eval`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The clean picture, or a folder of them.
    input: PathBuf,
    /// The degraded picture, a PNG file; of a folder, the data set's folder: `gt`, `input`, and `mask` where there is one.
    #[arg(short, long)]
    output: PathBuf,
    /// The degradation as a recipe writes it, such as `{ kind = "rain", angle = [10, 10] }`; folders that it names lie below the
    /// working folder.
    #[arg(long, required_unless_present = "recipe", conflicts_with = "recipe")]
    degradation: Option<String>,
    /// The recipe whose first source that degrades is taken.
    #[arg(long)]
    recipe: Option<PathBuf>,
    /// Where the picture was degraded, a PNG file: white there, black elsewhere.
    #[arg(long)]
    mask: Option<PathBuf>,
    /// Seed of what is drawn, of a folder's first picture; the recipe's unless given, else 1.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Deserialize)]
struct Wrapped {
    degradation: DegradationSpec,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { input, output, degradation, recipe, mask, seed } = arguments;
    let (spec, own_seed) = match (degradation, recipe) {
        (Some(text), _) => (parse(&text)?, 1),
        (None, Some(path)) => {
            let recipe = Recipe::read(&path)?;
            (of_recipe(&recipe, &path)?, recipe.test_seed())
        }
        (None, None) => return Err(wrong("give --degradation or --recipe")),
    };
    let seed = seed.unwrap_or(own_seed);
    if input.is_dir() {
        if mask.is_some() {
            return Err(wrong("--mask: the masks of a folder go into the data set's own"));
        }
        return folder(&input, &output, &spec, seed);
    }
    let degradation = build(&spec, Path::new("."))?;
    let clean = Picture8::read_at_least(&input, 1)?;
    let Degraded { picture, mask: drawn } = once(degradation.as_ref(), &clean.whole(), seed);
    if let Some(path) = &mask {
        let Some(drawn) = drawn else {
            return Err(wrong("--mask: this degradation is all over the picture and has no mask"));
        };
        write_mask(&drawn.insert_axis(Axis(0)), path)?;
    }
    Ok(Picture8::quantise(&picture).write(&output)?)
}

/// Makes the data set that `rddm-train eval --degraded` measures on the folder.
fn folder(input: &Path, output: &Path, spec: &DegradationSpec, seed: u64) -> Result<(), Failure> {
    for pair in degraded_pairs(input, spec, seed)? {
        let (name, pair) = pair?;
        let name = Path::new(&name).with_extension("png");
        Picture8::quantise(&pair.target).write(&output.join("gt").join(&name))?;
        Picture8::quantise(&pair.input).write(&output.join("input").join(&name))?;
        if let Some(mask) = &pair.mask {
            write_mask(mask, &output.join("mask").join(&name))?;
        }
    }
    Ok(())
}

/// Writes a mask, `[1, height, width]`, as a grey picture of three equal colours.
fn write_mask(mask: &Array3<f32>, path: &Path) -> Result<(), Failure> {
    let colours = concatenate![Axis(0), *mask, *mask, *mask];
    Ok(Picture8::quantise(&colours).write(path)?)
}

/// The first degradation of a recipe.
pub(crate) fn of_recipe(recipe: &Recipe, path: &Path) -> Result<DegradationSpec, Failure> {
    let problem = "no source degrades; name a recipe that has one of the kind \"degraded\"";
    recipe
        .test_degradation()
        .cloned()
        .ok_or_else(|| wrong(&format!("{}: {problem}", path.display())))
}

fn wrong(text: &str) -> Failure {
    Failure { code: 2, text: text.into() }
}

/// A degradation as a recipe writes it.
pub(crate) fn parse(text: &str) -> Result<DegradationSpec, Failure> {
    let Wrapped { degradation } = toml::from_str(&format!("degradation = {text}"))
        .map_err(|error| Failure { code: 2, text: format!("--degradation: {error}") })?;
    Ok(degradation)
}
