use std::fmt;
use std::io::{Cursor, Read};

use crate::{Format, codecs};

/// What a file holds beside what is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// The further frames of an animation (PNG, WebP).
    Frames,
    /// Further pages (TIFF); a smaller copy of the picture is none, nor is a mask.
    Pages,
    /// Further pictures (JPEG, PNG, WebP, BMP), such as another view; a smaller copy of the first one is none, nor is its gain map.
    Pictures,
    /// Channels beside colour and alpha (TIFF), such as infrared light.
    Channels,
    /// A gain map (JPEG): how much brighter than white a screen may show the picture.
    GainMap,
    /// A film behind the picture (JPEG).
    Film,
    /// Other bytes behind the picture (JPEG, PNG, WebP).
    Trailer,
    /// EXIF, GPS, a place on the map, description, author, date, camera or copyright among the tags of a TIFF's first picture.
    Tags,
    /// Texts of a PNG, such as author and copyright, and comments of a JPEG; not the program that wrote a PNG.
    Texts,
    /// IPTC's texts of a JPEG or a TIFF, such as author and copyright.
    Iptc,
    /// What an XMP packet has in further segments (JPEG).
    ExtendedXmp,
    /// What floating-point values say of light beyond white, and how many percent of them do, rounded up.
    Bright(u8),
}

impl Unread {
    /// What stands in a file beside what is read. What can't be looked at counts as absent.
    pub(crate) fn of(format: Format, file: &[u8]) -> Vec<Self> {
        match format {
            Format::Png => codecs::png_unread(Cursor::new(file)),
            Format::Jpeg => codecs::jpeg_unread(file),
            Format::WebP => codecs::webp_unread(file),
            Format::Tiff => codecs::tiff_unread(file),
            Format::Bmp => codecs::bmp_unread(file),
        }
    }

    /// What follows the end of a picture; zeros are nothing.
    pub(crate) fn behind(rest: impl Read) -> Option<Self> {
        /// What is looked at.
        const MOST: u64 = 1 << 16;
        let mut begin = Vec::new();
        // What can't be read counts as absent, as everywhere.
        let _ = rest.take(MOST).read_to_end(&mut begin);
        match Format::from_contents(&begin) {
            Some(_) => Some(Self::Pictures),
            None => begin.iter().any(|&byte| byte != 0).then_some(Self::Trailer),
        }
    }

    /// Whether it is pictures, which are lost where the file is replaced.
    pub fn is_picture(self) -> bool {
        matches!(self, Self::Frames | Self::Pages | Self::Pictures | Self::Channels | Self::Film)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frames => "the further frames of the animation",
            Self::Pages => "the further pages",
            Self::Pictures => "the further pictures",
            Self::Channels => "the channels beside colour and alpha",
            Self::GainMap => "the gain map (light beyond white on HDR screens)",
            Self::Film => "the frames of the film behind the picture",
            Self::Trailer => "the bytes behind the picture",
            Self::Tags => "the EXIF, geographic and descriptive tags",
            Self::Texts => "the texts beside the picture",
            Self::Iptc => "the IPTC texts",
            Self::ExtendedXmp => "the further segments of the XMP metadata",
            Self::Bright(percent) => {
                return write!(f, "the values above white (up to {percent} % of all)");
            }
        })
    }
}
