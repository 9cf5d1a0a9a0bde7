use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{ImageDecoder, ImageEncoder, ImageResult};

use super::{Abilities, cut_off, set_metadata};
use crate::Metadata;
use crate::raster::Raster;

/// A segment's length counts itself and has 16 bits.
const LONGEST_SEGMENT: usize = 0xffff - 2;
const XMP_NAME: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

pub(super) const ABILITIES: Abilities = Abilities {
    sixteen: false,
    alpha: false,
    grey: true,
    grey_alpha: false,
    exif: LONGEST_SEGMENT - b"Exif\0\0".len(),
    icc: 255 * (LONGEST_SEGMENT - 14),
    xmp: LONGEST_SEGMENT - XMP_NAME.len(),
    side: 0xffff,
};

pub(super) fn decoder<'a>(bytes: &'a [u8]) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    if !ends(bytes) {
        return Err(cut_off());
    }
    Ok(Box::new(JpegDecoder::new(Cursor::new(bytes))?))
}

/// Whether the end marker follows the first scan: where it does not, the codec would give grey for what is lost. Metadata, which
/// may hold a smaller picture with an end of its own, lies before the scan; within the scan's own data the marker can't stand
/// (ITU-T T.81, B.1.1.5).
fn ends(file: &[u8]) -> bool {
    let mut at = 2; // Behind the start marker.
    loop {
        match file.get(at..) {
            Some([0xff, 0xda, scan @ ..]) => {
                return scan.windows(2).rev().any(|two| two == [0xff, 0xd9]);
            }
            Some([0xff, 0xff, ..]) => at += 1, // A marker may be filled up.
            Some([0xff, _, high, low, ..]) => {
                at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
            }
            // Broken in a way that is the codec's to tell, or cut off before the first scan.
            _ => return true,
        }
    }
}

pub(super) fn encode(raster: &Raster, metadata: &Metadata, quality: u8) -> ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, quality);
    set_metadata(&mut encoder, metadata)?;
    encoder.write_image(&raster.samples, raster.width, raster.height, raster.color)?;
    if let Some(xmp) = &metadata.xmp {
        let place = after_first_segment(&out);
        out.splice(place..place, xmp_segment(xmp));
    }
    Ok(out)
}

/// Behind the start marker and the JFIF segment, which has to be the first.
fn after_first_segment(file: &[u8]) -> usize {
    4 + file.get(4..6).map_or(0, |length| usize::from(u16::from_be_bytes([length[0], length[1]])))
}

fn xmp_segment(xmp: &[u8]) -> Vec<u8> {
    let length = (2 + XMP_NAME.len() + xmp.len()) as u16;
    let mut segment = vec![0xff, 0xe1];
    segment.extend_from_slice(&length.to_be_bytes());
    segment.extend_from_slice(XMP_NAME);
    segment.extend_from_slice(xmp);
    segment
}
