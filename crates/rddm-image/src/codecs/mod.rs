//! One file a format; this one chooses among them.

mod bmp;
mod jpeg;
mod png;
mod tiff;
mod webp;

pub(crate) use self::bmp::unread as bmp_unread;
pub(crate) use self::jpeg::unread as jpeg_unread;
pub(crate) use self::png::{
    carried as png_carried, chunks_of as png_chunks,
    has_metadata_behind_pixels as png_metadata_behind_pixels,
    has_other_colours as png_has_other_colours, unread as png_unread, xmp_body as png_xmp,
};
pub(crate) use self::tiff::{
    end_after_first as end_after_first_directory, transpose as transpose_exif,
    unread as tiff_unread,
};
pub(crate) use self::webp::unread as webp_unread;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, ImageResult, Limits};

use crate::raster::Raster;
use crate::{EncodeOptions, Format, Metadata};

/// What a format can hold.
pub(crate) struct Abilities {
    pub(crate) sixteen: bool,
    pub(crate) alpha: bool,
    /// One channel of colour, alone and with an alpha channel; where not, grey is held as colour.
    pub(crate) grey: bool,
    pub(crate) grey_alpha: bool,
    /// Longest blocks of metadata; 0 where the format has no place for them.
    pub(crate) exif: usize,
    pub(crate) icc: usize,
    pub(crate) xmp: usize,
    /// Longest side in pixels.
    pub(crate) side: u32,
}

pub(crate) fn abilities(format: Format) -> &'static Abilities {
    match format {
        Format::Png => &png::ABILITIES,
        Format::Jpeg => &jpeg::ABILITIES,
        Format::WebP => &webp::ABILITIES,
        Format::Tiff => &tiff::ABILITIES,
        Format::Bmp => &bmp::ABILITIES,
    }
}

/// Bytes that decoding takes for each value of the picture beside the samples that it returns.
pub(crate) fn scratch_bytes(format: Format) -> u64 {
    match format {
        Format::Png | Format::Bmp => 0,
        // Coefficients of a progressive file.
        Format::Jpeg => 2,
        // Planes of luma and chroma, or the lossless argb buffer.
        Format::WebP => 2,
        // The decoder's own copy of the samples.
        Format::Tiff => 4,
    }
}

pub(crate) fn decoder<'a>(
    format: Format,
    bytes: &'a [u8],
    limits: Limits,
) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    match format {
        Format::Png => png::decoder(bytes, limits),
        Format::Jpeg => jpeg::decoder(bytes),
        Format::WebP => webp::decoder(bytes),
        Format::Tiff => tiff::decoder(bytes),
        Format::Bmp => bmp::decoder(bytes),
    }
}

/// Why a file is refused that a codec would read with something else for what it lacks.
fn cut_off() -> ImageError {
    let problem = "its end is missing, and a part of the picture with it; get the whole file, or save it anew in a program that \
                   shows it whole";
    std::io::Error::new(std::io::ErrorKind::UnexpectedEof, problem).into()
}

/// The blocks of metadata as the file holds them, and how the picture is to be turned. What can't be
/// read counts as absent.
pub(crate) fn metadata(
    format: Format,
    bytes: &[u8],
    decoder: &mut dyn ImageDecoder,
) -> (Metadata, Orientation) {
    let metadata = match format {
        Format::Png => {
            let (before, behind) = (decoders_own(decoder), png::metadata_behind_pixels(bytes));
            let (exif, xmp) = (before.exif.or(behind.exif), before.xmp.or(behind.xmp));
            let (png, resolution) = png::carried(Cursor::new(bytes));
            Metadata { exif, xmp, icc: before.icc, png, resolution }
        }
        Format::Jpeg => Metadata { resolution: jpeg::resolution(bytes), ..decoders_own(decoder) },
        Format::WebP => webp::metadata(bytes),
        Format::Tiff => {
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            return (tiff::metadata(bytes), orientation);
        }
        Format::Bmp => Metadata { resolution: bmp::resolution(bytes), ..Metadata::default() },
    };
    upright(metadata)
}

/// The blocks that the codec has found itself.
fn decoders_own(decoder: &mut dyn ImageDecoder) -> Metadata {
    Metadata {
        exif: decoder.exif_metadata().ok().flatten(),
        icc: decoder.icc_profile().ok().flatten(),
        xmp: decoder.xmp_metadata().ok().flatten(),
        ..Metadata::default()
    }
}

/// Whether the file's colours are multiplied by their alpha.
pub(crate) fn has_multiplied_colours(format: Format, bytes: &[u8]) -> bool {
    format == Format::Tiff && tiff::has_associated_alpha(bytes)
}

/// The blocks without what stands in front of some EXIF blocks, and how the picture is to be turned.
pub(crate) fn upright(metadata: Metadata) -> (Metadata, Orientation) {
    let exif = metadata.exif.map(without_prefix);
    let orientation = exif.as_deref().and_then(Orientation::from_exif_chunk);
    (Metadata { exif, ..metadata }, orientation.unwrap_or(Orientation::NoTransforms))
}

fn without_prefix(exif: Vec<u8>) -> Vec<u8> {
    match exif.strip_prefix(b"Exif\0\0") {
        Some(rest) => rest.to_vec(),
        None => exif,
    }
}

/// The bytes of a file. The raster and the metadata fit the format's abilities.
pub(crate) fn encode(
    format: Format,
    raster: &Raster,
    metadata: &Metadata,
    options: &EncodeOptions,
) -> ImageResult<Vec<u8>> {
    match format {
        Format::Png => png::encode(raster, metadata),
        Format::Jpeg => jpeg::encode(raster, metadata, options.quality),
        Format::WebP => webp::encode(raster, metadata),
        Format::Tiff => tiff::encode(raster, metadata),
        Format::Bmp => bmp::encode(raster, metadata),
    }
}

/// Hands the blocks that the encoder itself writes to it.
fn set_metadata(encoder: &mut impl image::ImageEncoder, metadata: &Metadata) -> ImageResult<()> {
    if let Some(icc) = &metadata.icc {
        encoder.set_icc_profile(icc.clone()).map_err(image::ImageError::Unsupported)?;
    }
    if let Some(exif) = &metadata.exif {
        encoder.set_exif_metadata(exif.clone()).map_err(image::ImageError::Unsupported)?;
    }
    Ok(())
}
