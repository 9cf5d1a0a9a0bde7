use std::io::Cursor;

use image::codecs::bmp::{BmpDecoder, BmpEncoder};
use image::{ImageDecoder, ImageEncoder, ImageResult};

use super::Abilities;
use crate::raster::Raster;

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

pub(super) fn encode(raster: &Raster) -> ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    let encoder = BmpEncoder::new(&mut out);
    encoder.write_image(&raster.samples, raster.width, raster.height, raster.color)?;
    Ok(out)
}
