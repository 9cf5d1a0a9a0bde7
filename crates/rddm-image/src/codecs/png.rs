use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::{ImageDecoder, ImageEncoder, ImageResult, Limits};

use super::{Abilities, set_metadata};
use crate::Metadata;
use crate::raster::Raster;

/// A chunk's length is a signed 32-bit number, and its header takes some of it.
const LONGEST_CHUNK: usize = i32::MAX as usize - 64;

pub(super) const ABILITIES: Abilities = Abilities {
    sixteen: true,
    alpha: true,
    grey_alpha: true,
    exif: LONGEST_CHUNK,
    icc: LONGEST_CHUNK,
    xmp: LONGEST_CHUNK,
    side: i32::MAX as u32,
};

pub(super) fn decoder<'a>(
    bytes: &'a [u8],
    limits: Limits,
) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    Ok(Box::new(PngDecoder::with_limits(Cursor::new(bytes), limits)?))
}

pub(super) fn encode(raster: &Raster, metadata: &Metadata) -> ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder =
        PngEncoder::new_with_quality(&mut out, CompressionType::Default, FilterType::Adaptive);
    set_metadata(&mut encoder, metadata)?;
    encoder.write_image(&raster.samples, raster.width, raster.height, raster.color)?;
    if let Some(xmp) = &metadata.xmp {
        out.splice(AFTER_HEADER..AFTER_HEADER, xmp_chunk(xmp));
    }
    Ok(out)
}

/// Whether a file is an animation of several frames: its `acTL` chunk, which stands before the pixels, has their number.
pub(crate) fn frames(file: &[u8]) -> bool {
    let mut rest = file.get(AFTER_HEADER..).unwrap_or_default();
    while let Some((header, body)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *header;
        match &kind {
            b"acTL" => return body.first_chunk().is_some_and(|n| u32::from_be_bytes(*n) > 1),
            b"IDAT" => return false,
            _ => {
                let after = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_add(4);
                rest = body.get(after..).unwrap_or_default();
            }
        }
    }
    false
}

/// The signature and the header chunk.
const AFTER_HEADER: usize = 8 + 4 + 4 + 13 + 4;

/// What an `iTXt` chunk of a packet holds, in the form that the XMP specification asks for:
/// uncompressed.
pub(crate) fn xmp_body(xmp: &[u8]) -> Vec<u8> {
    let mut body = b"XML:com.adobe.xmp\0\0\0\0\0".to_vec();
    body.extend_from_slice(xmp);
    body
}

fn xmp_chunk(xmp: &[u8]) -> Vec<u8> {
    let mut body = b"iTXt".to_vec();
    body.extend_from_slice(&xmp_body(xmp));
    let mut chunk = ((body.len() - 4) as u32).to_be_bytes().to_vec();
    chunk.extend_from_slice(&body);
    chunk.extend_from_slice(&crc(&body).to_be_bytes());
    chunk
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc: u32, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
