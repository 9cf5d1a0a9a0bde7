use std::io::Cursor;
use std::ops::Range;

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
use crate::{Metadata, Resolution, Unread};

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
        && !has(bytes, &[Tag::SampleFormat])
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

const ASSOCIATED: u16 = ExtraSamples::AssociatedAlpha.to_u16();
const UNASSOCIATED: u16 = ExtraSamples::UnassociatedAlpha.to_u16();

/// What the samples of a pixel are that are no colour.
fn extra_samples(file: &[u8]) -> Vec<u16> {
    let Ok(mut decoder) = Decoder::new(Cursor::new(file)) else { return Vec::new() };
    decoder.find_tag_unsigned_vec(Tag::ExtraSamples).ok().flatten().unwrap_or_default()
}

/// Whether the colours are multiplied by the alpha channel.
pub(super) fn has_associated_alpha(file: &[u8]) -> bool {
    extra_samples(file).first() == Some(&ASSOCIATED)
}

/// What the first directory holds that is not read, and whether others follow.
pub(crate) fn unread(file: &[u8]) -> Vec<Unread> {
    let extra = extra_samples(file);
    let alpha = matches!(extra.first(), Some(&(ASSOCIATED | UNASSOCIATED)));
    let channels = extra.len() > usize::from(alpha);
    [
        pages(file).then_some(Unread::Pages),
        channels.then_some(Unread::Channels),
        has(file, &DESCRIPTIVE).then_some(Unread::Tags),
        has(file, &[Tag::from_u16_exhaustive(33_723)]).then_some(Unread::Iptc),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// EXIF, the place on earth, and what describes the picture.
const DESCRIPTIVE: [Tag; 12] = [
    Tag::ExifDirectory,
    Tag::GpsDirectory,
    Tag::ImageDescription,
    Tag::Artist,
    Tag::DateTime,
    Tag::Make,
    Tag::Model,
    Tag::Copyright,
    Tag::ModelPixelScaleTag,
    Tag::ModelTiepointTag,
    Tag::ModelTransformationTag,
    Tag::GeoKeyDirectoryTag,
];

/// Whether the first directory has one of these tags.
fn has(file: &[u8], tags: &[Tag]) -> bool {
    Decoder::new(Cursor::new(file)).is_ok_and(|mut decoder| {
        tags.iter().any(|&tag| decoder.image_ifd().directory().contains(tag))
    })
}

/// Bits of `NewSubfileType`.
const REDUCED: u32 = 1;
const MASK: u32 = 4;

fn kind(directory: &mut IfdDecoder<'_>) -> u32 {
    directory.find_tag_unsigned(Tag::NewSubfileType).ok().flatten().unwrap_or(0)
}

/// Whether there is a page beside the first one: neither a smaller copy of it nor a mask.
fn pages(file: &[u8]) -> bool {
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
        let length = directory.length(entry)?;
        let start = directory.values(entry, length)?;
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
        let place = directory.values(directory.entry(tag)?, 8)?;
        Some(f64::from(directory.long(place)?) / f64::from(directory.long(place.checked_add(4)?)?))
    };
    let unit = directory
        .entry(UNIT_TAG)
        .map_or(Some(INCH), |entry| Some(directory.short(directory.values(entry, 2)?)?.into()));
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
        let length = directory.length(entry)?;
        let start = directory.values(entry, length)?;
        let pictures = (0..length / LENGTH).skip(1);
        let kinds =
            pictures.map_while(|picture| directory.long(start.checked_add(picture * LENGTH)?));
        Some(kinds.filter(|kind| kind & CLASS != COPY).count())
    };
    count().unwrap_or(0)
}

/// Has what the EXIF says of rows and of columns change places: sides, and pixels in a length.
pub(crate) fn transpose(exif: &mut [u8]) {
    const EXIF: u16 = 0x8769;
    const SIDES: [u16; 2] = [0xa002, 0xa003];
    const STORED_SIDES: [u16; 2] = [256, 257];
    let mut pairs = Vec::new();
    if let Some(first) = Directory::first(exif) {
        let inner = first.entry(EXIF).and_then(|entry| first.at(first.values(entry, 4)?));
        pairs.extend([STORED_SIDES, [ACROSS_TAG, DOWN_TAG]].map(|tags| first.bodies(tags)));
        pairs.extend(inner.map(|inner| inner.bodies(SIDES)));
    }
    for (across, down) in pairs.into_iter().flatten() {
        for (across, down) in across.zip(down) {
            exif.swap(across, down);
        }
    }
}

