use std::fmt;

use crate::{Format, codecs};

/// What a file holds beside its first picture, which alone is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Further {
    /// The further frames of an animation (PNG, WebP).
    Frames,
    /// Further pages (TIFF); a smaller copy of the picture is none, nor is a mask.
    Pages,
}

impl Further {
    /// What stands in a file beside its first picture. What can't be read counts as absent.
    pub(crate) fn of(format: Format, file: &[u8]) -> Option<Self> {
        match format {
            Format::Png => codecs::png_frames(file).then_some(Self::Frames),
            Format::WebP => codecs::webp_frames(file).then_some(Self::Frames),
            Format::Tiff => codecs::tiff_pages(file).then_some(Self::Pages),
            Format::Jpeg | Format::Bmp => None,
        }
    }
}

impl fmt::Display for Further {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frames => "the further frames of the animation",
            Self::Pages => "the further pages",
        })
    }
}
