use std::fmt;

use crate::{Format, codecs};

/// What a file holds beside what is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// The further frames of an animation (PNG, WebP).
    Frames,
    /// Further pages (TIFF); a smaller copy of the picture is none, nor is a mask.
    Pages,
    /// EXIF, GPS, description, author, date, camera or copyright among the tags of a TIFF's first picture.
    Tags,
}

impl Unread {
    /// What stands in a file beside what is read. What can't be looked at counts as absent.
    pub(crate) fn of(format: Format, file: &[u8]) -> Vec<Self> {
        let found = match format {
            Format::Png => [codecs::png_frames(file).then_some(Self::Frames), None],
            Format::WebP => [codecs::webp_frames(file).then_some(Self::Frames), None],
            Format::Tiff => [
                codecs::tiff_pages(file).then_some(Self::Pages),
                codecs::tiff_tags(file).then_some(Self::Tags),
            ],
            Format::Jpeg | Format::Bmp => [None, None],
        };
        found.into_iter().flatten().collect()
    }

    /// Whether it is pictures, which are lost where the file is replaced.
    pub fn is_picture(self) -> bool {
        matches!(self, Self::Frames | Self::Pages)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frames => "the further frames of the animation",
            Self::Pages => "the further pages",
            Self::Tags => "the EXIF and descriptive tags",
        })
    }
}
