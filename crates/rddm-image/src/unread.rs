use std::fmt;
use std::io::Cursor;

use crate::{Format, codecs};

/// What a file holds beside what is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// The further frames of an animation (PNG, WebP).
    Frames,
    /// Further pages (TIFF); a smaller copy of the picture is none, nor is a mask.
    Pages,
    /// Further pictures (JPEG), such as another view; a smaller copy of the first one is none, nor is its gain map.
    Pictures,
    /// A gain map (JPEG): how much brighter than white a screen may show the picture.
    GainMap,
    /// A film behind the picture (JPEG).
    Film,
    /// Other bytes behind the picture (JPEG).
    Trailer,
    /// EXIF, GPS, description, author, date, camera or copyright among the tags of a TIFF's first picture.
    Tags,
    /// Texts of a PNG, such as author and copyright, and comments of a JPEG.
    Texts,
    /// IPTC's texts of a JPEG, such as author and copyright.
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
            Format::WebP => codecs::webp_frames(file).then_some(Self::Frames).into_iter().collect(),
            Format::Tiff => {
                let pages = codecs::tiff_pages(file).then_some(Self::Pages);
                pages.into_iter().chain(codecs::tiff_tags(file).then_some(Self::Tags)).collect()
            }
            Format::Bmp => Vec::new(),
        }
    }

    /// Whether it is pictures, which are lost where the file is replaced.
    pub fn is_picture(self) -> bool {
        matches!(self, Self::Frames | Self::Pages | Self::Pictures | Self::Film)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frames => "the further frames of the animation",
            Self::Pages => "the further pages",
            Self::Pictures => "the further pictures",
            Self::GainMap => "the gain map (light beyond white on HDR screens)",
            Self::Film => "the frames of the film behind the picture",
            Self::Trailer => "the bytes behind the picture",
            Self::Tags => "the EXIF and descriptive tags",
            Self::Texts => "the texts beside the picture",
            Self::Iptc => "the IPTC texts",
            Self::ExtendedXmp => "the further segments of the XMP metadata",
            Self::Bright(percent) => {
                return write!(f, "the values above white (up to {percent} % of all)");
            }
        })
    }
}
