use serde::{Deserialize, Serialize};

use crate::{Error, Sampler};

/// What the networks want of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// Colour channels, 1 (grey) or 3 (RGB).
    pub channels: u32,
    /// Whether a mask is a further input channel, of a model that takes a picture.
    pub mask: bool,
    /// Height and width that a network gets are multiples of this, 1 to 1024.
    pub multiple: u32,
    /// How a picture is continued past its borders.
    pub padding: Padding,
    /// Height and width of a tile's core in pixels, 8 to 65 536, a multiple of `multiple`.
    pub tile: u32,
    /// Context around the core in pixels, the radius of the receptive field, 0 to 65 536.
    pub overlap: u32,
    /// Height and width that an unconditional model draws by default, each 1 to 65 536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// Whether the networks know pictures that stand upright, and their mirror images, alone: falling rain turned on its
    /// side is another thing. The mean over mirrored and turned forms leaves the others out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub upright: bool,
}

/// How a picture is continued past its borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Padding {
    /// Mirrored at the outermost pixel, which is not repeated.
    Reflect,
    /// The outermost pixel repeated.
    Edge,
}

impl Picture {
    const MAX_SIDE: u32 = 65_536;

    pub(crate) fn check(&self, sampler: &Sampler) -> Result<(), Error> {
        if !matches!(self.channels, 1 | 3) {
            return Err(Error::value("picture.channels", "a picture has 1 or 3 channels"));
        }
        if self.mask && !sampler.conditional {
            return Err(Error::inconsistent(
                "picture.mask",
                "a model that takes no picture (sampler.conditional = false) has no mask",
            ));
        }
        if !(1..=1024).contains(&self.multiple) {
            return Err(Error::value("picture.multiple", "the multiple is between 1 and 1024"));
        }
        if !(8..=Self::MAX_SIDE).contains(&self.tile) || !self.tile.is_multiple_of(self.multiple) {
            return Err(Error::value(
                "picture.tile",
                "a tile is 8 to 65536 pixels wide, a multiple of picture.multiple",
            ));
        }
        if self.overlap > Self::MAX_SIDE {
            return Err(Error::value("picture.overlap", "the overlap is at most 65536 pixels"));
        }
        if self.size.iter().flatten().any(|side| !(1..=Self::MAX_SIDE).contains(side)) {
            return Err(Error::value(
                "picture.size",
                "height and width are between 1 and 65536 pixels",
            ));
        }
        Ok(())
    }
}
