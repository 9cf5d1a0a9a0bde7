//! Between planes of `f32` and the interleaved samples of the codecs.

use image::{ColorType, ExtendedColorType};
use ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::{Depth, Error, ErrorKind, Loss, Picture, codecs::Abilities};

/// Interleaved samples, in the machine's byte order where they have 16 bits.
pub(crate) struct Raster {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) color: ExtendedColorType,
    pub(crate) samples: Vec<u8>,
}

impl Raster {
    /// Channels of colour: one or three.
    pub(crate) fn colours(&self) -> usize {
        if self.color.channel_count() < 3 { 1 } else { 3 }
    }
}

/// Pixels, alpha channel, depth.
type Planes = (Array3<f32>, Option<Array2<f32>>, Depth);

pub(crate) fn planes(
    samples: &[u8],
    color: ColorType,
    width: usize,
    height: usize,
) -> Result<Planes, Error> {
    let step = usize::from(color.channel_count());
    let channels = if color.has_color() { 3 } else { 1 };
    let (depth, value): (_, fn(&[u8], usize) -> f32) =
        match color.bytes_per_pixel() / color.channel_count() {
            1 => (Depth::Eight, |samples, at| f32::from(samples[at]) / 255.0),
            2 => (Depth::Sixteen, |samples, at| {
                f32::from(u16::from_ne_bytes([samples[2 * at], samples[2 * at + 1]])) / 65535.0
            }),
            _ => (Depth::Sixteen, |samples, at| {
                let bytes = std::array::from_fn(|byte| samples[4 * at + byte]);
                let value = f32::from_ne_bytes(bytes);
                if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
            }),
        };
    let plane = |channel: usize, out: &mut Vec<f32>| {
        out.extend((0..width * height).map(|pixel| value(samples, pixel * step + channel)));
    };
    let mut pixels = try_capacity(channels * width * height)?;
    for channel in 0..channels {
        plane(channel, &mut pixels);
    }
    let pixels = Array3::from_shape_vec((channels, height, width), pixels).map_err(shape)?;
    let alpha = if color.has_alpha() {
        let mut alpha = try_capacity(width * height)?;
        plane(channels, &mut alpha);
        Some(Array2::from_shape_vec((height, width), alpha).map_err(shape)?)
    } else {
        None
    };
    Ok((pixels, alpha, depth))
}

/// How many percent of floating-point samples are above white, which they become; rounded up.
pub(crate) fn bright(samples: &[u8], color: ColorType) -> Option<u8> {
    /// What rounding may make of white.
    const WHITE: f32 = 1.001;
    let floats = color.bytes_per_pixel() == 4 * color.channel_count();
    let values = if floats { samples.as_chunks().0 } else { &[] };
    let bright = values.iter().filter(|&&value| f32::from_ne_bytes(value) > WHITE).count();
    (bright > 0).then(|| (bright * 100).div_ceil(values.len()) as u8)
}

/// Divides colours that are multiplied by their alpha; they are black where nothing of them is seen.
pub(crate) fn divide(pixels: &mut Array3<f32>, alpha: &Array2<f32>) {
    for mut plane in pixels.outer_iter_mut() {
        plane.zip_mut_with(alpha, |value, &alpha| {
            *value = if alpha > 0.0 { (*value / alpha).min(1.0) } else { 0.0 };
        });
    }
}

/// The picture's samples as a format of these abilities holds them, and what it can't hold.
pub(crate) fn from_picture(
    picture: &Picture,
    abilities: &Abilities,
) -> Result<(Raster, Vec<Loss>), Error> {
    use ExtendedColorType as Color;
    picture.check()?;
    let mut losses = Vec::new();
    let alpha = picture.alpha.as_ref().filter(|_| abilities.alpha);
    if picture.alpha.is_some() && alpha.is_none() {
        losses.push(Loss::Alpha);
    }
    let wide = picture.depth == Depth::Sixteen && abilities.sixteen;
    if picture.depth == Depth::Sixteen && !wide {
        losses.push(Loss::Depth);
    }
    let grey = if alpha.is_some() { abilities.grey_alpha } else { abilities.grey };
    let grey = grey && picture.pixels.dim().0 == 1;
    let color = match (grey, alpha.is_some(), wide) {
        (true, false, false) => Color::L8,
        (true, false, true) => Color::L16,
        (true, true, false) => Color::La8,
        (true, true, true) => Color::La16,
        (false, false, false) => Color::Rgb8,
        (false, false, true) => Color::Rgb16,
        (false, true, false) => Color::Rgba8,
        (false, true, true) => Color::Rgba16,
    };
    let mut channels: Vec<ArrayView2<'_, f32>> = picture.pixels.axis_iter(Axis(0)).collect();
    if channels.len() == 1 && !grey {
        channels = vec![channels[0]; 3];
    }
    channels.extend(alpha.map(|alpha| alpha.view()));

    let side = |length: usize| {
        u32::try_from(length).map_err(|_| Error::new(ErrorKind::Invalid, "a side is too long"))
    };
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    let bytes = if wide { 2 } else { 1 };
    let mut samples =
        try_zeroed((picture.width() * picture.height() * channels.len() * bytes) as u64)?;
    let mut finite = true;
    for (channel, plane) in channels.iter().enumerate() {
        let pixels = samples.chunks_exact_mut(channels.len() * bytes);
        for (pixel, &value) in pixels.zip(plane) {
            finite &= value.is_finite();
            if wide {
                let sample = level16(value).to_ne_bytes();
                pixel[2 * channel..2 * channel + 2].copy_from_slice(&sample);
            } else {
                pixel[channel] = level8(value);
            }
        }
    }
    if !finite {
        return Err(not_finite());
    }
    Ok((Raster { width, height, color, samples }, losses))
}

/// The nearest of 256 levels. A cast and a comparison, because rounding is a call on many processors.
pub(crate) fn level8(value: f32) -> u8 {
    let scaled = value.clamp(0.0, 1.0) * 255.0;
    let below = scaled as u8;
    below + u8::from(scaled - f32::from(below) >= 0.5)
}

/// The nearest of 65536 levels.
pub(crate) fn level16(value: f32) -> u16 {
    let scaled = value.clamp(0.0, 1.0) * 65535.0;
    let below = scaled as u16;
    below + u16::from(scaled - f32::from(below) >= 0.5)
}

pub(crate) fn not_finite() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "a pixel is NaN or infinite, so nothing was written: check what made the picture",
    )
}

pub(crate) fn try_zeroed(bytes: u64) -> Result<Vec<u8>, Error> {
    let length = usize::try_from(bytes).map_err(|_| no_memory(bytes))?;
    let mut samples: Vec<u8> = try_capacity(length)?;
    samples.resize(length, 0);
    Ok(samples)
}

fn try_capacity<T>(length: usize) -> Result<Vec<T>, Error> {
    let mut out = Vec::new();
    out.try_reserve_exact(length)
        .map_err(|_| no_memory((length as u64).saturating_mul(size_of::<T>() as u64)))?;
    Ok(out)
}

pub(crate) fn no_memory(bytes: u64) -> Error {
    Error::new(ErrorKind::Limit, format!("the machine has no {bytes} bytes of memory to give"))
}

fn shape(error: ndarray::ShapeError) -> Error {
    Error::new(ErrorKind::Invalid, "the samples don't fill the picture").because(error)
}
