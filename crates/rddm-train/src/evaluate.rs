//! How well a model restores pictures whose clean side is known: PSNR, SSIM and MAE of the 8-bit pictures.
//!
//! Either a folder holds `gt`, the clean pictures, and beside it folders of degraded ones under the same names
//! ([`stored_pairs`]), or clean pictures are degraded as a recipe says ([`degraded_pairs`]).

use std::path::Path;

use cpu_time::ProcessTime;
use ndarray::{Array3, ArrayView3, Axis};
use rddm_metrics::{mae, psnr_rgb, psnr_y, quantise, ssim_rgb, ssim_y};
use serde::Serialize;

use crate::data::{Example, Files, Pair, Picture8, by_name, file_name, files, unpaired};
use crate::degrade::{DegradationSpec, Degraded, build, once};
use crate::error::{Error, Kind};
use crate::validate::MOST_PSNR;

/// The measures of one picture against the clean one; dB for PSNR, 0 to 1 for SSIM, levels of 255 for MAE. Grey pictures have those of
/// three equal channels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Measures {
    /// PSNR over red, green and blue.
    pub psnr_rgb: f64,
    /// PSNR of the luma.
    pub psnr_y: f64,
    /// SSIM, the mean over red, green and blue.
    pub ssim_rgb: f64,
    /// SSIM of the luma.
    pub ssim_y: f64,
    /// Mean absolute error over red, green and blue.
    pub mae: f64,
}

/// One picture of a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PictureScore {
    /// Its file name.
    pub name: String,
    /// The restored picture's measures.
    pub restored: Measures,
    /// The degraded picture's.
    pub input: Measures,
}

/// A data set's figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataSetScore {
    /// Mean over the restored pictures.
    pub restored: Measures,
    /// Mean over the degraded pictures.
    pub input: Measures,
    /// Least gain of a single picture in PSNR over RGB, dB; below zero where one was made worse.
    pub least_gain: f64,
    /// Seconds of processor time that restoring a megapixel took.
    pub seconds_per_megapixel: f64,
    /// Each picture.
    pub pictures: Vec<PictureScore>,
}

impl Measures {
    /// The measures by name.
    pub fn named(&self) -> [(&'static str, f64); 5] {
        let Self { psnr_rgb, psnr_y, ssim_rgb, ssim_y, mae } = *self;
        [
            ("psnr_rgb", psnr_rgb),
            ("psnr_y", psnr_y),
            ("ssim_rgb", ssim_rgb),
            ("ssim_y", ssim_y),
            ("mae", mae),
        ]
    }

    fn of(picture: ArrayView3<'_, f32>, clean: ArrayView3<'_, f32>) -> Result<Self, Error> {
        let failed = |error: rddm_metrics::Error| Error::new(Kind::Data, error.to_string());
        Ok(Self {
            psnr_rgb: psnr_rgb(picture, clean).map_err(failed)?.min(MOST_PSNR),
            psnr_y: psnr_y(picture, clean).map_err(failed)?.min(MOST_PSNR),
            ssim_rgb: ssim_rgb(picture, clean).map_err(failed)?,
            ssim_y: ssim_y(picture, clean).map_err(failed)?,
            mae: 255.0 * mae(picture, clean).map_err(failed)?,
        })
    }

    fn mean(all: impl ExactSizeIterator<Item = Self>) -> Self {
        let count = all.len() as f64;
        let sum = all.fold(Self::default(), |sum, one| Self {
            psnr_rgb: sum.psnr_rgb + one.psnr_rgb,
            psnr_y: sum.psnr_y + one.psnr_y,
            ssim_rgb: sum.ssim_rgb + one.ssim_rgb,
            ssim_y: sum.ssim_y + one.ssim_y,
            mae: sum.mae + one.mae,
        });
        Self {
            psnr_rgb: sum.psnr_rgb / count,
            psnr_y: sum.psnr_y / count,
            ssim_rgb: sum.ssim_rgb / count,
            ssim_y: sum.ssim_y / count,
            mae: sum.mae / count,
        }
    }
}

/// The folders of degraded pictures beside `gt` in `folder`: those whose names begin with `input`.
///
/// # Errors
/// When the folder cannot be read or has none.
pub fn inputs(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = std::fs::read_dir(folder).map_err(|error| Error::data(folder, error))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("input"))
        .collect();
    if names.is_empty() || !folder.join("gt").is_dir() {
        return Err(Error::data(
            folder,
            "holds no folder 'gt' of clean pictures and 'input…' of degraded ones",
        ));
    }
    names.sort();
    Ok(names)
}

/// Restores a picture `[channels, height, width]` that may have a mask `[1, height, width]`, values in [0, 1].
pub type Restore<'a> =
    &'a mut dyn FnMut(&Array3<f32>, Option<&Array3<f32>>) -> Result<Array3<f32>, Error>;

