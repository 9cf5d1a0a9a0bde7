//! Mirrored and turned crops.

use ndarray::{Array3, Axis};
use rand::{Rng, RngExt};

/// One of the eight ways to mirror and turn a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    transpose: bool,
    flip_rows: bool,
    flip_columns: bool,
}

impl Turn {
    /// One of the eight, all as likely.
    pub fn random(random: &mut impl Rng) -> Self {
        Self {
            transpose: random.random(),
            flip_rows: random.random(),
            flip_columns: random.random(),
        }
    }

    /// The turned picture; the input is a square `[channel, side, side]`.
    pub fn apply(self, picture: &Array3<f32>) -> Array3<f32> {
        let mut view = picture.view();
        if self.transpose {
            view.swap_axes(1, 2);
        }
        if self.flip_rows {
            view.invert_axis(Axis(1));
        }
        if self.flip_columns {
            view.invert_axis(Axis(2));
        }
        view.as_standard_layout().into_owned()
    }
}
