use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use png::{BitDepth, ColorType, DecodingError, Transformations};

use crate::decode::{self, guarded};
use crate::{Depth, Error, ErrorKind, Format, Header, Limits, Metadata, codecs, header, raster};

/// A PNG file that is read from the top, row by row, and never is in memory as a whole.
///
/// What it gives is what [`read`](crate::read()) gives. Three kinds of file can't be read so: interlaced
/// ones, those whose EXIF says that they are to be turned, and those whose EXIF or XMP stands behind the
/// pixels.
pub struct RowReader {
    reader: png::Reader<BufReader<File>>,
    path: PathBuf,
    header: Header,
    metadata: Metadata,
    samples: Vec<u8>,
}

impl RowReader {
    /// Opens a file and reads what stands before its pixels.
    ///
    /// `limits` hold for the file and its metadata; its pixels may be as many as they like.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a file that can't be read row by row, which says why; else
    /// those of [`read`](crate::read()), each naming the file.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, Error> {
        let path = path.as_ref();
        guarded(|| Self::begin(path, limits)).map_err(|error| error.at(path))
    }

    fn begin(path: &Path, limits: &Limits) -> Result<Self, Error> {
        let (mut file, length) = decode::open(path, limits)?;
        let mut start = Vec::new();
        (&mut file).take(16).read_to_end(&mut start).map_err(decode::unreadable)?;
        if Format::from_contents(&start) != Some(Format::Png) {
            return Err(unsupported("only PNG files are read row by row"));
        }
        file.rewind().map_err(decode::unreadable)?;
        // Most of what is read ahead of a chunk's head would be skipped.
        const AHEAD: usize = 512;
        if codecs::png_metadata_behind_pixels(BufReader::with_capacity(AHEAD, &file)) {
            return Err(unsupported(
                "its EXIF or XMP stands behind the pixels, so it can't be read row by row",
            ));
        }
        file.rewind().map_err(decode::unreadable)?;
        let unread = codecs::png_unread(BufReader::with_capacity(AHEAD, &file));
        file.rewind().map_err(decode::unreadable)?;
        let (png, resolution) = codecs::png_carried(BufReader::with_capacity(AHEAD, &file));
        file.rewind().map_err(decode::unreadable)?;

        let most = usize::try_from(limits.metadata).unwrap_or(usize::MAX);
        let bytes = most.saturating_mul(4);
        let mut decoder =
            png::Decoder::new_with_limits(BufReader::new(file), png::Limits { bytes });
        decoder.set_transformations(Transformations::EXPAND);
        let reader = decoder.read_info().map_err(broken)?;
        let info = reader.info();
        if info.interlaced {
            return Err(unsupported("an interlaced PNG file can't be read row by row"));
        }
        let (mut metadata, orientation) = metadata(info);
        decode::check_metadata(&metadata, limits)?;
        if orientation != Orientation::NoTransforms {
            return Err(unsupported(
                "its EXIF says that it is to be turned, so it can't be read row by row",
            ));
        }
        metadata.forget_stored_pixels();
        (metadata.png, metadata.resolution) = (png, resolution);
        let (color, bits) = reader.output_color_type();
        let (channels, alpha) = match color {
            ColorType::Grayscale => (1, false),
            ColorType::GrayscaleAlpha => (1, true),
            ColorType::Rgb => (3, false),
            ColorType::Rgba => (3, true),
            ColorType::Indexed => return Err(unsupported("its palette could not be resolved")),
        };
        let depth = if bits == BitDepth::Sixteen { Depth::Sixteen } else { Depth::Eight };
        metadata.keep_fitting_profile(channels);
        let header = Header {
            format: Format::Png,
            width: info.width as usize,
            height: info.height as usize,
            channels,
            alpha,
            depth,
            turned: false,
            transposed: false,
            file: length,
            unread,
        };
        header::check_sides(header.width as u64, header.height as u64)?;
        let line = header.values_in_row() as u64 * if depth == Depth::Sixteen { 2 } else { 1 };
        let samples = raster::try_zeroed(line)?;
        Ok(Self { reader, path: path.to_owned(), header, metadata, samples })
    }

    /// What the file holds.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What the file says beside its pixels, as [`read`](crate::read()) gives it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads the next row: [`Header::values_in_row`] values.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a file that is broken from here on, [`ErrorKind::Invalid`] for a
    /// row of another length or one past the last.
    pub fn read(&mut self, row: &mut [f32]) -> Result<(), Error> {
        if row.len() != self.header.values_in_row() {
            return Err(self.invalid("is read into a row of another length than its own"));
        }
        let (reader, samples) = (&mut self.reader, &mut self.samples);
        let there = guarded(|| reader.read_row(samples).map_err(broken))
            .map_err(|error| error.at(&self.path))?;
        if there.is_none() {
            return Err(self.invalid("has no more rows"));
        }
        let planes = self.header.planes();
        let width = self.header.width;
        for (plane, out) in row.chunks_exact_mut(width).enumerate() {
            match self.header.depth {
                Depth::Eight => {
                    let pixels = self.samples.chunks_exact(planes);
                    for (out, pixel) in out.iter_mut().zip(pixels) {
                        *out = f32::from(pixel[plane]) / 255.0;
                    }
                }
                Depth::Sixteen => {
                    let pixels = self.samples.chunks_exact(2 * planes);
                    for (out, pixel) in out.iter_mut().zip(pixels) {
                        let sample = [pixel[2 * plane], pixel[2 * plane + 1]];
                        *out = f32::from(u16::from_be_bytes(sample)) / 65535.0;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads what follows the last row, so that a file that breaks off there is found out.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`], and [`ErrorKind::Invalid`] while rows are left.
    pub fn finish(mut self) -> Result<(), Error> {
        let (reader, samples) = (&mut self.reader, &mut self.samples);
        let more = guarded(|| reader.read_row(samples).map_err(broken))
            .map_err(|error| error.at(&self.path))?;
        if more.is_some() { Err(self.invalid("was not read to its end")) } else { Ok(()) }
    }

    fn invalid(&self, text: &str) -> Error {
        Error::new(ErrorKind::Invalid, text).at(&self.path)
    }
}

/// The blocks before the pixels, and how the picture is to be turned.
fn metadata(info: &png::Info<'_>) -> (Metadata, Orientation) {
    const XMP: &str = "XML:com.adobe.xmp";
    let block = |block: &Option<std::borrow::Cow<'_, [u8]>>| block.as_ref().map(|b| b.to_vec());
    let packet = info.utf8_text.iter().find(|chunk| chunk.keyword.contains(XMP)).cloned();
    // A packet that can't be unpacked counts as absent, as everywhere.
    let xmp = packet.and_then(|mut packet| {
        packet.decompress_text().ok()?;
        packet.get_text().ok().map(String::into_bytes)
    });
    codecs::upright(Metadata {
        exif: block(&info.exif_metadata),
        icc: block(&info.icc_profile),
        xmp,
        ..Metadata::default()
    })
}

fn unsupported(text: &str) -> Error {
    Error::new(ErrorKind::Unsupported, text)
}

fn broken(error: DecodingError) -> Error {
    let (kind, text) = match &error {
        DecodingError::IoError(io) if io.kind() != std::io::ErrorKind::UnexpectedEof => {
            (ErrorKind::Io, format!("can't be read: {error}"))
        }
        DecodingError::LimitsExceeded => (
            ErrorKind::Limit,
            "what stands before its pixels is larger than allowed: remove its metadata or raise the limit".to_owned(),
        ),
        _ => (ErrorKind::Corrupt, format!("the PNG file is broken: {error}")),
    };
    Error::new(kind, text).because(error)
}