/// A named pair, or why there is none.
pub type NamedPair = Result<(String, Pair), Error>;

/// The pictures of `folder/input` and of `folder/gt`, of three channels or, in grey, of one.
///
/// # Errors
/// When the folder cannot be read; each pair, when one of its pictures cannot, or they do not fit.
pub fn stored_pairs(
    folder: &Path,
    input: &str,
    channels: usize,
) -> Result<impl Iterator<Item = NamedPair> + use<>, Error> {
    let mask = folder.join(input.replacen("input", "mask", 1));
    let mask = mask.is_dir().then_some(mask.as_path());
    Ok(pairs_of(by_name(&folder.join(input), &folder.join("gt"), mask)?, channels))
}

/// How many pictures of `folder/gt` have no partner in `folder/input`.
///
/// # Errors
/// Those of [`stored_pairs`].
pub fn without_partner(folder: &Path, input: &str) -> Result<usize, Error> {
    let clean = folder.join("gt");
    Ok(unpaired(&by_name(&folder.join(input), &clean, None)?, &clean)?.len())
}

/// The pictures of files, of three channels or, in grey, of one; a clean picture alone is its own input.
pub fn pairs_of(files: Vec<Files>, channels: usize) -> impl Iterator<Item = NamedPair> + use<> {
    files.into_iter().map(move |files| {
        let clean = Picture8::read_channels(&files.clean, 1, channels, None)?;
        let Example { clean, degraded, mask } = Example::read(clean, &files, 1, true, None)?;
        let target = clean.whole();
        let input = degraded.map_or_else(|| target.clone(), |degraded| degraded.whole());
        let mask = mask.map(|mask| mask.whole());
        Ok((files.name, Pair { input, target, mask }))
    })
}

/// The pictures of a folder, degraded: picture `i` of the folder with the seed `seed + i`. What the degradation reads, if
/// anything, lies below the working folder.
///
/// # Errors
/// When the degradation cannot be, or the folder not be read; each pair, when its picture cannot.
pub fn degraded_pairs(
    folder: &Path,
    degradation: &DegradationSpec,
    seed: u64,
) -> Result<impl Iterator<Item = NamedPair> + use<>, Error> {
    let degradation = build(degradation, Path::new("."))?;
    Ok(files(folder)?.into_iter().zip(seed..).map(move |(path, seed)| {
        let target = Picture8::read_at_least(&path, 1)?.whole();
        let Degraded { picture, mask } = once(degradation.as_ref(), &target, seed);
        let input = Picture8::quantise(&picture).whole();
        let mask = mask.map(|mask| mask.insert_axis(Axis(0)));
        Ok((file_name(&path), Pair { input, target, mask }))
    }))
}

/// Restores every degraded picture with `restore` and measures it against the clean one.
///
/// `restore` gets and gives `[channels, height, width]` as the pairs are, values in [0, 1]; what it gives is rounded to 8 bits, as a file would
/// be. `on_picture` is called after each picture.
///
/// # Errors
/// When a pair is none, there is none at all, or `restore` fails.
pub fn evaluate(
    pairs: &mut dyn Iterator<Item = NamedPair>,
    restore: Restore<'_>,
    on_picture: &mut dyn FnMut(&PictureScore),
) -> Result<DataSetScore, Error> {
    let mut pictures = Vec::new();
    let (mut seconds, mut pixels) = (0.0, 0);
    for pair in pairs {
        let (name, Pair { input, target, mask }) = pair?;
        let begun = ProcessTime::now();
        let restored = restore(&input, mask.as_ref()).map_err(|error| error.of(&name))?;
        seconds += begun.elapsed().as_secs_f64();
        pixels += restored.len() / restored.dim().0;
        let restored = quantise(restored.view());
        let measures = |picture| Measures::of(picture, target.view()).map_err(|e| e.of(&name));
        let (restored, input) = (measures(restored.view())?, measures(input.view())?);
        let score = PictureScore { name, restored, input };
        on_picture(&score);
        pictures.push(score);
    }
    if pictures.is_empty() {
        return Err(Error::new(Kind::Data, "no picture to measure"));
    }
    let gain = |score: &PictureScore| score.restored.psnr_rgb - score.input.psnr_rgb;
    Ok(DataSetScore {
        restored: Measures::mean(pictures.iter().map(|score| score.restored)),
        input: Measures::mean(pictures.iter().map(|score| score.input)),
        seconds_per_megapixel: seconds / (pixels as f64 / 1e6),
        least_gain: pictures.iter().map(gain).fold(f64::INFINITY, f64::min),
        pictures,
    })
}
