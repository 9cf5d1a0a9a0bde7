//! `rddm-train degrade`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis, concatenate};
use rddm_train::Recipe;
use rddm_train::data::{Picture8, files};
use rddm_train::degrade::{DegradationSpec, Degraded, build, once};
use rddm_train::evaluate::degraded_pairs;
use serde::Deserialize;

use crate::Failure;

/// Degrades clean pictures as a recipe would: one to look at, or a folder as a data set for `rddm-train eval`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The clean picture, or a folder of them.
    input: PathBuf,
    /// The degraded picture, a PNG file; of a folder, the data set's folder: `gt`, `input`, and `mask` where there is one. Clean
    /// pictures that lie in its `gt` already stay as they are.
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
    check_files(&input, &output, mask.as_deref())?;
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

/// Checks that what is written is a PNG file, two where there is a mask, and in no other's place.
fn check_files(input: &Path, output: &Path, mask: Option<&Path>) -> Result<(), Failure> {
    for (option, path) in [("--output", Some(output)), ("--mask", mask)] {
        let Some(path) = path else { continue };
        if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
            let problem = "is written as PNG; give a name that ends in .png";
            return Err(wrong(&format!("{option}: {} {problem}", path.display())));
        }
        if place(path) == place(input) {
            return Err(replaced(path));
        }
    }
    if mask.is_some_and(|mask| place(mask) == place(output)) {
        return Err(wrong("--mask: it is the file of --output; give another one"));
    }
    Ok(())
}

/// Where a file lies, whatever it is called by; one that is not there yet, where it will.
fn place(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let new = || Some(absolute.parent()?.canonicalize().ok()?.join(absolute.file_name()?));
    absolute.canonicalize().ok().or_else(new).unwrap_or(absolute)
}

fn replaced(clean: &Path) -> Failure {
    let problem = "is a clean picture and would be replaced; give another place";
    wrong(&format!("{} {problem}", clean.display()))
}

/// Makes the data set that `rddm-train eval --degraded` measures on the folder; a second time it replaces the same pictures.
fn folder(input: &Path, output: &Path, spec: &DegradationSpec, seed: u64) -> Result<(), Failure> {
    check_folders(&names(input)?, output, spec)?;
    // The clean side is there already, in all its bits.
    let kept = place(input) == place(&output.join("gt"));
    let written = if kept { &["input", "mask"][..] } else { &["gt", "input", "mask"] };
    for clean in files(input)? {
        let name = stored(Path::new(clean.file_name().unwrap_or_default()));
        let clean_place = place(&clean);
        if written.iter().any(|part| place(&output.join(part).join(&name)) == clean_place) {
            return Err(replaced(&clean));
        }
    }
    for (clean, pair) in files(input)?.iter().zip(degraded_pairs(input, spec, seed)?) {
        let (_, pair) = pair?;
        let name = stored(Path::new(clean.file_name().unwrap_or_default()));
        if !kept {
            Picture8::quantise(&pair.target).write(&output.join("gt").join(&name))?;
        }
        Picture8::quantise(&pair.input).write(&output.join("input").join(&name))?;
        if let Some(mask) = &pair.mask {
            write_mask(mask, &output.join("mask").join(&name))?;
        }
    }
    Ok(())
}

/// A picture's name in a data set.
fn stored(name: &Path) -> PathBuf {
    name.with_extension("png")
}

/// The names that the pictures of a folder get, no two of them the same.
fn names(input: &Path) -> Result<HashSet<PathBuf>, Failure> {
    let mut names = HashSet::new();
    for path in files(input)? {
        let name = stored(Path::new(path.file_name().unwrap_or_default()));
        if !names.insert(name.clone()) {
            let text = format!(
                "{}: another picture of the folder would be {} too; rename one of them",
                path.display(),
                name.display()
            );
            return Err(Failure { code: 3, text });
        }
    }
    Ok(names)
}

/// Checks that the data set's folders hold no pictures but those that will be replaced.
fn check_folders(
    names: &HashSet<PathBuf>,
    output: &Path,
    spec: &DegradationSpec,
) -> Result<(), Failure> {
    for part in ["gt", "input", "mask"] {
        let written = part != "mask" || spec.masks();
        // A folder that is missing or holds no picture is as good as an empty one.
        let there = files(&output.join(part)).unwrap_or_default();
        let replaced = |path: &PathBuf| {
            written && path.file_name().is_some_and(|name| names.contains(Path::new(name)))
        };
        if let Some(other) = there.iter().find(|path| !replaced(path)) {
            let text = format!(
                "{}: is there already and of another data set; give an empty folder with --output",
                other.display()
            );
            return Err(Failure { code: 7, text });
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
