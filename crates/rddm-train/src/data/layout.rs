//! The folders of public data sets, as their authors give them out.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rddm_image::is_helper;
use serde::{Deserialize, Serialize};

use super::file_name;
use super::picture::{files, is_picture};
use crate::error::Error;

/// A data set whose folders are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layout {
    /// ISTD, shadows: `train/train_A` (shadow), `train_B` (mask), `train_C` (clean); `test/test_A`, ….
    Istd,
    /// LOL, low light: `our485/low`, `our485/high`; `eval15/low`, `eval15/high`.
    Lol,
    /// RainDrop, drops on the lens: `train/data/N_rain.png`, `train/gt/N_clean.png`; `test_a/…`.
    RainDrop,
    /// GoPro, motion blur: `train/SEQUENCE/blur/N.png`, `train/SEQUENCE/sharp/N.png`; `test/…`.
    GoPro,
    /// CelebA, faces: `Img/img_align_celeba`, parted by `Eval/list_eval_partition.txt`, or both without the folders above them.
    /// Clean pictures alone.
    CelebA,
    /// SIDD (small or medium, sRGB), noise: `Data/SCENE/…NOISY_SRGB….PNG`, `Data/SCENE/…GT_SRGB….PNG`. No test part.
    Sidd,
    /// Rain100L, Rain100H and the training sets of their authors, in one folder or in several: `rain-N.png` or
    /// `norain-Nx2.png`, and the nearest `norain-N.png`. What lies in a folder whose name has `train` or a word `test…` in it,
    /// such as `RainTrainL`, belongs to that part; all else to the other one, or to both where no folder is so named.
    Rain100,
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// What networks are trained on.
    #[default]
    Train,
    /// What they are measured on.
    Test,
}

/// The files of one example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// What the example is called: by it pictures are held out of training.
    pub name: String,
    /// The clean picture.
    pub clean: PathBuf,
    /// The degraded one.
    pub degraded: Option<PathBuf>,
    /// Where it is degraded.
    pub mask: Option<PathBuf>,
}

impl Layout {
    /// The examples of the data set in `folder`, in the order of their names.
    ///
    /// # Errors
    /// When a folder is missing, a picture, degraded or clean, has no partner or there is none; the text says what was looked for.
    pub fn examples(self, folder: &Path, split: Split) -> Result<Vec<Files>, Error> {
        let train = split == Split::Train;
        let examples = self.all(folder, train)?;
        if examples.is_empty() {
            let part = if train { "train" } else { "test" };
            let problem = format!("no picture of the {part} part of {self}");
            return Err(Error::data(folder, problem));
        }
        Ok(examples)
    }

    fn all(self, folder: &Path, train: bool) -> Result<Vec<Files>, Error> {
        match self {
            Self::Istd => {
                let part = if train { "train" } else { "test" };
                let place = |letter| folder.join(part).join(format!("{part}_{letter}"));
                whole(by_name(&place("A"), &place("C"), Some(&place("B")))?, &place("C"))
            }
            Self::Lol => {
                let part = folder.join(if train { "our485" } else { "eval15" });
                let clean = part.join("high");
                whole(by_name(&part.join("low"), &clean, None)?, &clean)
            }
            Self::RainDrop => {
                let part = folder.join(if train { "train" } else { "test_a" });
                let clean = |name: &OsStr| replaced(name, "_rain.", "_clean.");
                whole(partners(&part.join("data"), &part.join("gt"), clean)?, &part.join("gt"))
            }
            Self::GoPro => {
                let mut all = Vec::new();
                for sequence in folders(&folder.join(if train { "train" } else { "test" }))? {
                    let sharp = sequence.join("sharp");
                    let pairs = whole(by_name(&sequence.join("blur"), &sharp, None)?, &sharp)?;
                    all.extend(pairs.into_iter().map(|pair| pair.within(&sequence)));
                }
                Ok(all)
            }
            Self::CelebA => celeba(folder, train),
            Self::Sidd if !train => {
                let problem =
                    "SIDD has no test part of this form; hold scenes out of training instead";
                Err(Error::data(folder, problem))
            }
            Self::Sidd => {
                let mut all = Vec::new();
                for scene in folders(&folder.join("Data"))? {
                    let clean = |name: &OsStr| replaced(name, "NOISY_SRGB", "GT_SRGB");
                    let pairs = whole(partners(&scene, &scene, clean)?, &scene)?;
                    all.extend(pairs.into_iter().map(|pair| pair.within(&scene)));
                }
                Ok(all)
            }
            Self::Rain100 => rain100(folder, train),
        }
    }
}

