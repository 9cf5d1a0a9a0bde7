use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use png::chunk::ChunkType;
use png::{BitDepth, ColorType, Compression, EncodingError, Filter};

use crate::encode::Part;
use crate::{Depth, Error, ErrorKind, Header, Metadata, codecs, encode, is_special, raster};

/// A PNG file that is written from the top, row by row, and never is in memory as a whole. It is
/// compressed quickly, and so is some percent larger than one of [`write`](crate::write()).
///
/// The rows go into a temporary file beside the place; [`finish`](Self::finish) gives it its name,
/// and a writer that is dropped before leaves nothing behind.
pub struct RowWriter {
    stream: png::StreamWriter<'static, Output>,
    part: Part,
    trouble: Trouble,
    path: PathBuf,
    shape: Header,
    samples: Vec<u8>,
    left: usize,
}

impl RowWriter {
    /// Begins a file for a picture of the size, channels and depth of `shape`, whose other fields do
    /// not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], and [`ErrorKind::Invalid`] for a picture that can't be a PNG file.
    pub fn create(
        path: impl AsRef<Path>,
        shape: &Header,
        metadata: &Metadata,
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::begin(path, shape, metadata).map_err(|error| error.at(path))
    }

    fn begin(path: &Path, shape: &Header, metadata: &Metadata) -> Result<Self, Error> {
        let side = |length: usize| {
            let fits = u32::try_from(length).ok().filter(|side| (1..1 << 31).contains(side));
            fits.ok_or_else(|| {
                Error::new(ErrorKind::Invalid, "a PNG file has 1 to 2³¹ - 1 rows and columns")
            })
        };
        let (width, height) = (side(shape.width)?, side(shape.height)?);
        let color = match (shape.channels, shape.alpha) {
            (1, false) => ColorType::Grayscale,
            (1, true) => ColorType::GrayscaleAlpha,
            (3, false) => ColorType::Rgb,
            (3, true) => ColorType::Rgba,
            (other, _) => {
                let text = format!("a file has 1 or 3 channels of colour, not {other}");
                return Err(Error::new(ErrorKind::Invalid, text));
            }
        };
        let wide = shape.depth == Depth::Sixteen;
        if is_special(path) {
            let text = "is a device or a pipe, and rows are written to files alone";
            return Err(Error::new(ErrorKind::Io, text));
        }
        let path = encode::place(path)?;
        let part = encode::part(&path)?;
        let trouble = Trouble::default();
        let file = part.file.as_file().try_clone().map_err(encode::io)?;
        let output = Output { file, trouble: trouble.clone() };

        let mut info = png::Info::with_size(width, height);
        info.icc_profile = metadata.icc.as_deref().map(Into::into);
        info.exif_metadata = metadata.exif.as_deref().map(Into::into);
        let mut encoder = png::Encoder::with_info(output, info).map_err(refused)?;
        encoder.set_color(color);
        encoder.set_depth(if wide { BitDepth::Sixteen } else { BitDepth::Eight });
        // Better compression costs more than all else that is done beside the networks.
        encoder.set_compression(Compression::Fast);
        encoder.set_filter(Filter::Adaptive);
        let mut writer = encoder.write_header().map_err(refused)?;
        for (kind, body) in codecs::png_chunks(metadata) {
            writer.write_chunk(ChunkType(kind), &body).map_err(refused)?;
        }
        if let Some(xmp) = &metadata.xmp {
            let chunk = ChunkType(*b"iTXt");
            writer.write_chunk(chunk, &codecs::png_xmp(xmp)).map_err(refused)?;
        }
        const CHUNK: usize = 64 << 10;
        let stream = writer.into_stream_writer_with_size(CHUNK).map_err(refused)?;
        let line = shape.values_in_row() as u64 * if wide { 2 } else { 1 };
        Ok(Self {
            stream,
            part,
            trouble,
            path,
            shape: shape.clone(),
            samples: raster::try_zeroed(line)?,
            left: shape.height,
        })
    }

    /// Writes the next row. Values are clipped to `[0, 1]` and rounded to the nearest step.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; [`ErrorKind::Invalid`] for a value that is no number, a row of another
    /// length than [`Header::values_in_row`], or one past the last.
    pub fn write(&mut self, row: &[f32]) -> Result<(), Error> {
        self.put(row).map_err(|error| error.at(&self.path))
    }

    fn put(&mut self, row: &[f32]) -> Result<(), Error> {
        if row.len() != self.shape.values_in_row() || self.left == 0 {
            return Err(Error::new(ErrorKind::Invalid, "a row does not belong to the picture"));
        }
        // All are looked at, several at a time where the processor can.
        if !row.iter().fold(true, |all, value| all & value.is_finite()) {
            return Err(raster::not_finite());
        }
        let planes = self.shape.planes();
        for (plane, values) in row.chunks_exact(self.shape.width).enumerate() {
            match self.shape.depth {
                Depth::Eight => {
                    let pixels = self.samples.chunks_exact_mut(planes);
                    for (pixel, &value) in pixels.zip(values) {
                        pixel[plane] = raster::level8(value);
                    }
                }
                Depth::Sixteen => {
                    let pixels = self.samples.chunks_exact_mut(2 * planes);
                    for (pixel, &value) in pixels.zip(values) {
                        let sample = raster::level16(value).to_be_bytes();
                        pixel[2 * plane..2 * plane + 2].copy_from_slice(&sample);
                    }
                }
            }
        }
        self.stream.write_all(&self.samples).map_err(encode::io)?;
        self.left -= 1;
        Ok(())
    }

    /// Ends the file and gives it its name. A file that has that name is replaced, unless
    /// `overwrite` is off.
    ///
    /// # Errors
    /// [`ErrorKind::Io`], [`ErrorKind::Exists`], and [`ErrorKind::Invalid`] while rows are missing.
    pub fn finish(self, overwrite: bool) -> Result<(), Error> {
        let Self { stream, part, trouble, path, left, .. } = self;
        let done = || {
            if left > 0 {
                let text = format!("{left} rows are missing, so nothing was written");
                return Err(Error::new(ErrorKind::Invalid, text));
            }
            // The last chunk is written when the stream is dropped, which can't say that it failed.
            stream.finish().map_err(refused)?;
            trouble.check()?;
            encode::persist(part, &path, overwrite)
        };
        done().map_err(|error| error.at(&path))
    }
}

/// The temporary file, which remembers that a write failed.
struct Output {
    file: File,
    trouble: Trouble,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.trouble.note(self.file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.trouble.note(self.file.flush())
    }
}

/// The first thing that went wrong.
#[derive(Clone, Default)]
struct Trouble(Arc<Mutex<Option<(io::ErrorKind, String)>>>);

impl Trouble {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| (error.kind(), error.to_string()));
        }
        result
    }

    fn check(&self) -> Result<(), Error> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some((kind, text)) => Err(encode::io(io::Error::new(kind, text))),
            None => Ok(()),
        }
    }
}

fn refused(error: EncodingError) -> Error {
    match error {
        EncodingError::IoError(error) => encode::io(error),
        error => Error::new(ErrorKind::Invalid, format!("can't be written as PNG: {error}"))
            .because(error),
    }
}
