//! Reads the sources of a recipe, and parts what is kept out of training from the rest.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis};
use rddm_manifest::Digest;

use super::layout::{Files, by_name};
use super::picture::size;
use super::{Example, Held, Loaded, Pair, Picture8, Transfer, file_name, files};
use crate::degrade::{self, Degraded};
use crate::error::{Error, Kind};
use crate::recipe::{Recipe, Source};

type SourceParts = (Loaded, Option<(String, Vec<Held>)>);

/// The files of a source.
pub(super) struct SourceFiles {
    /// Of its examples.
    pub(super) examples: Vec<Files>,
    /// Of the clean pictures that get the examples' residuals.
    pub(super) receiving: Vec<Files>,
}

/// The source's examples, and those that are validated, by the source's name.
pub(super) fn source(
    source: &Source,
    files: &SourceFiles,
    reader: &Reader<'_>,
    data: &Path,
) -> Result<SourceParts, Error> {
    let recipe = reader.recipe;
    let name = source.name();
    let named = |held: Vec<Held>| (!held.is_empty()).then_some((name.clone(), held));
    let training = &recipe.training;
    let (examples, kept) = reader.examples(&files.examples, &name, training.largest_cut())?;
    match source {
        Source::Clean { weight, .. } => Ok((Loaded::new(weight.clone(), examples), None)),
        Source::Degraded { degradation, weight, .. } => {
            let whole = degrade::build(degradation, data)?;
            let seen = degrade::unchecked(&recipe.seen(degradation)?, data)?;
            let mut held = Vec::new();
            for ((name, Example { clean, .. }), seed) in kept.into_iter().zip(recipe.test_seed()..)
            {
                let target = reader.middle(&clean);
                let Degraded { picture, mask } = degrade::once(whole.as_ref(), &target, seed);
                let mask = mask.filter(|_| recipe.masked()).map(|mask| mask.insert_axis(Axis(0)));
                let input = Picture8::quantise(&picture).whole();
                held.push(Held { name, pair: Pair { input, target, mask } });
            }
            let loaded =
                Loaded { degradation: Some(seen), ..Loaded::new(weight.clone(), examples) };
            Ok((loaded, named(held)))
        }
        Source::Pairs { weight, .. } | Source::Layout { weight, .. } => {
            let held = kept.into_iter().filter_map(|(name, example)| {
                let Example { clean, degraded, mask } = example;
                let pair = Pair {
                    input: reader.middle(&degraded?),
                    target: reader.middle(&clean),
                    mask: mask.map(|mask| reader.middle(&mask)),
                };
                Some(Held { name, pair })
            });
            let loaded = Loaded { gain: source.gain(), ..Loaded::new(weight.clone(), examples) };
            Ok((loaded, named(held.collect())))
        }
        Source::Transferred { lean, grey, zoom, weight, .. } => {
            let (clean, _) = reader.examples(&files.receiving, &name, training.largest_crop())?;
            let clean = clean.into_iter().map(|example| example.clean).collect();
            let transfer = Some(Transfer { clean, lean: *lean, grey: *grey, zoom: *zoom });
            Ok((
                Loaded { gain: source.gain(), transfer, ..Loaded::new(weight.clone(), examples) },
                None,
            ))
        }
    }
}

/// SHA-256 of the names and sizes of all files, source by source.
pub(super) fn digest(sources: &[SourceFiles]) -> String {
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut text = String::new();
    for SourceFiles { examples, receiving } in sources {
        for Files { name, clean, degraded, mask } in examples.iter().chain(receiving) {
            let paths = [Some(clean), degraded.as_ref(), mask.as_ref()];
            text += &format!("{name:?} {:?}\n", paths.map(|path| path.map(|path| bytes(path))));
        }
        text += "\n";
    }
    Digest::of(text.as_bytes()).hex()
}

/// Checks that each prefix of `validation.hold_out` keeps a picture out of training.
pub(super) fn check_held_out(recipe: &Recipe, files: &[&Files]) -> Result<(), Error> {
    let fits = |prefix: &str| files.iter().any(|files| files.name.starts_with(prefix));
    let mut prefixes = recipe.validation.hold_out.iter();
    prefixes.find(|prefix| !fits(prefix)).map_or(Ok(()), |prefix| {
        let problem = "no picture of any source has a name that begins so";
        Err(Error::new(Kind::Recipe, format!("validation.hold_out: '{prefix}': {problem}")))
    })
}

