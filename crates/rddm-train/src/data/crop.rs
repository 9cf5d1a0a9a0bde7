//! Mirrored and turned crops.

use ndarray::{Array3, Axis};
use rand::{Rng, RngExt};

use super::Picture8;
use crate::recipe::Augment;

/// A square of a picture, mirrored and turned.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    top: usize,
    left: usize,
    side: usize,
    transpose: bool,
    flip_rows: bool,
    flip_columns: bool,
}

impl Part {
    /// A square of `side` pixels somewhere in `picture`, whose sides are at least `side`, in one of the forms that
    /// `augment` names, all as likely.
    pub fn random(
        picture: &Picture8,
        side: usize,
        augment: Augment,
        random: &mut impl Rng,
    ) -> Self {
        let (height, width) = picture.size();
        let top = random.random_range(0..=height - side);
        let left = random.random_range(0..=width - side);
        let [transpose, flip_rows, flip_columns] = match augment {
            Augment::None => [false; 3],
            Augment::Mirror => [false, false, random.random()],
            Augment::Turn => random.random(),
        };
        Self { top, left, side, transpose, flip_rows, flip_columns }
    }

    /// That part of a picture, `[3, side, side]`, values in [0, 1].
    pub fn of(self, picture: &Picture8) -> Array3<f32> {
        let square = picture.part(self.top, self.left, self.side, self.side);
        let mut view = square.view();
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
