use std::io::Cursor;

use image::codecs::tiff::{TiffDecoder, TiffEncoder};
use image::{ImageDecoder, ImageEncoder, ImageResult};
use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::{Abilities, set_metadata};
use crate::Metadata;
use crate::raster::Raster;

/// Offsets in the file have 32 bits.
const LONGEST_BLOCK: usize = i32::MAX as usize;

/// EXIF is a directory among a TIFF file's own, which these codecs can't carry over.
pub(super) const ABILITIES: Abilities = Abilities {
    sixteen: true,
    alpha: true,
    grey_alpha: false,
    exif: 0,
    icc: LONGEST_BLOCK,
    xmp: LONGEST_BLOCK,
    side: i32::MAX as u32,
};

pub(super) fn decoder<'a>(bytes: &'a [u8]) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    Ok(Box::new(TiffDecoder::new(Cursor::new(bytes))?))
}

pub(super) fn encode(raster: &Raster, metadata: &Metadata) -> ImageResult<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut out);
    set_metadata(&mut encoder, metadata)?;
    encoder.write_image(&raster.samples, raster.width, raster.height, raster.color)?;
    let mut out = out.into_inner();
    if let Some(xmp) = &metadata.xmp {
        add_xmp(&mut out, xmp);
    }
    Ok(out)
}

/// Whether a page follows the first one: neither a smaller copy of it nor a mask.
pub(crate) fn pages(file: &[u8]) -> bool {
    /// Bits of `NewSubfileType`.
    const REDUCED: u32 = 1;
    const MASK: u32 = 4;
    let Ok(mut decoder) = Decoder::new(Cursor::new(file)) else { return false };
    while decoder.more_images() && decoder.next_image().is_ok() {
        let kind = decoder.find_tag_unsigned(Tag::NewSubfileType).ok().flatten().unwrap_or(0);
        if kind & (REDUCED | MASK) == 0 {
            return true;
        }
    }
    false
}

/// The blocks of the first directory, as the file holds them. The codec's own access makes a value
/// of 32 bytes of each byte, so a large profile would cost more than the picture.
pub(super) fn metadata(file: &[u8]) -> Metadata {
    let block = |tag| {
        let directory = Directory::first(file)?;
        let entry = directory.entries().find(|&at| directory.short(at) == Some(tag))?;
        if !matches!(directory.short(entry + 2)?, BYTE | ASCII | UNDEFINED) {
            return None;
        }
        let length = directory.long(entry + 4)? as usize;
        let start = if length <= 4 { entry + 8 } else { directory.long(entry + 8)? as usize };
        file.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
    };
    Metadata { icc: block(ICC_TAG), xmp: block(XMP_TAG), exif: None }
}

const XMP_TAG: u16 = 700;
const ICC_TAG: u16 = 34_675;
const BYTE: u16 = 1;
const ASCII: u16 = 2;
const UNDEFINED: u16 = 7;
/// Tag, type, count, value or offset.
const ENTRY: usize = 12;

/// Appends the packet and a copy of the directory with an entry for it, and points the header
/// there.
fn add_xmp(file: &mut Vec<u8>, xmp: &[u8]) {
    let Some((tail, directory)) = tail_with_xmp(file, xmp) else { return };
    file.extend(tail);
    file[4..8].copy_from_slice(&directory);
}

fn tail_with_xmp(file: &[u8], xmp: &[u8]) -> Option<(Vec<u8>, [u8; 4])> {
    let directory = Directory::first(file)?;
    let first = directory.start + 2;
    let before = directory.entries().filter(|&at| directory.short(at) < Some(XMP_TAG)).count();
    let split = first + before * ENTRY;
    let end = first + directory.count * ENTRY + 4;

    let mut tail = vec![0; file.len() % 2];
    let packet = u32::try_from(file.len() + tail.len()).ok()?;
    tail.extend_from_slice(xmp);
    tail.resize(tail.len() + xmp.len() % 2, 0);
    let place = u32::try_from(file.len() + tail.len()).ok()?;
    tail.extend(directory.short_bytes(u16::try_from(directory.count + 1).ok()?));
    tail.extend_from_slice(file.get(first..split)?);
    tail.extend(directory.short_bytes(XMP_TAG));
    tail.extend(directory.short_bytes(BYTE));
    tail.extend(directory.long_bytes(u32::try_from(xmp.len()).ok()?));
    tail.extend(directory.long_bytes(packet));
    tail.extend_from_slice(file.get(split..end)?);
    Some((tail, directory.long_bytes(place)))
}

/// The first directory of a file with offsets of 32 bits.
struct Directory<'a> {
    file: &'a [u8],
    little: bool,
    start: usize,
    count: usize,
}

impl<'a> Directory<'a> {
    fn first(file: &'a [u8]) -> Option<Self> {
        let little = match file.get(..4)? {
            [b'I', b'I', 42, 0] => true,
            [b'M', b'M', 0, 42] => false,
            _ => return None,
        };
        let mut directory = Self { file, little, start: 0, count: 0 };
        directory.start = directory.long(4)? as usize;
        directory.count = usize::from(directory.short(directory.start)?);
        Some(directory)
    }

    /// Where each entry begins.
    fn entries(&self) -> impl Iterator<Item = usize> {
        let first = self.start + 2;
        (0..self.count).map(move |index| first + index * ENTRY)
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = self.file.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = self.file.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn short_bytes(&self, value: u16) -> [u8; 2] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn long_bytes(&self, value: u32) -> [u8; 4] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}