/// Checks that the machine has room for the pictures, all of which are held in memory, where it says what it has.
pub(super) fn check_memory(recipe: &Recipe, files: &[&Files]) -> Result<(), Error> {
    free_memory().map_or(Ok(()), |free| fits(bytes(recipe, files), free))
}

fn fits(bytes: u64, free: u64) -> Result<(), Error> {
    if bytes <= free {
        return Ok(());
    }
    let [bytes, free] = [bytes, free].map(|bytes| bytes as f64 / 1e9);
    let problem = format!(
        "the pictures take {bytes:.1} GB in memory, and {free:.1} GB are free; training.fit makes smaller ones of them, or take a part"
    );
    Err(Error::new(Kind::Data, problem))
}

/// Bytes of the pictures in memory by their files' heads; what can't be read is told when it is its turn.
fn bytes(recipe: &Recipe, files: &[&Files]) -> u64 {
    let channels = recipe.network.channels() as u64;
    let pixels = |path: &Path| match recipe.training.fit {
        Some(side) => u64::from(side) * u64::from(side),
        None => size(path).map_or(0, |(width, height)| u64::from(width) * u64::from(height)),
    };
    let mut bytes = 0;
    for files in files {
        let coloured = files.degraded.iter().chain([&files.clean]);
        bytes += coloured.map(|path| channels * pixels(path)).sum::<u64>();
        let mask = files.mask.as_deref().filter(|_| recipe.masked());
        bytes += mask.map_or(0, pixels);
    }
    bytes
}

/// Bytes that the system could give without taking them from others; Linux says so.
fn free_memory() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = said.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

impl Source {
    /// Its files, below the folder `data`.
    pub(super) fn files(&self, data: &Path) -> Result<SourceFiles, Error> {
        let receiving = match self {
            Self::Transferred { clean, .. } => alone(&data.join(clean))?,
            _ => Vec::new(),
        };
        Ok(SourceFiles { examples: self.examples(data)?, receiving })
    }

    fn examples(&self, data: &Path) -> Result<Vec<Files>, Error> {
        match self {
            Self::Clean { clean, .. } | Self::Degraded { clean, .. } => alone(&data.join(clean)),
            Self::Pairs { input, target, mask, .. } => {
                let mask = mask.as_ref().map(|mask| data.join(mask));
                by_name(&data.join(input), &data.join(target), mask.as_deref())
            }
            Self::Transferred { input, target, .. } => {
                by_name(&data.join(input), &data.join(target), None)
            }
            Self::Layout { layout, folder, split, .. } => {
                layout.examples(&data.join(folder), *split)
            }
        }
    }
}

/// Clean pictures of a folder.
fn alone(folder: &Path) -> Result<Vec<Files>, Error> {
    let alone =
        |clean: PathBuf| Files { name: file_name(&clean), clean, degraded: None, mask: None };
    Ok(files(folder)?.into_iter().map(alone).collect())
}

/// Reads pictures, and knows what is held out of training.
pub(super) struct Reader<'a> {
    recipe: &'a Recipe,
    /// The sizes of the clean pictures that are held out.
    sizes: HashSet<(usize, usize)>,
    /// What tells their pixels.
    fingerprints: HashSet<u64>,
}

/// An example and its name.
type Named = (String, Example);

impl<'a> Reader<'a> {
    /// A reader that holds out what the recipe names among `files`, the files of all sources.
    pub(super) fn new(recipe: &'a Recipe, files: &[&Files]) -> Result<Self, Error> {
        let mut reader = Self { recipe, sizes: HashSet::new(), fingerprints: HashSet::new() };
        let held: Vec<_> = files.iter().filter(|files| reader.keeps_out(&files.name)).collect();
        for files in held {
            let clean = reader.clean(files, 1)?;
            reader.sizes.insert(clean.size());
            reader.fingerprints.insert(clean.fingerprint());
        }
        Ok(reader)
    }

