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

    /// Its side, pixels.
    pub(super) fn side(self) -> usize {
        self.side
    }

    /// That part of a picture, `[3, side, side]`, values in [0, 1].
    pub fn of(self, picture: &Picture8) -> Array3<f32> {
        self.turned(&picture.part(self.top, self.left, self.side, self.side))
    }

    /// The same of a picture whose rows are moved sideways, each by `lean` pixels more than the one above, to whole pixels;
    /// the middle row stays, and what comes from outside the picture is mirrored.
    pub fn leaning(self, picture: &Picture8, lean: f32) -> Array3<f32> {
        let (_, width) = picture.size();
        let middle = 0.5 * self.side as f32;
        let column = |row: usize, column: usize| {
            let moved = (lean * (row as f32 - middle)).round() as isize;
            let at = (self.left + column) as isize + moved;
            let last = width as isize - 1;
            let at = at.rem_euclid(2 * last.max(1));
            at.min(2 * last - at).max(0) as usize
        };
        let square = picture.rows(self.top, self.side, self.side, column);
        self.turned(&square)
    }

    fn turned(self, square: &Array3<f32>) -> Array3<f32> {
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
