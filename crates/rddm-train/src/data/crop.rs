//! Mirrored, turned, enlarged and shrunk crops.

use image::imageops::FilterType::CatmullRom;
use image::imageops::{resize, thumbnail};
use image::{ImageBuffer, Luma, Pixel, Primitive};
use ndarray::{Array2, Array3, ArrayView2, Axis};
use rand::{Rng, RngExt};

use super::Picture8;
use crate::degrade::{Range, uniform};
use crate::recipe::Augment;

/// A square of a picture, mirrored, turned, enlarged and shrunk.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    top: usize,
    left: usize,
    /// Its side in the picture, pixels.
    cut: usize,
    /// Its side once it is enlarged.
    side: usize,
    /// How many times smaller it is made after that.
    shrink: usize,
    transpose: bool,
    flip_rows: bool,
    flip_columns: bool,
}

impl Part {
    /// A square of `side` pixels somewhere in `picture`, in one of the forms that `augment` names, all as likely; with `zoom`
    /// a smaller square, enlarged so many times. The picture's sides are at least those of the square.
    pub fn random(
        picture: &Picture8,
        side: usize,
        augment: Augment,
        zoom: Option<Range>,
        random: &mut impl Rng,
    ) -> Self {
        let cut = zoom.map_or(side, |zoom| {
            ((side as f32 / uniform(zoom, random)).round() as usize).clamp(1, side)
        });
        let (height, width) = picture.size();
        let top = random.random_range(0..=height - cut);
        let left = random.random_range(0..=width - cut);
        let [transpose, flip_rows, flip_columns] = match augment {
            Augment::None => [false; 3],
            Augment::Mirror => [false, false, random.random()],
            Augment::Turn => random.random(),
        };
        Self { top, left, cut, side, shrink: 1, transpose, flip_rows, flip_columns }
    }

    /// The same made `by` times smaller, as a network that shrinks its input sees it: means of squares.
    pub fn shrunk(self, by: usize) -> Self {
        Self { shrink: by, ..self }
    }

    /// Its side before it is made smaller, pixels.
    pub(super) fn side(self) -> usize {
        self.side
    }

    /// How many times smaller it is made.
    pub(super) fn shrink(self) -> usize {
        self.shrink
    }

    /// That part of a picture, `[3, s, s]`, `s` its side made smaller, values in [0, 1].
    pub fn of(self, picture: &Picture8) -> Array3<f32> {
        self.formed(&picture.part(self.top, self.left, self.cut, self.cut))
    }

    /// The same of a picture whose rows are moved sideways, each by `lean` pixels more than the one above, to whole pixels;
    /// the middle row stays, and what comes from outside the picture is mirrored.
    pub fn leaning(self, picture: &Picture8, lean: f32) -> Array3<f32> {
        let (_, width) = picture.size();
        let middle = 0.5 * self.cut as f32;
        let column = |row: usize, column: usize| {
            let moved = (lean * (row as f32 - middle)).round() as isize;
            let at = (self.left + column) as isize + moved;
            let last = width as isize - 1;
            let at = at.rem_euclid(2 * last.max(1));
            at.min(2 * last - at).max(0) as usize
        };
        let square = picture.rows(self.top, self.cut, self.cut, column);
        self.formed(&square)
    }

    fn formed(self, square: &Array3<f32>) -> Array3<f32> {
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
        let side = self.side / self.shrink;
        if self.cut == side {
            return view.as_standard_layout().into_owned();
        }
        let mut resized = Array3::zeros((view.len_of(Axis(0)), side, side));
        for (mut plane, cut) in resized.outer_iter_mut().zip(view.outer_iter()) {
            plane.assign(&resize_to(cut, side));
        }
        resized
    }
}

/// A square with `side` pixels a side, values in [0, 1]: Catmull-Rom where it grows, means where it shrinks.
fn resize_to(square: ArrayView2<'_, f32>, side: usize) -> Array2<f32> {
    if side > square.ncols() {
        let large = resize(&luma(square, |value| value), side as u32, side as u32, CatmullRom);
        return Array2::from_shape_fn((side, side), |(y, x)| {
            large.get_pixel(x as u32, y as u32).0[0].clamp(0.0, 1.0)
        });
    }
    // Whole numbers, because the means are rounded as whole numbers are.
    const WHITE: f32 = u16::MAX as f32;
    let square = luma(square, |value| (value * WHITE).round() as u16);
    let small = thumbnail(&square, side as u32, side as u32);
    Array2::from_shape_fn((side, side), |(y, x)| {
        f32::from(small.get_pixel(x as u32, y as u32).0[0]) / WHITE
    })
}

fn luma<T: Primitive>(
    square: ArrayView2<'_, f32>,
    value: impl Fn(f32) -> T,
) -> ImageBuffer<Luma<T>, Vec<T>>
where
    Luma<T>: Pixel<Subpixel = T>,
{
    ImageBuffer::from_fn(square.ncols() as u32, square.nrows() as u32, |x, y| {
        Luma([value(square[(y as usize, x as usize)])])
    })
}
