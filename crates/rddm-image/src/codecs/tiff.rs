use std::io::Cursor;

use image::codecs::tiff::TiffDecoder;
use image::error::{EncodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind};
use image::{ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageResult};
use tiff::TiffResult;
use tiff::decoder::{Decoder, IfdDecoder};
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{Rational, TiffEncoder, TiffValue};
use tiff::tags::{ExtraSamples, ResolutionUnit, Tag};

use super::Abilities;
use crate::raster::Raster;
use crate::{Metadata, Resolution};

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
    if is_raw(bytes) {
        return Err(unsupported(
            "it is a camera's RAW file, or begins with a smaller copy of its picture as these do: develop it first, and restore the \
             PNG or TIFF file that comes of it",
        ));
    }
    let decoder = TiffDecoder::new(Cursor::new(bytes))?;
    // The codec takes all samples of so many bits for floating-point numbers where nothing is said of them.
    if decoder.color_type().bytes_per_pixel() == 4 * decoder.color_type().channel_count()
        && !says_sample_format(bytes)
    {
        return Err(unsupported("its samples are whole numbers of 32 bits: save it with 16 bits"));
    }
    if decoder.color_type().channel_count() > 1 && has_planes_in_cut_tiles(bytes) {
        return Err(unsupported(
            "its colours lie apart, in tiles that go on below the picture: save it without tiles, or with the colours of each pixel \
             together",
        ));
    }
    Ok(Box::new(decoder))
}

fn unsupported(what: &str) -> ImageError {
    let kind = UnsupportedErrorKind::GenericFeature(what.to_owned());
    let format = ImageFormat::Tiff.into();
    ImageError::Unsupported(UnsupportedError::from_format_and_kind(format, kind))
}

/// Whether each channel has tiles of its own, the last of which are larger than what the picture has left for them: of all channels
/// but the first, the codec takes them for whole ones.
fn has_planes_in_cut_tiles(file: &[u8]) -> bool {
    const APART: u32 = 2;
    let Ok(mut decoder) = Decoder::new(Cursor::new(file)) else { return false };
    let mut tag = |tag| decoder.find_tag_unsigned::<u32>(tag).ok().flatten();
    tag(Tag::PlanarConfiguration) == Some(APART)
        && match (tag(Tag::ImageLength), tag(Tag::TileLength)) {
            (Some(height), Some(tile)) => tile == 0 || height % tile != 0,
            _ => false,
        }
}

fn says_sample_format(file: &[u8]) -> bool {
    Decoder::new(Cursor::new(file))
        .is_ok_and(|mut decoder| decoder.image_ifd().directory().contains(Tag::SampleFormat))
}

