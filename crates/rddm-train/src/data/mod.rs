//! Examples: pairs of a degraded and a clean crop.
//!
//! Which example a step sees depends on the recipe's seed and on the step's number alone, so that a training that was
//! stopped and goes on sees what it would have seen, as long as the pictures stay.

mod crop;
mod layout;
mod load;
mod picture;
mod relight;

pub use crop::Part;
pub use layout::{Files, Layout, Split};
pub(crate) use layout::{by_name, unpaired};
pub(crate) use picture::upright;
pub use picture::{Picture8, files};

use std::path::Path;

use ndarray::{Array3, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::degrade::{Degradation, Degraded, Range, uniform};
use crate::error::Error;
use crate::jpeg::stored;
use crate::recipe::{Recipe, Training, Weight};
use relight::relit;

/// A degraded and a clean picture, `[channel, height, width]`, and the mask that goes with them, values in [0, 1].
#[derive(Debug, Clone)]
pub struct Pair {
    /// The degraded picture, `I_in`.
    pub input: Array3<f32>,
    /// The clean picture, `I_0`.
    pub target: Array3<f32>,
    /// Where the picture is degraded, `[1, height, width]`, for networks that are told.
    pub mask: Option<Array3<f32>>,
}

/// All pictures of a recipe, in memory.
pub struct DataSet {
    sources: Vec<Loaded>,
    held_out: Vec<(String, Vec<Held>)>,
    digest: String,
}

struct Loaded {
    weight: Weight,
    pictures: Vec<Example>,
    degradation: Option<Box<dyn Degradation>>,
    /// What the pairs' residuals are multiplied by; none where they keep their strength.
    gain: Option<Range>,
    /// What the pairs' residuals are added to; none where they stay.
    transfer: Option<Transfer>,
}

/// Other clean pictures for the residuals of pairs.
struct Transfer {
    clean: Vec<Picture8>,
    lean: Option<f32>,
    grey: bool,
    /// How many times they are enlarged.
    zoom: Option<Range>,
}

impl Transfer {
    /// Draws of a part whose degraded side is not saturated.
    const DRAWS: usize = 8;
    /// Share of saturated pixels that a part may have.
    const SATURATED: f32 = 0.02;

    /// A part of a pair: of grey residuals one where they can be told, which they cannot where all channels are saturated.
    fn part(&self, degraded: &Picture8, mut draw: impl FnMut() -> Part) -> Part {
        let mut part = draw();
        if !self.grey {
            return part;
        }
        let mut least = saturated(&part.of(degraded));
        for _ in 1..Self::DRAWS {
            if least <= Self::SATURATED {
                break;
            }
            let other = draw();
            let share = saturated(&other.of(degraded));
            if share < least {
                (part, least) = (other, share);
            }
        }
        part
    }

    /// The residual in `part` of a pair, and a part of another picture to have it.
    fn residual(
        &self,
        part: Part,
        degraded: &Picture8,
        clean: &Picture8,
        training: &Training,
        random: &mut ChaCha8Rng,
    ) -> (Array3<f32>, Array3<f32>) {
        let other = &self.clean[random.random_range(0..self.clean.len())];
        let on = Part::random(other, part.side(), training.augment, self.zoom, random);
        let target = relit(on.shrunk(part.shrink()).of(other), training.relight, random);
        let residual = match self.lean.map(|lean| uniform([-lean, lean], random)) {
            Some(lean) => part.leaning(degraded, lean) - part.leaning(clean, lean),
            None => part.of(degraded) - part.of(clean),
        };
        let residual = if self.grey { greatest(residual) } else { residual };
        (residual, target)
    }
}

/// Share of the pixels of `[channels, height, width]` that are saturated in all channels.
fn saturated(picture: &Array3<f32>) -> f32 {
    let darkest = picture.fold_axis(Axis(0), 1.0f32, |least, value| least.min(*value));
    darkest.iter().filter(|value| **value > 254.5 / 255.0).count() as f32 / darkest.len() as f32
}

/// The greatest of the channels, in all of them.
fn greatest(residual: Array3<f32>) -> Array3<f32> {
    let most = residual.fold_axis(Axis(0), f32::MIN, |most, value| most.max(*value));
    let mut grey = residual;
    grey.outer_iter_mut().for_each(|mut channel| channel.assign(&most));
    grey
}

/// `target` with `gain` times the residual, as a stored picture has it, which saturates.
fn degraded_by(residual: Array3<f32>, gain: f32, target: &Array3<f32>) -> Array3<f32> {
    (residual * gain + target).mapv_into(|value| value.clamp(0.0, 1.0))
}

impl Loaded {
    fn new(weight: Weight, pictures: Vec<Example>) -> Self {
        Self { weight, pictures, degradation: None, gain: None, transfer: None }
    }

    /// A part of `example`, degraded as the source says, before it is stored.
    fn pair(
        &self,
        example: &Example,
        recipe: &Recipe,
        step: usize,
        random: &mut ChaCha8Rng,
    ) -> Pair {
        let Example { clean, degraded, mask } = example;
        let (side, _) = recipe.training.examples(step);
        let training = &recipe.training;
        let draw = |random: &mut _| {
            Part::random(clean, side, training.augment, training.zoom, random)
                .shrunk(recipe.example_shrink())
        };
        let gain = |random: &mut _| self.gain.map(|gain| uniform(gain, random));
        if let (Some(transfer), Some(degraded)) = (&self.transfer, degraded) {
            let part = transfer.part(degraded, || draw(random));
            let (residual, target) = transfer.residual(part, degraded, clean, training, random);
            let input = degraded_by(residual, gain(random).unwrap_or(1.0), &target);
            return Pair { input, target, mask: None };
        }
        let part = draw(random);
        let target = match degraded {
            Some(_) => part.of(clean),
            None => relit(part.of(clean), training.relight, random),
        };
        let (input, drawn) = match (degraded, &self.degradation) {
            (Some(degraded), _) => {
                let input = part.of(degraded);
                match gain(random) {
                    Some(gain) => (degraded_by(input - &target, gain, &target), None),
                    None => (input, None),
                }
            }
            (None, Some(degradation)) => {
                let Degraded { picture, mask } = degradation.degrade(&target, random);
                // As a file has it; what was shrunk before is a mean of many pixels and finer.
                let whole = recipe.example_shrink() == 1;
                (if whole { Picture8::quantise(&picture).whole() } else { picture }, mask)
            }
            (None, None) => (target.clone(), None),
        };
        let mask = recipe.masked().then(|| match (mask, drawn) {
            (Some(stored), _) => part.of(stored),
            (None, Some(drawn)) => drawn.insert_axis(Axis(0)),
            (None, None) => Array3::zeros((1, target.dim().1, target.dim().2)),
        });
        Pair { input, target, mask }
    }
}

/// A pair that is kept out of training.
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its pictures.
    pub pair: Pair,
}

