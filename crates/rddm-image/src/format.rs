use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::{Error, ErrorKind, codecs};

/// A file format that can be read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// PNG: 8 and 16 bit, lossless.
    Png,
    /// JPEG: 8 bit, lossy, no alpha channel.
    Jpeg,
    /// WebP: 8 bit; read in both its forms, written lossless.
    WebP,
    /// TIFF: 8 and 16 bit.
    Tiff,
    /// Windows bitmap: 8 bit, no metadata.
    Bmp,
}

impl Format {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Png, Self::Jpeg, Self::WebP, Self::Tiff, Self::Bmp];

    /// The format that a file's name ends with, in any case of letters.
    pub fn from_path(path: impl AsRef<Path>) -> Option<Self> {
        let extension = path.as_ref().extension()?.to_str()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|format| format.extensions().contains(&extension.as_str()))
    }

    /// The format that a file's first bytes announce.
    pub fn from_contents(bytes: &[u8]) -> Option<Self> {
        const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
        match bytes {
            _ if bytes.starts_with(PNG) => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'B', b'M', ..] => Some(Self::Bmp),
            _ => None,
        }
    }

    /// Whether a picture of so many pixels can be a file of this format.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where a side is too long.
    pub fn check_size(self, width: usize, height: usize) -> Result<(), Error> {
        let longest = codecs::abilities(self).side;
        if width.max(height) <= longest as usize {
            return Ok(());
        }
        let text = format!(
            "{width}×{height} pixels are too many for {self}, whose longest side is {longest}: take another format"
        );
        Err(Error::new(ErrorKind::Invalid, text))
    }

    /// The usual extension of a file, without its dot.
    pub fn extension(self) -> &'static str {
        self.extensions()[0]
    }

    /// All extensions that mean this format, in lower case, without their dots.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::WebP => &["webp"],
            Self::Tiff => &["tif", "tiff"],
            Self::Bmp => &["bmp", "dib"],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
        })
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let lower = text.to_ascii_lowercase();
        let found = Self::ALL.into_iter().find(|f| f.extensions().contains(&lower.as_str()));
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::UnknownFormat,
                format!(
                    "{text:?} is no format that can be written: take png, jpg, webp, tiff or bmp"
                ),
            )
        })
    }
}

/// The error for contents that announce no format of ours, which names what they are where that is
/// known.
pub(crate) fn unknown(bytes: &[u8]) -> Error {
    const FORMATS: &str = "PNG, JPEG, WebP, TIFF and BMP are read; convert it to one of them";
    let text = match bytes {
        [] => "the file is empty".to_owned(),
        [b'G', b'I', b'F', b'8', ..] => format!("GIF pictures are not read: {FORMATS}"),
        _ if bytes.get(4..8) == Some(b"ftyp") && has_brand(bytes, *b"avif", *b"avis") => {
            format!("AVIF pictures are not read: {FORMATS}")
        }
        _ if bytes.get(4..8) == Some(b"ftyp") => {
            format!("HEIC pictures and films are not read: {FORMATS}")
        }
        [b'%', b'P', b'D', b'F', ..] => format!("this is a PDF document: {FORMATS}"),
        _ => format!("the contents are no picture in a known format: {FORMATS}"),
    };
    Error::new(ErrorKind::UnknownFormat, text)
}

/// Whether a file of the ISO base media format names either brand, as its own or as one that it is
/// compatible with: its first box has its length, `ftyp`, a brand, a version, and further brands.
fn has_brand(bytes: &[u8], one: [u8; 4], other: [u8; 4]) -> bool {
    let length = bytes.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let first = bytes.get(..length).unwrap_or(bytes);
    let brands = first.get(8..12).into_iter().chain(first.get(16..).unwrap_or(&[]).chunks_exact(4));
    brands.into_iter().any(|brand| brand == one || brand == other)
}
