use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;

use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::{ImageDecoder, ImageEncoder, ImageResult, Limits};

use super::{Abilities, set_metadata};
use crate::picture::PngChunk;
use crate::raster::Raster;
use crate::{Metadata, Resolution, Unread};

/// A chunk's length is a signed 32-bit number, and its header takes some of it.
const LONGEST_CHUNK: usize = i32::MAX as usize - 64;

pub(super) const ABILITIES: Abilities = Abilities {
    sixteen: true,
    alpha: true,
    grey: true,
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
    let mut more: Vec<u8> =
        chunks_of(metadata).iter().flat_map(|(kind, body)| chunk(*kind, body)).collect();
    if let Some(xmp) = &metadata.xmp {
        more.extend(chunk(*b"iTXt", &xmp_body(xmp)));
    }
    out.splice(AFTER_HEADER..AFTER_HEADER, more);
    Ok(out)
}

/// The chunks that are written before the pixels, but for those of the codec and the packet.
pub(crate) fn chunks_of(metadata: &Metadata) -> Vec<PngChunk> {
    let resolution = metadata.resolution.map(|resolution| (*RESOLUTION, resolution.to_png()));
    metadata.png.iter().cloned().chain(resolution).collect()
}

/// What a file holds that is not read, which only the heads of its chunks and what follows its end tell. An animation's `acTL`
/// chunk, which stands before the pixels, has the number of its frames.
pub(crate) fn unread(mut file: impl Read + Seek) -> Vec<Unread> {
    /// What is carried, and what programs write of themselves.
    const OTHERS: [&[u8]; 3] = [XMP_NAME, b"Software\0", b"date:"];
    let (mut frames, mut texts, mut pixels) = (false, false, false);
    for Chunk { kind, begin, .. } in chunks(&mut file) {
        match &kind {
            PIXELS => pixels = true,
            b"acTL" if !pixels => {
                let [a, b, c, d, ..] = begin;
                frames |= u32::from_be_bytes([a, b, c, d]) > 1;
            }
            b"tEXt" | b"zTXt" | b"iTXt" => {
                texts |= !OTHERS.iter().any(|other| begin.starts_with(other))
            }
            _ => {}
        }
    }
    // The end's checksum is left; where there is no end, nothing is.
    let behind = file.seek_relative(CHECKSUM as i64).ok().and_then(|()| Unread::behind(file));
    let frames = frames.then_some(Unread::Frames);
    [frames, behind, texts.then_some(Unread::Texts)].into_iter().flatten().collect()
}

/// The chunks before the pixels that are carried from file to file as they are, the first one of each kind, and the resolution.
pub(crate) fn carried(mut file: impl Read + Seek) -> (Vec<PngChunk>, Option<Resolution>) {
    /// How colours and sides of pixels are meant, and the bytes of each.
    const KINDS: [(&[u8; 4], usize); 5] =
        [(b"cICP", 4), (b"sRGB", 1), (b"gAMA", 4), (b"cHRM", 32), (RESOLUTION, 9)];
    let mut found: Vec<Chunk> = Vec::new();
    for chunk in chunks(&mut file).take_while(|chunk| chunk.kind != *PIXELS) {
        if KINDS.contains(&(&chunk.kind, chunk.body.len()))
            && found.iter().all(|earlier| earlier.kind != chunk.kind)
        {
            found.push(chunk);
        }
    }
    let read = found.into_iter().map(|chunk| {
        let mut body = vec![0; chunk.body.len()];
        file.seek(SeekFrom::Start(chunk.body.start as u64)).ok()?;
        file.read_exact(&mut body).ok()?;
        Some((chunk.kind, body))
    });
    let (resolution, kept): (Vec<PngChunk>, _) =
        read.flatten().partition(|(kind, _)| kind == RESOLUTION);
    (kept, resolution.first().and_then(|(_, body)| Resolution::from_png(body)))
}

/// Whether carried chunks say that colours are other than sRGB's, whose curve is nearly that of the exponent 1 / 2.2. `cICP` counts
/// before a profile, which counts before `sRGB`, and that before `gAMA`.
pub(crate) fn has_other_colours(chunks: &[PngChunk], profile: bool) -> bool {
    const SRGB: [u8; 2] = [1, 13];
    const GAMMA: u32 = 45_455;
    const NEAR: u32 = 500;
    let of = |name: &[u8; 4]| chunks.iter().find(|(kind, _)| kind == name).map(|(_, body)| body);
    if let Some(points) = of(b"cICP") {
        return !points.starts_with(&SRGB);
    }
    let gamma = of(b"gAMA").filter(|_| !profile && of(b"sRGB").is_none());
    let gamma = gamma.and_then(|body| Some(u32::from_be_bytes(*body.first_chunk()?)));
    gamma.is_some_and(|gamma| gamma.abs_diff(GAMMA) > NEAR)
}