/// Lets no directory follow the first one, and nothing be left of the smaller JPEG that the second one leads to.
pub(crate) fn end_after_first(file: &mut Vec<u8>) {
    const START: u16 = 513;
    const LENGTH: u16 = 514;
    let Some(first) = Directory::first(file) else { return };
    let (link, width) = (first.end(), first.width());
    let smaller = || {
        let second = first.at(link)?;
        let number = |tag| Some(second.long(second.values(second.entry(tag)?, 4)?)? as usize);
        let (start, length) = (number(START)?, number(LENGTH)?);
        let place = start..start.checked_add(length)?;
        file.get(place.clone())?.starts_with(&[0xff, 0xd8]).then_some(place)
    };
    let smaller = smaller();
    if let Some(next) = file.get_mut(link..link + width) {
        next.fill(0);
    }
    match smaller {
        Some(place) if place.end == file.len() => file.truncate(place.start),
        Some(place) => file[place].fill(0),
        None => {}
    }
}

/// A directory of a file, with offsets of 32 bits or, in a BigTIFF, of 64.
struct Directory<'a> {
    file: &'a [u8],
    little: bool,
    big: bool,
    start: usize,
    count: usize,
}

impl<'a> Directory<'a> {
    fn first(file: &'a [u8]) -> Option<Self> {
        let (little, big) = match file.get(..4)? {
            [b'I', b'I', kind @ (42 | 43), 0] => (true, *kind == 43),
            [b'M', b'M', 0, kind @ (42 | 43)] => (false, *kind == 43),
            _ => return None,
        };
        let header = Self { file, little, big, start: 0, count: 0 };
        header.at(header.width())
    }

    /// The directory to which the offset at a place leads.
    fn at(&self, place: usize) -> Option<Self> {
        let start = self.offset(place)?;
        let count = if self.big { self.offset(start)? } else { self.short(start)?.into() };
        Some(Self { start, count: count.min(self.file.len() / self.size()), ..*self })
    }

    /// Where the entry of a tag begins.
    fn entry(&self, tag: u16) -> Option<usize> {
        let mut entries = (0..self.count).map(|index| self.place(index));
        entries.find(|&at| self.short(at) == Some(tag))
    }

    /// Where the entry of a number begins.
    fn place(&self, index: usize) -> usize {
        self.start + if self.big { 8 } else { 2 } + index * self.size()
    }

    /// Where the last entry ends, and the offset of the next directory stands.
    fn end(&self) -> usize {
        self.place(self.count)
    }

    /// Bytes of an entry: tag, type, count, value or offset.
    fn size(&self) -> usize {
        4 + 2 * self.width()
    }

    /// Bytes of an offset.
    fn width(&self) -> usize {
        if self.big { 8 } else { 4 }
    }

    /// How many values an entry has.
    fn length(&self, entry: usize) -> Option<usize> {
        self.offset(entry + 4)
    }

    /// Where an entry's values begin, which have so many bytes: within it, if they have room.
    fn values(&self, entry: usize, bytes: usize) -> Option<usize> {
        let place = entry + 4 + self.width();
        if bytes <= self.width() { Some(place) } else { self.offset(place) }
    }

    /// Where type, count and value of two entries lie, both of which are there.
    fn bodies(&self, tags: [u16; 2]) -> Option<(Range<usize>, Range<usize>)> {
        let [first, second] = tags.map(|tag| {
            let entry = self.entry(tag)?;
            self.file.get(entry..entry + self.size()).map(|_| entry + 2..entry + self.size())
        });
        Some((first?, second?))
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes(at)?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes(at)?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn offset(&self, at: usize) -> Option<usize> {
        if !self.big {
            return Some(self.long(at)? as usize);
        }
        let bytes = self.bytes(at)?;
        let number =
            if self.little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) };
        usize::try_from(number).ok()
    }

    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.file.get(at..)?.first_chunk().copied()
    }
}
