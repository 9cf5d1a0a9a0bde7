use std::path::Path;

use image::metadata::Orientation;

use crate::{Depth, Error, ErrorKind, Format, Limits, Unread, codecs, decode, orient};

/// What a file holds, known before its pixels are decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// The format of its contents.
    pub format: Format,
    /// Pixels in a row, as they are stored.
    pub width: usize,
    /// Rows, as they are stored.
    pub height: usize,
    /// One (grey) or three (colour).
    pub channels: usize,
    /// Whether there is an alpha channel beside them.
    pub alpha: bool,
    /// Bits of each value.
    pub depth: Depth,
    /// Whether its orientation asks to turn or flip the picture.
    pub turned: bool,
    /// Whether it asks so that rows become columns.
    pub transposed: bool,
    /// Bytes of the file.
    pub file: u64,
    /// What else the file holds, which is not read; light beyond white only its pixels show.
    pub unread: Vec<Unread>,
}

impl Header {
    /// What a picture from elsewhere would have: 8 bits, no alpha channel, PNG.
    pub fn new(width: usize, height: usize, channels: usize) -> Self {
        Self {
            format: Format::Png,
            width,
            height,
            channels,
            alpha: false,
            depth: Depth::Eight,
            turned: false,
            transposed: false,
            file: 0,
            unread: Vec::new(),
        }
    }

    /// Height and width of the picture as [`read`](crate::read()) gives it.
    pub fn upright(&self) -> [usize; 2] {
        if self.transposed { [self.width, self.height] } else { [self.height, self.width] }
    }

    /// Planes of colour and alpha together.
    pub fn planes(&self) -> usize {
        self.channels + usize::from(self.alpha)
    }

    /// Values of a row, over all planes.
    pub fn values_in_row(&self) -> usize {
        self.width * self.planes()
    }

    /// Values of the whole picture.
    pub fn values(&self) -> u64 {
        (self.values_in_row() as u64).saturating_mul(self.height as u64)
    }

    /// The most values of the picture in a file of another format: one that has no grey, or none with alpha, holds it as
    /// colour.
    pub fn values_in(&self, format: Format) -> u64 {
        let abilities = codecs::abilities(format);
        let grey = if self.alpha { abilities.grey_alpha } else { abilities.grey };
        let channels = if grey { self.channels } else { 3 };
        let planes = (channels + usize::from(self.alpha)) as u64;
        (self.width as u64 * self.height as u64).saturating_mul(planes)
    }

    /// Bytes of each value in the file, unpacked.
    pub fn sample_bytes(&self) -> u64 {
        match self.depth {
            Depth::Eight => 1,
            Depth::Sixteen => 2,
        }
    }

    /// The most bytes that [`read`](crate::read()) holds at once for this file.
    pub fn read_bytes(&self) -> u64 {
        let decoding = decode::peak(self.format, self.values(), self.sample_bytes());
        let planes = self.values().saturating_mul(size_of::<f32>() as u64);
        let turning = if self.turned { 2 * planes } else { 0 };
        self.file.saturating_add(decoding.max(turning))
    }
}

/// Reads from a file what it holds, without its pixels; see [`header`].
///
/// # Errors
/// [`ErrorKind::Io`] where the file can't be read, and those of [`header`], each naming the file.
pub fn read_header(path: impl AsRef<Path>, limits: &Limits) -> Result<Header, Error> {
    let path = path.as_ref();
    decode::contents(path, limits)
        .and_then(|bytes| header(&bytes, limits))
        .map_err(|error| error.at(path))
}

/// What the contents of a file hold, as [`decode`](crate::decode()) would give it.
///
/// # Errors
/// Those of [`decode`](crate::decode()), but for what only the pixels show.
pub fn header(bytes: &[u8], limits: &Limits) -> Result<Header, Error> {
    decode::header_of(bytes, limits)
}

impl Header {
    pub(crate) fn of(
        format: Format,
        decoder: &dyn image::ImageDecoder,
        orientation: Orientation,
        file: u64,
    ) -> Result<Self, Error> {
        let (width, height) = decoder.dimensions();
        check_sides(width.into(), height.into())?;
        let color = decoder.color_type();
        let eight = color.bytes_per_pixel() == color.channel_count();
        Ok(Self {
            format,
            width: width as usize,
            height: height as usize,
            channels: if color.has_color() { 3 } else { 1 },
            alpha: color.has_alpha(),
            depth: if eight { Depth::Eight } else { Depth::Sixteen },
            turned: orientation != Orientation::NoTransforms,
            transposed: orient::transposes(orientation),
            file,
            unread: Vec::new(),
        })
    }
}

pub(crate) fn check_sides(width: u64, height: u64) -> Result<(), Error> {
    if width == 0 || height == 0 {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!("the file claims {width}×{height} pixels: a picture has at least one"),
        ));
    }
    Ok(())
}