/// Whether the first directory has a preview alone, and another one the picture.
fn is_raw(file: &[u8]) -> bool {
    const DNG_VERSION: u16 = 50_706;
    const COLOUR_FILTER_ARRAY: u32 = 32_803;
    let Ok(mut decoder) = Decoder::new(Cursor::new(file)) else { return false };
    let mut first = decoder.image_ifd();
    first.directory().contains(Tag::from_u16_exhaustive(DNG_VERSION))
        || kind(&mut first) & REDUCED != 0
        || file.get(8..10) == Some(b"CR")
        || any_other(&mut decoder, |mut other| {
            let colours = other.find_tag_unsigned(Tag::PhotometricInterpretation);
            colours.ok().flatten() == Some(COLOUR_FILTER_ARRAY)
        })
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
    if let Some(resolution) = metadata.resolution {
        let [across, down] = resolution.to_tiff().map(|(n, d)| Rational { n, d });
        picture.x_resolution(across);
        picture.y_resolution(down);
        picture.resolution_unit(match resolution.metres {
            true => ResolutionUnit::Inch,
            false => ResolutionUnit::None,
        });
    }
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

/// Bits of `NewSubfileType`.
const REDUCED: u32 = 1;
const MASK: u32 = 4;

fn kind(directory: &mut IfdDecoder<'_>) -> u32 {
    directory.find_tag_unsigned(Tag::NewSubfileType).ok().flatten().unwrap_or(0)
}

/// Whether there is a page beside the first one: neither a smaller copy of it nor a mask.
pub(crate) fn pages(file: &[u8]) -> bool {
    let Ok(mut decoder) = Decoder::new(Cursor::new(file)) else { return false };
    any_other(&mut decoder, |mut other| kind(&mut other) & (REDUCED | MASK) == 0)
}

/// Whether something holds for a directory that follows the first one, or that it leads to (`SubIFDs`).
fn any_other(
    decoder: &mut Decoder<Cursor<&[u8]>>,
    mut holds: impl FnMut(IfdDecoder<'_>) -> bool,
) -> bool {
    /// A file that leads to more of them may lead in circles.
    const MOST: usize = 100;
    let inner = decoder.find_tag(Tag::SubIfd).ok().flatten();
    let mut places = inner.and_then(|value| value.into_ifd_vec().ok()).unwrap_or_default();
    places.extend(decoder.image_ifd().directory().next());
    for _ in 0..MOST {
        let Some(place) = places.pop() else { break };
        let Ok(directory) = decoder.read_directory(place) else { continue };
        if holds(decoder.read_directory_tags(&directory)) {
            return true;
        }
        places.extend(directory.next());
    }
    false
}

/// The blocks of the first directory, as the file holds them. The codec's own access makes a value
/// of 32 bytes of each byte, so a large profile would cost more than the picture.
pub(super) fn metadata(file: &[u8]) -> Metadata {
    let block = |tag| {
        let directory = Directory::first(file)?;
        let entry = directory.entry(tag)?;
        if !matches!(directory.short(entry + 2)?, BYTE | ASCII | UNDEFINED) {
            return None;
        }
        let length = directory.long(entry + 4)? as usize;
        let start = if length <= 4 { entry + 8 } else { directory.long(entry + 8)? as usize };
        file.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
    };
    let resolution = resolution(file);
    Metadata { icc: block(ICC_TAG), xmp: block(XMP_TAG), resolution, ..Metadata::default() }
}

/// What the first directory says of its pixels' size.
fn resolution(file: &[u8]) -> Option<Resolution> {
    /// The unit where none is named.
    const INCH: u32 = 2;
    let directory = Directory::first(file)?;
    let fraction = |tag| {
        let place = directory.long(directory.entry(tag)? + 8)? as usize;
        Some(f64::from(directory.long(place)?) / f64::from(directory.long(place + 4)?))
    };
    let unit = directory
        .entry(UNIT_TAG)
        .map_or(Some(INCH), |entry| Some(directory.short(entry + 8)?.into()));
    Resolution::from_tiff(unit?, [fraction(ACROSS_TAG)?, fraction(DOWN_TAG)?])
}

const ACROSS_TAG: u16 = 282;
const DOWN_TAG: u16 = 283;
const UNIT_TAG: u16 = 296;
const XMP_TAG: u16 = 700;
const ICC_TAG: u16 = 34_675;
const BYTE: u16 = 1;
const ASCII: u16 = 2;
const UNDEFINED: u16 = 7;
/// Tag, type, count, value or offset.
const ENTRY: usize = 12;

/// The pictures in a file whose list of them (CIPA DC-007, `MPF`) begins here, but for the first one and smaller copies of it.
pub(crate) fn further_pictures(list: &[u8]) -> usize {
    const ENTRIES: u16 = 0xb002;
    const LENGTH: usize = 16;
    /// The type of a picture, in the lower bits of its attributes, and the class of types that are smaller copies.
    const CLASS: u32 = 0x00ff_0000;
    const COPY: u32 = 0x0001_0000;
    let count = || {
        let directory = Directory::first(list)?;
        let entry = directory.entry(ENTRIES)?;
        let (length, start) = (directory.long(entry + 4)?, directory.long(entry + 8)?);
        let pictures = (0..length as usize / LENGTH).skip(1);
        let kinds = pictures.map_while(|picture| directory.long(start as usize + picture * LENGTH));
        Some(kinds.filter(|kind| kind & CLASS != COPY).count())
    };
    count().unwrap_or(0)
}

/// Has the EXIF's width and height change places.
pub(crate) fn transpose(exif: &mut [u8]) {
    const EXIF: u16 = 0x8769;
    const SIDES: [u16; 2] = [0xa002, 0xa003];
    let places = || {
        let first = Directory::first(exif)?;
        let within = first.at(first.entry(EXIF)? + 8)?;
        let [width, height] = SIDES.map(|side| within.entry(side));
        // Type, count and value.
        Some((width? + 2, height? + 2)).filter(|(a, b)| a.max(b) + ENTRY - 2 <= exif.len())
    };
    let Some((width, height)) = places() else { return };
    for byte in 0..ENTRY - 2 {
        exif.swap(width + byte, height + byte);
    }
}

/// Lets no directory follow the first one.
pub(crate) fn end_after_first(file: &mut [u8]) {
    let Some(directory) = Directory::first(file) else { return };
    let next = directory.start + 2 + directory.count * ENTRY;
    if let Some(next) = file.get_mut(next..next + 4) {
        next.fill(0);
    }
}

/// A directory of a file with offsets of 32 bits.
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
        Self { file, little, start: 0, count: 0 }.at(4)
    }

    /// The directory to which the number at a place leads.
    fn at(&self, place: usize) -> Option<Self> {
        let start = self.long(place)? as usize;
        let count = usize::from(self.short(start)?);
        Some(Self { start, count, ..*self })
    }

    /// Where the entry of a tag begins.
    fn entry(&self, tag: u16) -> Option<usize> {
        self.entries().find(|&at| self.short(at) == Some(tag))
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
