use std::io::Cursor;
use std::ops::Range;

use image::codecs::bmp::{BmpDecoder, BmpEncoder};
use image::{ImageDecoder, ImageEncoder, ImageResult};

use super::Abilities;

use crate::raster::Raster;
use crate::{Metadata, Resolution, Unread};

pub(super) const ABILITIES: Abilities = Abilities {
    sixteen: false,
    alpha: true,
    grey: true,
    grey_alpha: false,
    exif: 0,
    icc: 0,
    xmp: 0,
    side: i32::MAX as u32,
};

pub(super) fn decoder<'a>(bytes: &'a [u8]) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    Ok(Box::new(BmpDecoder::new(Cursor::new(bytes))?))
}

/// Pixels in a metre across and down, signed numbers of 32 bits, in all headers but the oldest one.
const RESOLUTION: Range<usize> = 38..46;

pub(super) fn resolution(file: &[u8]) -> Option<Resolution> {
    const OLDEST: i32 = 12;
    let long = |at: usize| Some(i32::from_le_bytes(*file.get(at..)?.first_chunk()?));
    long(14).filter(|&header| header > OLDEST)?;
    let [across, down] = [RESOLUTION.start, RESOLUTION.start + 4].map(long);
    Resolution::new([across?, down?].map(f64::from), 1.0)
}

/// Whether another file follows where the header says that this one ends, which is not always true.
pub(crate) fn unread(file: &[u8]) -> Vec<Unread> {
    let long = |at: usize| Some(u32::from_le_bytes(*file.get(at..)?.first_chunk()?) as usize);
    let end = long(2).filter(|&end| long(10).is_some_and(|pixels| pixels < end));
    let behind = end.and_then(|end| Unread::behind(file.get(end..)?));
    behind.filter(|behind| behind.is_picture()).into_iter().collect()
}

pub(super) fn encode(raster: &Raster, metadata: &Metadata) -> ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    let encoder = BmpEncoder::new(&mut out);
    encoder.write_image(&raster.samples, raster.width, raster.height, raster.color)?;
    if let Some(resolution) = metadata.resolution.filter(|resolution| resolution.metres) {
        let numbers = [resolution.across, resolution.down].map(u32::to_le_bytes);
        out[RESOLUTION].copy_from_slice(numbers.as_flattened());
    }
    Ok(out)
}
