//! Examples: pairs of a degraded and a clean crop.
//!
//! Which example a step sees depends on the recipe's seed and on the step's number alone, so that a training that was
//! stopped and goes on sees what it would have seen.

mod crop;
mod picture;

pub use crop::Part;
pub use picture::{Picture8, files};

use std::path::Path;

use ndarray::Array3;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::degrade::{self, Degradation};
use crate::error::{Error, Kind};
use crate::recipe::{Recipe, Source};

/// A degraded and a clean picture, `[channel, height, width]`, values in [0, 1].
#[derive(Debug, Clone)]
pub struct Pair {
    /// The degraded picture, `I_in`.
    pub input: Array3<f32>,
    /// The clean picture, `I_0`.
    pub target: Array3<f32>,
}

/// All pictures of a recipe, in memory.
pub struct DataSet {
    sources: Vec<Loaded>,
    held_out: Vec<(String, Vec<Held>)>,
    total_weight: f64,
}

struct Loaded {
    weight: f64,
    pictures: Vec<Example>,
    degradation: Option<Box<dyn Degradation>>,
    /// What the pairs' residuals are added to; empty where they stay.
    clean: Vec<Picture8>,
}

impl Loaded {
    fn new(weight: f64, pictures: Vec<Example>) -> Self {
        Self { weight, pictures, degradation: None, clean: Vec::new() }
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
    /// Reads every picture that the recipe names, below the folder `data`.
    ///
    /// # Errors
    /// When a folder or picture is missing, cannot be read, is smaller than a crop, or is larger than its pair by more
    /// than a row and a column.
    pub fn load(recipe: &Recipe, data: &Path) -> Result<Self, Error> {
        let mut sources = Vec::new();
        let mut held_out = Vec::new();
        for source in &recipe.data {
            let (loaded, held) = load_source(source, recipe, data)?;
            sources.push(loaded);
            held_out.extend(held);
        }
        let total_weight = sources.iter().map(|source| source.weight).sum();
        Ok(Self { sources, held_out, total_weight })
    }

    /// The pairs kept out of training, by the folder of their degraded pictures.
    pub fn held_out(&self) -> &[(String, Vec<Held>)] {
        &self.held_out
    }

    /// The pictures that training draws from.
    pub fn len(&self) -> usize {
        self.sources.iter().map(|source| source.pictures.len()).sum()
    }

    /// Whether there is nothing to train on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Example `index` of step `step`: crops of `side` × `side` pixels.
    pub fn example(&self, recipe: &Recipe, step: usize, index: usize) -> Pair {
        let random = &mut example_generator(recipe.training.seed, step, index);
        let mut at = random.random_range(0.0..self.total_weight);
        let last = &self.sources[self.sources.len() - 1];
        let source = (self.sources.iter())
            .find(|source| {
                at -= source.weight;
                at < 0.0
            })
            .unwrap_or(last);
        let (clean, degraded) = &source.pictures[random.random_range(0..source.pictures.len())];
        let (side, _) = recipe.training.examples(step);
        let augment = recipe.training.augment;
        let part = Part::random(clean, side, augment, random);
        let target = part.of(clean);
        let input = match (degraded, &source.degradation) {
            (Some(degraded), _) => part.of(degraded),
            (None, Some(degradation)) => degradation.degrade(&target, random),
            (None, None) => target.clone(),
        };
        if source.clean.is_empty() {
            return Pair { input, target };
        }
        let other = &source.clean[random.random_range(0..source.clean.len())];
        let other = Part::random(other, side, augment, random).of(other);
        // A stored picture saturates.
        let input = (&input - &target + &other).mapv_into(|value| value.clamp(0.0, 1.0));
        Pair { input, target: other }
    }
}

/// The generator of what step `step` draws for its example `index`.
pub(crate) fn example_generator(seed: u64, step: usize, index: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, step as u64, index as u64]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

type SourceParts = (Loaded, Option<(String, Vec<Held>)>);

/// A clean picture, and the degraded one where it is stored.
type Example = (Picture8, Option<Picture8>);

/// A picture and its name.
type Named = (String, Picture8);

fn load_source(source: &Source, recipe: &Recipe, data: &Path) -> Result<SourceParts, Error> {
    let reader = Reader { recipe, data };
    match source {
        Source::Clean { clean, weight } => {
            let (pictures, _) = reader.clean(clean)?;
            Ok((Loaded::new(*weight, alone(pictures)), None))
        }
        Source::Degraded { clean, degradation, weight } => {
            let degradation = degrade::build(degradation)?;
            let (pictures, kept) = reader.clean(clean)?;
            let mut held = Vec::new();
            for ((name, clean), seed) in kept.into_iter().zip(recipe.training.seed..) {
                let target = reader.middle(&clean);
                let input = degrade::once(degradation.as_ref(), &target, seed);
                held.push(Held { name, pair: Pair { input, target } });
            }
            let loaded =
                Loaded { degradation: Some(degradation), ..Loaded::new(*weight, alone(pictures)) };
            Ok((loaded, named(clean, held)))
        }
        Source::Pairs { input, target, weight } => {
            let (pairs, kept) = reader.pairs(input, target)?;
            Ok((Loaded::new(*weight, pairs), named(input, kept)))
        }
        Source::Transferred { input, target, clean, weight } => {
            let (pairs, _) = reader.pairs(input, target)?;
            let (clean, _) = reader.clean(clean)?;
            Ok((Loaded { clean, ..Loaded::new(*weight, pairs) }, None))
        }
    }
}

fn alone(pictures: Vec<Picture8>) -> Vec<Example> {
    pictures.into_iter().map(|picture| (picture, None)).collect()
}

fn named(folder: &Path, held: Vec<Held>) -> Option<(String, Vec<Held>)> {
    (!held.is_empty()).then(|| (folder.display().to_string(), held))
}

/// Reads folders, and parts what is kept out of training from the rest.
struct Reader<'a> {
    recipe: &'a Recipe,
    data: &'a Path,
}