impl DataSet {
    /// Reads every picture that the recipe names, below the folder `data`. What shows the same as a picture that is held out,
    /// under another name, is left out of training too.
    ///
    /// # Errors
    /// When a folder or picture is missing, cannot be read, is smaller than a crop, or where it is held out than what the
    /// network takes, or is larger than its pair by more than a row and a column; when a prefix of the pictures to hold out
    /// fits none; when the pictures are more than the memory that is free (told on Linux).
    pub fn load(recipe: &Recipe, data: &Path) -> Result<Self, Error> {
        let files = recipe.data.iter().map(|source| source.files(data));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let all: Vec<&Files> =
            files.iter().flat_map(|files| files.examples.iter().chain(&files.receiving)).collect();
        load::check_held_out(recipe, &all)?;
        load::check_memory(recipe, &all)?;
        let reader = load::Reader::new(recipe, &all)?;
        let mut sources = Vec::new();
        let mut held_out = Vec::new();
        for (source, files) in recipe.data.iter().zip(&files) {
            let (loaded, held) = load::source(source, files, &reader, data)?;
            sources.push(loaded);
            if let Some((name, held)) = held {
                held_out.push((unlike(name, &held_out), held));
            }
        }
        Ok(Self { sources, held_out, digest: load::digest(&files) })
    }