impl fmt::Display for Layout {
    /// As recipes write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Files {
    /// The same, its name led by that of its folder.
    fn within(mut self, folder: &Path) -> Self {
        self.name = format!("{}/{}", file_name(folder), self.name);
        self
    }
}

/// Pairs of two folders under one name, with the masks of a third.
pub(crate) fn by_name(
    degraded: &Path,
    clean: &Path,
    masks: Option<&Path>,
) -> Result<Vec<Files>, Error> {
    let mut pairs = partners(degraded, clean, OsStr::to_owned)?;
    if let Some(masks) = masks {
        for pair in &mut pairs {
            let name = pair.clean.file_name().unwrap_or_default();
            pair.mask = Some(existing(masks.join(name))?);
        }
    }
    Ok(pairs)
}

/// The pairs, where each clean picture of the folder `clean` is in one.
fn whole(pairs: Vec<Files>, clean: &Path) -> Result<Vec<Files>, Error> {
    let left = unpaired(&pairs, clean)?;
    none_left(pairs, &left)
}

/// The pairs, where no clean picture is `left` that is in none.
fn none_left(pairs: Vec<Files>, left: &[PathBuf]) -> Result<Vec<Files>, Error> {
    match left {
        [] => Ok(pairs),
        [first, more @ ..] => {
            let problem = match more.len() {
                0 => "has no degraded partner".to_owned(),
                more => format!("has no degraded partner, nor have {more} more there"),
            };
            Err(Error::data(first, problem))
        }
    }
}

/// The pictures of a folder that are in none of the pairs.
pub(crate) fn unpaired(pairs: &[Files], folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let paired: HashSet<_> =
        pairs.iter().flat_map(|pair| pair.degraded.iter().chain([&pair.clean])).collect();
    let mut pictures = files(folder)?;
    pictures.retain(|path| !paired.contains(path));
    Ok(pictures)
}

fn replaced(name: &OsStr, from: &str, to: &str) -> OsString {
    name.to_str().map_or_else(|| name.to_owned(), |name| name.replace(from, to).into())
}

/// Pairs of two folders where `clean` makes the clean picture's name; a name that stays the same in one and the same
/// folder is a clean picture's own.
fn partners(
    degraded: &Path,
    clean_folder: &Path,
    clean: impl Fn(&OsStr) -> OsString,
) -> Result<Vec<Files>, Error> {
    let mut pairs = Vec::new();
    for path in files(degraded)? {
        let partner = clean_folder.join(clean(path.file_name().unwrap_or_default()));
        if partner != path {
            let (name, clean) = (file_name(&path), existing(partner)?);
            pairs.push(Files { name, clean, degraded: Some(path), mask: None });
        }
    }
    Ok(pairs)
}

fn celeba(folder: &Path, train: bool) -> Result<Vec<Files>, Error> {
    let place = |above: &str, name: &str| {
        let within = folder.join(above).join(name);
        if within.exists() { within } else { folder.join(name) }
    };
    let list = place("Eval", "list_eval_partition.txt");
    let pictures = place("Img", "img_align_celeba");
    let text = fs::read_to_string(&list).map_err(|error| Error::data(&list, error))?;
    let wanted = if train { "0" } else { "2" };
    let mut all = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [] => {}
            [name, part] => {
                if part == wanted {
                    let clean = existing(pictures.join(name))?;
                    let name = name.to_owned();
                    all.push(Files { name, clean, degraded: None, mask: None });
                }
            }
            // How many they are, and a header, in older lists.
            [_] if number <= 2 => {}
            _ => {
                let problem = format!("line {number}: '{line}' is no name and part (0, 1 or 2)");
                return Err(Error::data(&list, problem));
            }
        }
    }
    Ok(all)
}

