use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use image::ImageDecoder;

use crate::{
    Error, ErrorKind, Format, Header, Limits, Metadata, Picture, Unread, codecs, format, header,
    orient, raster,
};

/// Reads a picture from a file; see [`decode`].
///
/// # Errors
/// [`ErrorKind::Io`] where the file can't be read, and those of [`decode`], each naming the file.
pub fn read(path: impl AsRef<Path>, limits: &Limits) -> Result<Picture, Error> {
    let path = path.as_ref();
    let bytes = contents(path, limits).map_err(|error| error.at(path))?;
    decode(&bytes, limits).map_err(|error| error.at(path))
}

/// Decodes the contents of a PNG, JPEG, WebP, TIFF or BMP file.
///
/// A palette and fewer than 8 bits become 8 bits, floating-point values 16. The EXIF orientation is
/// applied and removed, and smaller pictures in EXIF and XMP are removed. CMYK becomes RGB by the plain
/// formula, and its ICC profile, which no longer fits, is left out. Colours that a TIFF holds
/// multiplied by their alpha are divided by it. Of an animation or a file of several pages, the
/// first picture is read; [`Picture::unread`] says so, and what else is not read.
///
/// # Errors
/// [`ErrorKind::UnknownFormat`], [`ErrorKind::Unsupported`] and [`ErrorKind::Corrupt`] say what is
/// wrong with the contents, [`ErrorKind::Limit`] that they would cost more than `limits` allow.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, Error> {
    guarded(|| decode_trusting(bytes, limits))
}

/// What a file holds, without decoding its pixels.
pub(crate) fn header_of(bytes: &[u8], limits: &Limits) -> Result<Header, Error> {
    guarded(|| {
        let format = Format::from_contents(bytes).ok_or_else(|| format::unknown(bytes))?;
        let head = head_limits(limits, limits.memory.saturating_sub(bytes.len() as u64));
        let mut decoder =
            codecs::decoder(format, bytes, head).map_err(|error| from_codec(format, error))?;
        let (_, orientation) = codecs::metadata(format, bytes, decoder.as_mut());
        let mut header = Header::of(format, decoder.as_ref(), orientation, bytes.len() as u64)?;
        header.unread = Unread::of(format, bytes);
        Ok(header)
    })
}

/// Runs codecs, which promise not to panic. A file that makes one break its promise is still only an error, of which the panic's own
/// text says nothing.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                told(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    QUIET.set(before);
    read.unwrap_or_else(|_| {
        let text = "the codec gave up on this file: it is broken, or of a kind that can't be read";
        Err(Error::new(ErrorKind::Corrupt, text))
    })
}

/// Most bytes that a codec may take for some rows while it reads a file's head, beside the three
/// kinds of metadata, which may be packed.
const ROWS: u64 = 64 << 20;

fn head_limits(limits: &Limits, spare: u64) -> image::Limits {
    let mut head = image::Limits::no_limits();
    head.max_alloc = Some(spare.min(limits.metadata.saturating_mul(3).saturating_add(ROWS)));
    head
}

fn decode_trusting(bytes: &[u8], limits: &Limits) -> Result<Picture, Error> {
    check_file_size(bytes.len() as u64, limits)?;
    let format = Format::from_contents(bytes).ok_or_else(|| format::unknown(bytes))?;
    let spare = limits.memory.saturating_sub(bytes.len() as u64);
    let mut codec_limits = image::Limits::no_limits();
    codec_limits.max_alloc = Some(spare);
    let failed = |error| from_codec(format, error);
    let mut decoder = codecs::decoder(format, bytes, head_limits(limits, spare)).map_err(failed)?;
    check_memory(decoder.as_ref(), format, spare)?;
    let (mut metadata, orientation) = codecs::metadata(format, bytes, decoder.as_mut());
    check_metadata(&metadata, limits)?;
    metadata.forget_stored_pixels();
    // Before the pixels are in memory: a TIFF's tags may be long.
    let multiplied = codecs::has_multiplied_colours(format, bytes);
    let mut unread = Unread::of(format, bytes);
    if orient::transposes(orientation) {
        metadata.transpose();
    }

    decoder.set_limits(codec_limits).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let mut samples = raster::try_zeroed(decoder.total_bytes())?;
    decoder.read_image(&mut samples).map_err(failed)?;
    let (mut pixels, alpha, depth) =
        raster::planes(&samples, color, width as usize, height as usize)?;
    unread.extend(raster::bright(&samples, color).map(Unread::Bright));
    drop(samples);
    if let (true, Some(alpha)) = (multiplied, &alpha) {
        raster::divide(&mut pixels, alpha);
    }

    metadata.keep_fitting_profile(pixels.dim().0);
    let mut picture = Picture { pixels, alpha, depth, metadata, format: Some(format), unread };
    orient::apply(&mut picture, orientation);
    Ok(picture)
}