impl Reader<'_> {
    /// The pictures of a folder, and at most as many of those kept out as are validated.
    fn clean(&self, folder: &Path) -> Result<(Vec<Picture8>, Vec<Named>), Error> {
        let (mut pictures, mut kept) = (Vec::new(), Vec::new());
        for path in files(&self.data.join(folder))? {
            let (name, picture) = (file_name(&path), self.picture(&path)?);
            if !self.keeps_out(&name) {
                pictures.push(picture);
            } else if kept.len() < self.recipe.validation.pictures {
                kept.push((name, picture));
            }
        }
        self.expect_some(folder, pictures.is_empty())?;
        Ok((pictures, kept))
    }

    /// The pairs of two folders, clean and degraded, and at most as many of those kept out as are validated.
    fn pairs(&self, input: &Path, target: &Path) -> Result<(Vec<Example>, Vec<Held>), Error> {
        let (mut pairs, mut kept) = (Vec::new(), Vec::new());
        for path in files(&self.data.join(input))? {
            let name = file_name(&path);
            let mut degraded = self.picture(&path)?;
            let mut clean = self.picture(&self.data.join(target).join(&name))?;
            Picture8::fit_pair(&mut degraded, &mut clean).map_err(|problem| {
                Error::data(&path, format!("{problem}: {}", target.display()))
            })?;
            if !self.keeps_out(&name) {
                pairs.push((clean, Some(degraded)));
            } else if kept.len() < self.recipe.validation.pictures {
                let pair = Pair { input: self.middle(&degraded), target: self.middle(&clean) };
                kept.push(Held { name, pair });
            }
        }
        self.expect_some(input, pairs.is_empty())?;
        Ok((pairs, kept))
    }

    fn picture(&self, path: &Path) -> Result<Picture8, Error> {
        let side = self.recipe.training.largest_crop();
        Picture8::read_channels(path, side, self.recipe.network.channels())
    }

    fn middle(&self, picture: &Picture8) -> Array3<f32> {
        picture.middle(self.recipe.validation.crop, self.recipe.network.multiple())
    }

    fn keeps_out(&self, name: &str) -> bool {
        self.recipe.validation.hold_out.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    fn expect_some(&self, folder: &Path, nothing: bool) -> Result<(), Error> {
        if nothing {
            let problem = "every picture is held out of training";
            return Err(Error::new(Kind::Data, format!("{}: {problem}", folder.display())));
        }
        Ok(())
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