    /// The pairs kept out of training, by the folder of their degraded pictures; a second source of the same folder is
    /// called `folder (2)`.
    pub fn held_out(&self) -> &[(String, Vec<Held>)] {
        &self.held_out
    }

    /// SHA-256 of the names and sizes of all files, source by source.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The pictures that training draws from.
    pub fn len(&self) -> usize {
        self.sources.iter().map(|source| source.pictures.len()).sum()
    }

    /// Whether there is nothing to train on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Example `index` of step `step`.
    pub fn example(&self, recipe: &Recipe, step: usize, index: usize) -> Pair {
        let random = &mut example_generator(recipe.training.seed, step, index);
        let done = recipe.training.done(step);
        let total: f64 = self.sources.iter().map(|source| source.weight.at(done)).sum();
        let mut at = random.random_range(0.0..total);
        let last = &self.sources[self.sources.len() - 1];
        let source = (self.sources.iter())
            .find(|source| {
                at -= source.weight.at(done);
                at < 0.0
            })
            .unwrap_or(last);
        let example = &source.pictures[random.random_range(0..source.pictures.len())];
        let mut pair = source.pair(example, recipe, step, random);
        if example.degraded.is_some() || source.degradation.is_some() {
            pair.input = stored(pair.input, recipe.training.jpeg, random);
        }
        pair
    }
}

/// The name, or where it is taken the first that is not of the name and 2, 3, ….
fn unlike(name: String, taken: &[(String, Vec<Held>)]) -> String {
    let mut unlike = name.clone();
    let mut number = 1;
    while taken.iter().any(|(taken, _)| *taken == unlike) {
        number += 1;
        unlike = format!("{name} ({number})");
    }
    unlike
}

/// The generator of what step `step` draws for its example `index`.
pub(crate) fn example_generator(seed: u64, step: usize, index: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, step as u64, index as u64]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// A clean picture, and the degraded one and the mask where they are stored.
pub(crate) struct Example {
    pub(crate) clean: Picture8,
    pub(crate) degraded: Option<Picture8>,
    pub(crate) mask: Option<Picture8>,
}

impl Example {
    /// Reads what belongs to the clean picture of `files`, of as many channels, cut to one size whose sides are at least
    /// `side`, and where it is `masked` the mask; all of them fitted to a square where `fit` is its side.
    pub(crate) fn read(
        mut clean: Picture8,
        files: &Files,
        side: usize,
        masked: bool,
        fit: Option<u32>,
    ) -> Result<Self, Error> {
        let channels = clean.channels();
        let read = |path: &Path, channels| Picture8::read_channels(path, side, channels, fit);
        let mut cut = |path: &Path, picture: &mut Picture8| {
            Picture8::fit_pair(picture, &mut clean).map_err(|problem| {
                Error::data(path, format!("{problem}: {}", files.clean.display()))
            })
        };
        let mut beside = |path: &Path, channels| {
            let mut picture = read(path, channels)?;
            cut(path, &mut picture)?;
            Ok::<_, Error>(picture)
        };
        let mask = files.mask.as_deref().filter(|_| masked);
        let mut mask = mask.map(|path| Ok::<_, Error>((path, beside(path, 1)?))).transpose()?;
        let degraded = files.degraded.as_deref().map(|path| beside(path, channels)).transpose()?;
        if let Some((path, mask)) = &mut mask {
            // The degraded picture may have cut the clean one once more.
            cut(path, mask)?;
        }
        Ok(Self { clean, degraded, mask: mask.map(|(_, mask)| mask) })
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