/// The pairs of a part below a folder.
fn rain100(folder: &Path, train: bool) -> Result<Vec<Files>, Error> {
    let mut pictures = Vec::new();
    walk(folder, &mut pictures)?;
    pictures.sort();
    let (mut rainy, mut clean) = (Vec::new(), HashMap::<String, Vec<&PathBuf>>::new());
    for path in &pictures {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let dry = stem.strip_prefix("norain-");
        if let Some(number) =
            stem.strip_prefix("rain-").or_else(|| dry.and_then(|dry| dry.strip_suffix("x2")))
        {
            rainy.push((number.to_owned(), path));
        } else if let Some(number) = dry.filter(|number| !number.contains('x')) {
            clean.entry(number.to_owned()).or_default().push(path);
        }
    }
    let label = |path: &Path| part(path.strip_prefix(folder).unwrap_or(path));
    let labelled = |wanted| rainy.iter().any(|(_, path)| label(path) == Some(wanted));
    // What may be for tests is not trained on.
    let rest = if labelled(Split::Train) {
        Some(Split::Test)
    } else {
        labelled(Split::Test).then_some(Split::Train)
    };
    let wanted = if train { Split::Train } else { Split::Test };
    let is_wanted = |path: &Path| label(path).or(rest).is_none_or(|part| part == wanted);
    let (mut all, mut paired) = (Vec::new(), HashSet::<&PathBuf>::new());
    for (number, path) in &rainy {
        let candidates = clean.get(number).map(Vec::as_slice).unwrap_or_default();
        let nearest = nearest(path, candidates);
        paired.extend(nearest);
        if !is_wanted(path) {
            continue;
        }
        let Some(clean) = nearest else {
            let problem = if candidates.is_empty() {
                format!("no norain-{number} in {}", folder.display())
            } else {
                format!("norain-{number} lies in several folders that are equally near")
            };
            return Err(Error::data(path, problem));
        };
        let (name, clean) = (file_name(path), clean.clone());
        all.push(Files { name, clean, degraded: Some((*path).clone()), mask: None });
    }
    if all.is_empty() {
        let other = if train { "test" } else { "train" };
        let problem = match rainy.len() {
            0 => "no picture named rain-N or norain-Nx2 here or in the folders below".to_owned(),
            _ => format!("all pictures with rain lie in folders for {other}"),
        };
        return Err(Error::data(folder, problem));
    }
    let mut left: Vec<_> = clean.into_values().flatten().cloned().collect();
    left.retain(|path| is_wanted(path) && !paired.contains(path));
    left.sort();
    none_left(all, &left)
}

/// The one of the candidates that shares more folders with a path than the others do.
fn nearest<'a>(path: &Path, candidates: &[&'a PathBuf]) -> Option<&'a PathBuf> {
    let together = |clean: &Path| {
        path.components().zip(clean.components()).take_while(|(a, b)| a == b).count()
    };
    let most = candidates.iter().map(|clean| together(clean)).max()?;
    let mut nearest = candidates.iter().filter(|clean| together(clean) == most);
    nearest.next().filter(|_| nearest.next().is_none()).copied()
}

/// The part that the folders of a path name, the last of them first.
fn part(path: &Path) -> Option<Split> {
    path.parent()?.components().rev().find_map(|folder| {
        let name = folder.as_os_str().to_string_lossy();
        let lower = name.to_ascii_lowercase();
        // `latest` is no test; what is for training must not be missed.
        let begins = |at: usize| {
            name[at..].starts_with('T') || !name[..at].ends_with(|c: char| c.is_alphabetic())
        };
        if lower.contains("train") {
            return Some(Split::Train);
        }
        lower.match_indices("test").any(|(at, _)| begins(at)).then_some(Split::Test)
    })
}

fn walk(folder: &Path, pictures: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(|error| Error::data(folder, error))? {
        let path = entry.map_err(|error| Error::data(folder, error))?.path();
        if path.is_dir() {
            if !is_helper(&path) {
                walk(&path, pictures)?;
            }
        } else if is_picture(&path) {
            pictures.push(path);
        }
    }
    Ok(())
}

/// The folders in a folder, by name.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::data(folder, error))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut folders: Vec<PathBuf> =
        paths.filter(|path| path.is_dir() && !is_helper(path)).collect();
    if folders.is_empty() {
        return Err(Error::data(folder, "holds no folder"));
    }
    folders.sort();
    Ok(folders)
}

fn existing(path: PathBuf) -> Result<PathBuf, Error> {
    if path.is_file() { Ok(path) } else { Err(Error::data(&path, "is not there")) }
}
