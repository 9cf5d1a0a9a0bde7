use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder, PixelDensity, PixelDensityUnit};
use image::{ImageDecoder, ImageEncoder, ImageResult};

use super::{Abilities, cut_off, set_metadata};
use crate::raster::Raster;
use crate::{Metadata, Resolution, Unread};

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
    // Where there is no scan, it is broken in a way that is the codec's to tell, or cut off before.
    let Some(scan) = first_scan(file) else { return true };
    scan.windows(2).rev().any(|two| two == [0xff, 0xd9])
}

const SCAN: u8 = 0xda;
const COMMENT: u8 = 0xfe;

/// The markers up to that of the first scan, and what follows each in the file.
fn markers(file: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = file.get(2..); // Behind the start marker.
    std::iter::from_fn(move || {
        while let Some([0xff, 0xff, ..]) = rest {
            rest = rest?.get(1..); // A marker may be filled up.
        }
        let [0xff, marker, after @ ..] = rest? else { return None };
        rest = if *marker == SCAN { None } else { after.get(length(after)..) };
        Some((*marker, after))
    })
}

/// Bytes of the segment that follows a marker, its length among them.
fn length(after: &[u8]) -> usize {
    after.first_chunk().map_or(2, |length| u16::from_be_bytes(*length).into())
}

fn first_scan(file: &[u8]) -> Option<&[u8]> {
    markers(file).find_map(|(marker, after)| (marker == SCAN).then_some(after))
}

/// What follows the end marker of the first picture, without zeros at its end; nothing where the marker is not found.
fn behind(file: &[u8]) -> &[u8] {
    let scan = first_scan(file).unwrap_or_default();
    let mut rest = scan.get(length(scan)..).unwrap_or_default();
    while let Some(at) = rest.iter().position(|&byte| byte == 0xff) {
        rest = match &rest[at..] {
            [_, 0xd9, behind @ ..] => {
                let end = behind.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                return &behind[..end];
            }
            // Within a scan's data, a zero or a restart; between two scans, segments.
            [_, 0 | 0xd0..=0xd7, after @ ..] => after,
            [_, 0xff, ..] => &rest[at + 1..],
            [_, _, after @ ..] => after.get(length(after)..).unwrap_or_default(),
            _ => &[],
        };
    }
    &[]
}

/// What follows the beginning of the first segment that begins so.
fn segment<'a>(file: &'a [u8], begin: &[u8]) -> Option<&'a [u8]> {
    markers(file).find_map(|(_, after)| after.get(2..length(after))?.strip_prefix(begin))
}

/// What the JFIF segment says, behind its version.
pub(super) fn resolution(file: &[u8]) -> Option<Resolution> {
    Resolution::from_jfif(segment(file, b"JFIF\0")?.get(2..)?)
}

/// What tells a gain map, which a photograph for bright screens has behind it: its XMP (Adobe's, Apple's) or its segment (ISO 21496-1).
const GAIN_MAPS: [&[u8]; 3] =
    [b"ns.adobe.com/hdr-gain-map/", b"ns.apple.com/HDRGainMap/", b"iso:ts:21496:-1"];

/// What a file holds that is not read.
pub(crate) fn unread(file: &[u8]) -> Vec<Unread> {
    let holds = |begin: &[u8]| segment(file, begin);
    let list = holds(b"MPF\0");
    let behind = behind(file);
    let pictures = match list {
        Some(list) => super::tiff::further_pictures(list),
        None => usize::from(behind.starts_with(&[0xff, 0xd8, 0xff])),
    };
    let holds_word = |word: &&[u8]| behind.windows(word.len()).any(|bytes| bytes == *word);
    let gain_map = pictures > 0 && GAIN_MAPS.iter().any(holds_word);
    let pictures = pictures > usize::from(gain_map);
    let film = behind.windows(4).any(|word| word == b"ftyp");
    let other = !behind.is_empty() && !pictures && !gain_map && !film && list.is_none();
    [
        pictures.then_some(Unread::Pictures),
        gain_map.then_some(Unread::GainMap),
        film.then_some(Unread::Film),
        other.then_some(Unread::Trailer),
        holds(b"http://ns.adobe.com/xmp/extension/\0").map(|_| Unread::ExtendedXmp),
        holds(b"Photoshop 3.0\0")
            .filter(|resources| resources.windows(6).any(|word| word == b"8BIM\x04\x04"))
            .map(|_| Unread::Iptc),
        markers(file)
            .any(|(marker, after)| marker == COMMENT && length(after) > 2)
            .then_some(Unread::Texts),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(super) fn encode(raster: &Raster, metadata: &Metadata, quality: u8) -> ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, quality);
    set_metadata(&mut encoder, metadata)?;
    if let Some(resolution) = metadata.resolution
        && let Some(density) = resolution.to_jfif()
    {
        let unit = match resolution.metres {
            true => PixelDensityUnit::Inches,
            false => PixelDensityUnit::PixelAspectRatio,
        };
        encoder.set_pixel_density(PixelDensity { density, unit });
    }
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
