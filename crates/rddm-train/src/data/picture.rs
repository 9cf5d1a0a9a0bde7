//! Pictures in memory while a network is trained: 8 bits a channel.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, ImageReader, Luma, Rgb, RgbImage};
use ndarray::{Array3, s};
use rddm_image::{Depth, Format, Limits, with_channels};

use crate::error::{Error, Kind};
use crate::run::write;

/// A picture of 8 bits a channel, `[channels, height, width]`: RGB or grey.
#[derive(Debug, Clone)]
pub struct Picture8(Array3<u8>);

/// The pictures of a folder, in the order of their names.
///
/// # Errors
/// When the folder cannot be read or holds no picture.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| Error::data(folder, error))? {
        let path = entry.map_err(|error| Error::data(folder, error))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden && is_picture(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::data(folder, "no picture here; does --data name the folder above?"));
    }
    files.sort();
    Ok(files)
}

/// Whether a file has the name of a picture.
pub(super) fn is_picture(path: &Path) -> bool {
    Format::from_path(path).is_some()
}

/// Width and height by a file's head; none where it cannot be read.
pub(super) fn size(path: &Path) -> Option<(u32, u32)> {
    ImageReader::open(path).ok()?.with_guessed_format().ok()?.into_dimensions().ok()
}

type Luma16 = ImageBuffer<Luma<u16>, Vec<u16>>;
type Rgb16 = ImageBuffer<Rgb<u16>, Vec<u16>>;

/// The colours of a file's picture, read as the restoring program reads it: by its content, whole, and turned as its metadata ask.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn upright(path: &Path) -> Result<DynamicImage, Error> {
    let read = rddm_image::read(path, &Limits::default())
        .map_err(|error| Error::new(Kind::Data, error.to_string()))?;
    let (channels, height, width) = read.pixels.dim();
    let (w, h) = (width as u32, height as u32);
    let values = read.pixels.permuted_axes([1, 2, 0]);
    let picture: Option<DynamicImage> = match (read.depth, channels) {
        (Depth::Eight, 1) => GrayImage::from_raw(w, h, levels8(&values)).map(Into::into),
        (Depth::Eight, _) => RgbImage::from_raw(w, h, levels8(&values)).map(Into::into),
        (Depth::Sixteen, 1) => Luma16::from_raw(w, h, levels16(&values)).map(Into::into),
        (Depth::Sixteen, _) => Rgb16::from_raw(w, h, levels16(&values)).map(Into::into),
    };
    picture.ok_or_else(|| Error::data(path, "its pixels do not fill it"))
}

fn levels8(values: &Array3<f32>) -> Vec<u8> {
    values.iter().map(|value| (value * 255.0).round() as u8).collect()
}

fn levels16(values: &Array3<f32>) -> Vec<u16> {
    values.iter().map(|value| (value * 65535.0).round() as u16).collect()
}

impl Picture8 {
    /// Reads a picture whose sides are at least `side`, as RGB.
    ///
    /// # Errors
    /// When it cannot be read, or is smaller.
    pub fn read_at_least(path: &Path, side: usize) -> Result<Self, Error> {
        Self::read_channels(path, side, 3, None)
    }

    /// As [`read_at_least`](Self::read_at_least), as RGB (3 channels) or grey (1), and of a picture that is fitted its middle square
    /// in that many pixels a side.
    ///
    /// # Errors
    /// When it cannot be read, or is smaller.
    pub fn read_channels(
        path: &Path,
        side: usize,
        channels: usize,
        fit: Option<u32>,
    ) -> Result<Self, Error> {
        let mut picture = upright(path)?;
        if let Some(fit) = fit {
            picture = picture.resize_to_fill(fit, fit, FilterType::Lanczos3);
        }
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        if width < side || height < side {
            let problem = format!("{width}×{height} is smaller than a crop of {side}×{side}");
            return Err(Error::data(path, problem));
        }
        let (present, raw) = if channels == 1 && !picture.color().has_color() {
            (1, picture.into_luma8().into_raw())
        } else {
            (3, picture.into_rgb8().into_raw())
        };
        let pixels = Array3::from_shape_vec((height, width, present), raw)
            .map_err(|error| Error::data(path, error))?;
        let read = Self(pixels.permuted_axes([2, 0, 1]).as_standard_layout().into_owned());
        if present == channels {
            return Ok(read);
        }
        // As the runtime makes a picture grey.
        let grey = with_channels(read.whole().view(), channels)
            .map_err(|error| Error::data(path, error))?;
        Ok(Self::quantise(&grey))
    }

    /// Height and width.
    pub fn size(&self) -> (usize, usize) {
        let (_, height, width) = self.0.dim();
        (height, width)
    }

    /// Its channels: 3 or 1.
    pub(crate) fn channels(&self) -> usize {
        self.0.dim().0
    }

    /// A number that pictures of equal pixels share.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    /// Cuts two pictures to their common top left part; they may differ by one row and one column.
    pub(crate) fn fit_pair(a: &mut Self, b: &mut Self) -> Result<(), String> {
        let ((ha, wa), (hb, wb)) = (a.size(), b.size());
        if ha.abs_diff(hb) > 1 || wa.abs_diff(wb) > 1 {
            return Err(format!("{wa}×{ha} pixels do not pair with {wb}×{hb}"));
        }
        for picture in [a, b] {
            picture.0 = picture.0.slice(s![.., ..ha.min(hb), ..wa.min(wb)]).to_owned();
        }
        Ok(())
    }

    /// The middle part of at most `side` × `side` pixels, its sides multiples of `multiple`, values in [0, 1].
    pub(crate) fn middle(&self, side: usize, multiple: usize) -> Array3<f32> {
        let (height, width) = self.size();
        let fit = |length: usize| length.min(side) / multiple * multiple;
        let (h, w) = (fit(height), fit(width));
        self.part((height - h) / 2, (width - w) / 2, h, w)
    }

    /// Rounds a picture `[3, height, width]` in [0, 1] to 8 bits.
    pub fn quantise(picture: &Array3<f32>) -> Self {
        Self(picture.mapv(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8))
    }

    /// Writes a PNG file, beside its place and renamed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let (height, width) = self.size();
        let failed = |error: &dyn std::fmt::Display| Error::run(path, error);
        let rgb = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            Rgb([0, 1, 2].map(|channel| self.0[(channel, y as usize, x as usize)]))
        });
        let mut file = Cursor::new(Vec::new());
        rgb.write_to(&mut file, ImageFormat::Png).map_err(|error| failed(&error))?;
        write(path, file.get_ref())
    }

    /// The whole picture, values in [0, 1].
    pub fn whole(&self) -> Array3<f32> {
        let (height, width) = self.size();
        self.part(0, 0, height, width)
    }

    /// The rows from `top` on, their pixels from where `column` says of a row and a column of the part, values in [0, 1].
    pub(super) fn rows(
        &self,
        top: usize,
        height: usize,
        width: usize,
        column: impl Fn(usize, usize) -> usize,
    ) -> Array3<f32> {
        Array3::from_shape_fn((self.0.dim().0, height, width), |(channel, y, x)| {
            f32::from(self.0[(channel, top + y, column(y, x))]) / 255.0
        })
    }

    /// A part, values in [0, 1].
    pub(super) fn part(&self, top: usize, left: usize, height: usize, width: usize) -> Array3<f32> {
        self.0
            .slice(s![.., top..top + height, left..left + width])
            .mapv(|value| f32::from(value) / 255.0)
    }
}
