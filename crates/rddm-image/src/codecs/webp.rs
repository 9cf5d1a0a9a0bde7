use std::io::Cursor;

use image::codecs::webp::{WebPDecoder, WebPEncoder};
use image::{ExtendedColorType, ImageDecoder, ImageEncoder, ImageResult};

use super::{Abilities, cut_off, set_metadata};
use crate::raster::Raster;
use crate::{Metadata, Unread};

const LONGEST_CHUNK: usize = i32::MAX as usize - 64;

pub(super) const ABILITIES: Abilities = Abilities {
    sixteen: false,
    alpha: true,
    grey: false,
    grey_alpha: false,
    exif: LONGEST_CHUNK,
    icc: LONGEST_CHUNK,
    xmp: LONGEST_CHUNK,
    side: 1 << 14,
};

pub(super) fn decoder<'a>(bytes: &'a [u8]) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    // The codec takes what a lossy picture lacks at its end for zeros.
    if let [b'R', b'I', b'F', b'F', a, b, c, d, rest @ ..] = bytes
        && rest.len() < u32::from_le_bytes([*a, *b, *c, *d]) as usize
    {
        return Err(cut_off());
    }
    Ok(Box::new(WebPDecoder::new(Cursor::new(bytes))?))
}

pub(super) fn encode(raster: &Raster, metadata: &Metadata) -> ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut out);
    set_metadata(&mut encoder, metadata)?;
    encoder.write_image(&raster.samples, raster.width, raster.height, raster.color)?;
    if let Some(xmp) = &metadata.xmp {
        add_xmp(&mut out, xmp, raster);
    }
    Ok(out)
}

/// The blocks of an extended file, cut at the file's end: a chunk may claim any length.
pub(super) fn metadata(file: &[u8]) -> Metadata {
    let mut metadata = Metadata::default();
    let mut rest = file.get(FILE_HEADER..).unwrap_or_default();
    while let Some((header, body)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let Some((chunk, after)) = body.split_at_checked(length) else { break };
        let place = match &header[..4] {
            b"EXIF" => Some(&mut metadata.exif),
            b"ICCP" => Some(&mut metadata.icc),
            b"XMP " => Some(&mut metadata.xmp),
            _ => None,
        };
        if let Some(place @ None) = place {
            *place = Some(chunk.to_vec());
        }
        rest = after.get(length % 2..).unwrap_or_default();
    }
    metadata
}

/// What a file holds that is not read: an animation's frames, as its extended header says, and what follows its end.
pub(crate) fn unread(file: &[u8]) -> Vec<Unread> {
    let header = file.get(FILE_HEADER..).unwrap_or_default();
    let animation =
        header.starts_with(b"VP8X") && header.get(8).is_some_and(|flags| flags & ANIMATION != 0);
    let length = file.get(4..).and_then(|length| length.first_chunk().copied());
    let end = length.map_or(0, u32::from_le_bytes) as usize;
    let behind = file.get(8..).and_then(|rest| rest.get(end.next_multiple_of(2)..));
    let frames = animation.then_some(Unread::Frames);
    frames.into_iter().chain(behind.and_then(Unread::behind)).collect()
}

/// Flags of the extended header.
const ALPHA: u8 = 0x10;
const ANIMATION: u8 = 0x02;
const XMP: u8 = 0x04;
/// `RIFF`, the length of the rest, `WEBP`.
const FILE_HEADER: usize = 12;

fn add_xmp(file: &mut Vec<u8>, xmp: &[u8], raster: &Raster) {
    if !file[FILE_HEADER..].starts_with(b"VP8X") {
        let header = extended_header(raster);
        file.splice(FILE_HEADER..FILE_HEADER, header);
    }
    file[FILE_HEADER + 8] |= XMP;
    file.extend_from_slice(b"XMP ");
    file.extend_from_slice(&(xmp.len() as u32).to_le_bytes());
    file.extend_from_slice(xmp);
    if xmp.len() % 2 == 1 {
        file.push(0);
    }
    let length = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&length.to_le_bytes());
}

fn extended_header(raster: &Raster) -> Vec<u8> {
    let alpha = matches!(raster.color, ExtendedColorType::La8 | ExtendedColorType::Rgba8);
    let mut chunk = b"VP8X\x0a\0\0\0".to_vec();
    chunk.extend_from_slice(&[if alpha { ALPHA } else { 0 }, 0, 0, 0]);
    for side in [raster.width, raster.height] {
        chunk.extend_from_slice(&(side - 1).to_le_bytes()[..3]);
    }
    chunk
}