    /// The examples, those to train on of `side` pixels a side at least, and at most as many of those kept out as are validated.
    fn examples(
        &self,
        files: &[Files],
        name: &str,
        side: usize,
    ) -> Result<(Vec<Example>, Vec<Named>), Error> {
        let (mut examples, mut kept) = (Vec::new(), Vec::new());
        for files in files {
            let held = self.keeps_out(&files.name);
            if held && kept.len() == self.recipe.validation.pictures {
                continue;
            }
            let side = if held { 1 } else { side };
            let clean = self.clean(files, side)?;
            if !held && self.shows_what_is_held(&clean) {
                continue;
            }
            let (masked, fit) = (self.recipe.masked(), self.recipe.training.fit);
            let example = Example::read(clean, files, side, masked, fit)?;
            if held {
                let ((height, width), least) =
                    (example.clean.size(), self.recipe.network.multiple());
                if height.min(width) < least {
                    let problem = format!(
                        "{width}×{height} is less than the {least}×{least} that the network takes; hold out a larger one"
                    );
                    return Err(Error::data(&files.clean, problem));
                }
                kept.push((files.name.clone(), example));
            } else {
                examples.push(example);
            }
        }
        if examples.is_empty() {
            let problem = "every picture is held out of training, or equals one that is";
            return Err(Error::new(Kind::Data, format!("{name}: {problem}")));
        }
        Ok((examples, kept))
    }

    fn clean(&self, files: &Files, side: usize) -> Result<Picture8, Error> {
        let Recipe { network, training, .. } = self.recipe;
        Picture8::read_channels(&files.clean, side, network.channels(), training.fit)
    }

    /// Whether a clean picture equals that of an example that is held out.
    fn shows_what_is_held(&self, clean: &Picture8) -> bool {
        self.sizes.contains(&clean.size()) && self.fingerprints.contains(&clean.fingerprint())
    }

    fn middle(&self, picture: &Picture8) -> Array3<f32> {
        picture.middle(self.recipe.validation.crop, self.recipe.network.multiple())
    }

    fn keeps_out(&self, name: &str) -> bool {
        self.recipe.validation.hold_out.iter().any(|prefix| name.starts_with(prefix.as_str()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn pictures_that_do_not_fit_are_refused_before_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for part in ["in", "gt"] {
            std::fs::create_dir(folder.path().join(part)).unwrap();
            for name in ["a.png", "b.png"] {
                let path = folder.path().join(part).join(name);
                image::RgbImage::new(40, 30).save(path).unwrap();
            }
        }
        let recipe = |training: &str| {
            let text = format!(
                "schema = 1\nid = \"tiny\"\n[network]\nfamily = \"edge\"\nwidths = [8, 8]\nblocks = [1, 1]\n\
                 [[data]]\nkind = \"pairs\"\ninput = \"in\"\ntarget = \"gt\"\n\
                 [training]\ncrop = 16\n{training}\n[validation]\nhold_out = [\"b\"]\n"
            );
            Recipe::parse(&text).unwrap()
        };
        let pairs = recipe("").data[0].files(folder.path()).unwrap();
        let files: Vec<&Files> = pairs.examples.iter().collect();
        assert_eq!(bytes(&recipe(""), &files), 4 * 3 * 40 * 30);
        assert_eq!(bytes(&recipe("fit = 20"), &files), 4 * 3 * 20 * 20);
        let text = recipe("").to_toml().unwrap().replace("\"pairs\"", "\"transferred\"");
        let text = text.replace("\"gt\"", "\"gt\"\nclean = \"gt\"");
        let transferred = Recipe::parse(&text).unwrap();
        let files = transferred.data[0].files(folder.path()).unwrap();
        let files: Vec<&Files> = files.examples.iter().chain(&files.receiving).collect();
        assert_eq!(bytes(&transferred, &files), (4 + 2) * 3 * 40 * 30);
        fits(7, 7).unwrap();
        let error = fits(12_340_000_000, 7_890_000_000).unwrap_err();
        assert_eq!(error.kind(), Kind::Data);
        assert!(error.to_string().contains("12.3 GB in memory, and 7.9 GB"), "{error}");
        if cfg!(target_os = "linux") {
            assert!(free_memory().unwrap() > 0);
        }
    }
}