pub(crate) fn contents(path: &Path, limits: &Limits) -> Result<Vec<u8>, Error> {
    let (file, length) = open(path, limits)?;
    // A pipe or a file that grows has no size to trust, so the reading itself is cut, too.
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length as usize).map_err(|_| raster::no_memory(length))?;
    file.take(limits.file.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// A file that is not larger than allowed, and its size.
pub(crate) fn open(path: &Path, limits: &Limits) -> Result<(File, u64), Error> {
    let file = File::open(path).map_err(unreadable)?;
    let data = file.metadata().map_err(unreadable)?;
    if data.is_dir() {
        return Err(Error::new(ErrorKind::Io, "is a folder, not a picture"));
    }
    check_file_size(data.len(), limits)?;
    Ok((file, data.len()))
}

pub(crate) fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("can't be read: {error}")).because(error)
}

fn check_file_size(bytes: u64, limits: &Limits) -> Result<(), Error> {
    if bytes > limits.file {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("the file has {bytes} bytes or more and the limit is {}", limits.file),
        ));
    }
    Ok(())
}

fn check_memory(decoder: &dyn ImageDecoder, format: Format, spare: u64) -> Result<(), Error> {
    let (width, height) = decoder.dimensions();
    header::check_sides(width.into(), height.into())?;
    let channels = u64::from(decoder.color_type().channel_count());
    let values = (u64::from(width) * u64::from(height)).saturating_mul(channels);
    let sample = u64::from(decoder.color_type().bytes_per_pixel()) / channels;
    let peak = peak(format, values, sample);
    if peak > spare {
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(Error::new(
            ErrorKind::Limit,
            format!(
                "{width}×{height} pixels would take {} MiB to decode and {} MiB are allowed: raise the memory limit or make the picture smaller",
                mebibytes(peak),
                mebibytes(spare)
            ),
        ));
    }
    Ok(())
}

/// Bytes that decoding holds at its peak: samples, planes, the codec's own.
pub(crate) fn peak(format: Format, values: u64, sample_bytes: u64) -> u64 {
    values
        .saturating_mul(sample_bytes)
        .saturating_add(values.saturating_mul(size_of::<f32>() as u64))
        .saturating_add(values.saturating_mul(codecs::scratch_bytes(format)))
}

pub(crate) fn check_metadata(metadata: &Metadata, limits: &Limits) -> Result<(), Error> {
    let blocks = [("EXIF", &metadata.exif), ("ICC", &metadata.icc), ("XMP", &metadata.xmp)];
    for (name, block) in blocks {
        let length = block.as_ref().map_or(0, Vec::len) as u64;
        if length > limits.metadata {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "its {name} metadata has {length} bytes and the limit is {}: remove the metadata or raise the limit",
                    limits.metadata
                ),
            ));
        }
    }
    Ok(())
}

fn from_codec(format: Format, error: image::ImageError) -> Error {
    use image::{ImageError, error::UnsupportedErrorKind};
    let (kind, text) = match &error {
        ImageError::Limits(_) => (
            ErrorKind::Limit,
            format!("decoding this {format} file would take more memory than allowed"),
        ),
        ImageError::Unsupported(what) => {
            let what = match what.kind() {
                UnsupportedErrorKind::GenericFeature(what) => what.clone(),
                _ => error.to_string(),
            };
            (ErrorKind::Unsupported, format!("this kind of {format} file is not supported: {what}"))
        }
        _ => (ErrorKind::Corrupt, format!("the {format} file is broken: {error}")),
    };
    Error::new(kind, text).because(error)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_panic_of_a_codec_is_an_error_and_no_text() {
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        panic::set_hook(Box::new(|_| {
            TOLD.fetch_add(1, Ordering::SeqCst);
        }));
        let error = guarded(|| -> Result<(), Error> { panic!("a codec's") }).err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Corrupt));
        assert_eq!(TOLD.load(Ordering::SeqCst), 0);
        // Other panics are told as ever.
        assert!(catch_unwind(|| panic!("another")).is_err());
        assert_eq!(TOLD.load(Ordering::SeqCst), 1);
    }
}
