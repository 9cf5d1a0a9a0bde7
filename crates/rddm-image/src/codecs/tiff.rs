use std::io::Cursor;

use image::codecs::tiff::TiffDecoder;
use image::error::{EncodingError, ImageFormatHint};
use image::{ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageResult};
use tiff::TiffResult;
use tiff::decoder::Decoder;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{TiffEncoder, TiffValue};
use tiff::tags::{ExtraSamples, Tag};

use super::Abilities;
use crate::Metadata;
use crate::raster::Raster;

/// Offsets in the file have 32 bits.
const LONGEST_BLOCK: usize = i32::MAX as usize;

/// EXIF is a directory among a TIFF file's own, which these codecs can't carry over.
pub(super) const ABILITIES: Abilities = Abilities {
    sixteen: true,
    alpha: true,
    grey: true,
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
    let byte = |bytes: [u8; 1]| bytes[0];
    let written = match raster.color {
        ExtendedColorType::L8 => write::<Gray8, 1>(raster, metadata, byte),
        ExtendedColorType::L16 => write::<Gray16, 2>(raster, metadata, u16::from_ne_bytes),
        ExtendedColorType::Rgb8 => write::<RGB8, 1>(raster, metadata, byte),
        ExtendedColorType::Rgb16 => write::<RGB16, 2>(raster, metadata, u16::from_ne_bytes),
        ExtendedColorType::Rgba8 => write::<RGBA8, 1>(raster, metadata, byte),
        _ => write::<RGBA16, 2>(raster, metadata, u16::from_ne_bytes),
    };
    let format = ImageFormatHint::Exact(ImageFormat::Tiff);
    written.map_err(|error| ImageError::Encoding(EncodingError::new(format, error)))
}

/// The file of samples of `SIZE` bytes.
fn write<C: ColorType, const SIZE: usize>(
    raster: &Raster,
    metadata: &Metadata,
    sample: fn([u8; SIZE]) -> C::Inner,
) -> TiffResult<Vec<u8>>
where
    [C::Inner]: TiffValue,
{
    let mut out = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut out)?;
    let mut picture = encoder.new_image::<C>(raster.width, raster.height)?;
    let directory = picture.encoder();
    if C::BITS_PER_SAMPLE.len() == 4 {
        let kinds = [ExtraSamples::UnassociatedAlpha.to_u16()];
        directory.write_tag(Tag::ExtraSamples, &kinds[..])?;
    }
    for (tag, block) in [(ICC_TAG, &metadata.icc), (XMP_TAG, &metadata.xmp)] {
        if let Some(block) = block {
            directory.write_tag(Tag::from_u16_exhaustive(tag), block.as_slice())?;
        }
    }
    let mut rest = raster.samples.as_chunks::<SIZE>().0;
    while picture.next_strip_sample_count() > 0 {
        let (strip, after) = rest.split_at(picture.next_strip_sample_count() as usize);
        let strip: Vec<C::Inner> = strip.iter().map(|&bytes| sample(bytes)).collect();
        picture.write_strip(&strip)?;
        rest = after;
    }
    picture.finish()?;
    Ok(out.into_inner())
}

/// Whether the colours are multiplied by the alpha channel.
pub(super) fn has_associated_alpha(file: &[u8]) -> bool {
    let Ok(mut decoder) = Decoder::new(Cursor::new(file)) else { return false };
    let kinds = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten();
    kinds.is_some_and(|kinds| kinds.first() == Some(&ExtraSamples::AssociatedAlpha.to_u16()))
}

/// Whether the first directory has EXIF, GPS, or a tag that describes the picture.
pub(crate) fn tags(file: &[u8]) -> bool {
    let Ok(mut decoder) = Decoder::new(Cursor::new(file)) else { return false };
    let tags = decoder.image_ifd();
    [
        Tag::ExifDirectory,
        Tag::GpsDirectory,
        Tag::ImageDescription,
        Tag::Artist,
        Tag::DateTime,
        Tag::Make,
        Tag::Model,
        Tag::Copyright,
    ]
    .into_iter()
    .any(|tag| tags.directory().contains(tag))
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

/// Lets no directory follow the first one.
pub(crate) fn end_after_first(file: &mut [u8]) {
    let Some(directory) = Directory::first(file) else { return };
    let next = directory.start + 2 + directory.count * ENTRY;
    if let Some(next) = file.get_mut(next..next + 4) {
        next.fill(0);
    }
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
}