/// Whether EXIF or an XMP packet stands behind the pixels of a file, which is read from its start; only the heads of its chunks
/// are read.
pub(crate) fn has_metadata_behind_pixels(file: impl Read + Seek) -> bool {
    behind_pixels(file).next().is_some()
}

/// EXIF and the XMP packet that stand behind the pixels, where the codec does not look; a packed packet counts as absent.
pub(super) fn metadata_behind_pixels(file: &[u8]) -> Metadata {
    let mut metadata = Metadata::default();
    for chunk in behind_pixels(Cursor::new(file)) {
        let Some(body) = file.get(chunk.body) else { break };
        if chunk.kind == *EXIF {
            metadata.exif.get_or_insert_with(|| body.to_vec());
        } else if let (None, Some(packet)) = (&metadata.xmp, packet(body)) {
            metadata.xmp = Some(packet.to_vec());
        }
    }
    metadata
}

fn behind_pixels(file: impl Read + Seek) -> impl Iterator<Item = Chunk> {
    let packet = |chunk: &Chunk| chunk.kind == *b"iTXt" && chunk.begin == *XMP_NAME;
    chunks(file)
        .skip_while(|chunk| chunk.kind != *PIXELS)
        .filter(move |chunk| chunk.kind == *EXIF || packet(chunk))
}

/// A chunk as its head describes it.
struct Chunk {
    kind: [u8; 4],
    /// The first bytes of its body; zeros behind a shorter one.
    begin: [u8; XMP_NAME.len()],
    /// Where its body lies in the file.
    body: Range<usize>,
}

const PIXELS: &[u8; 4] = b"IDAT";
const EXIF: &[u8; 4] = b"eXIf";
const RESOLUTION: &[u8; 4] = b"pHYs";

/// The chunks between the header chunk and the end, which is also where a file breaks off.
fn chunks(mut file: impl Read + Seek) -> impl Iterator<Item = Chunk> {
    let mut skip = AFTER_HEADER as i64;
    let mut at = AFTER_HEADER;
    std::iter::from_fn(move || {
        file.seek_relative(skip).ok()?;
        let mut head = [0; 8];
        file.read_exact(&mut head).ok()?;
        let [a, b, c, d, kind @ ..] = head;
        let length = u32::from_be_bytes([a, b, c, d]);
        let mut begin = [0; XMP_NAME.len()];
        let shown = begin.len().min(length as usize);
        file.read_exact(&mut begin[..shown]).ok()?;
        skip = i64::from(length) - shown as i64 + CHECKSUM as i64;
        let start = at.checked_add(head.len())?;
        let body = start..start.checked_add(length as usize)?;
        at = body.end.checked_add(CHECKSUM)?;
        Some(Chunk { kind, begin, body })
    })
    .take_while(|chunk| chunk.kind != *b"IEND")
}

/// The signature and the header chunk.
const AFTER_HEADER: usize = 8 + 4 + 4 + 13 + CHECKSUM;
const CHECKSUM: usize = 4;
/// What an `iTXt` chunk of a packet begins with: its keyword.
const XMP_NAME: &[u8; 18] = b"XML:com.adobe.xmp\0";

/// The packet that an `iTXt` chunk holds behind the keyword, whether it is packed, how, its language and the translated keyword.
fn packet(body: &[u8]) -> Option<&[u8]> {
    let [0, _, texts @ ..] = body.get(XMP_NAME.len()..)? else { return None };
    texts.splitn(3, |&byte| byte == 0).nth(2)
}

/// What an `iTXt` chunk of a packet holds, in the form that the XMP specification asks for:
/// uncompressed.
pub(crate) fn xmp_body(xmp: &[u8]) -> Vec<u8> {
    [&XMP_NAME[..], &[0; 4], xmp].concat()
}

fn chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    let checked = [&kind, body].concat();
    [&length[..], &checked, &crc32fast::hash(&checked).to_be_bytes()].concat()
}
