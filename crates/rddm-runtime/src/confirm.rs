//! A second look from twice as far, which has to see a residual too.

use ndarray::{Array2, Array3, Array4, ArrayView1, ArrayView2, ArrayView3, Axis, Zip, s};

use crate::{engine::Batch, tiling::reflected};

/// The share of a residual that the far look has to see for all of it to count; of less, as much less.
const ENOUGH: f32 = 0.25;
/// Pixels of the far look, to each side, over which the two are compared.
const AROUND: usize = 2;

/// The mirror image of a window, left and right exchanged, at half of its size, its sides continued to multiples of `multiple`.
pub(crate) fn from_afar(x: Batch<'_>, multiple: usize) -> Array4<f32> {
    let half = half(x.index_axis(Axis(0), 0));
    let (planes, rows, columns) = half.dim();
    let (high, wide) = (rows.next_multiple_of(multiple), columns.next_multiple_of(multiple));
    let mut far = Array4::zeros((1, planes, high, wide));
    for (plane, mut into) in half.outer_iter().zip(far.index_axis_mut(Axis(0), 0).outer_iter_mut())
    {
        for (row, mut line) in into.outer_iter_mut().enumerate() {
            let from = plane.row(reflected(row, rows));
            for (column, value) in line.iter_mut().enumerate() {
                *value = from[columns - 1 - reflected(column, columns)];
            }
        }
    }
    far
}

/// Takes back what of a window's residual the look `from_afar` does not see.
pub(crate) fn confirm(residual: &mut Array4<f32>, far: &Array4<f32>) {
    let mut residual = residual.index_axis_mut(Axis(0), 0);
    let near = half(residual.view());
    let (_, rows, columns) = near.dim();
    let share = share(near.view(), far.slice(s![0, .., ..rows, ..columns;-1]));
    let (_, height, width) = residual.dim();
    let mut line = vec![0.0; width];
    for y in 0..height {
        let [near, next] = neighbours(y, rows);
        let between = |column: usize| 0.75 * share[(near, column)] + 0.25 * share[(next, column)];
        for (x, value) in line.iter_mut().enumerate() {
            let [near, next] = neighbours(x, columns);
            *value = 0.75 * between(near) + 0.25 * between(next);
        }
        for mut channel in residual.outer_iter_mut() {
            channel.row_mut(y).iter_mut().zip(&line).for_each(|(value, share)| *value *= share);
        }
    }
}

/// The pixels of the half size, of `length`, that `at` lies between: the nearer one first.
fn neighbours(at: usize, length: usize) -> [usize; 2] {
    let near = at / 2;
    [near, if at.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(length - 1) }]
}

/// How much of what `near` has counts at each pixel, 0 to 1: by the part of it that `seen` has around there.
fn share(near: ArrayView3<'_, f32>, seen: ArrayView3<'_, f32>) -> Array2<f32> {
    // In common, and of the near look alone.
    let [mut both, mut own] = [(); 2].map(|()| Array2::zeros((near.dim().1, near.dim().2)));
    for (near, seen) in near.outer_iter().zip(seen.outer_iter()) {
        Zip::from(&mut both).and(near).and(seen).for_each(|sum, a, b| *sum += a * b);
        Zip::from(&mut own).and(near).for_each(|sum, a| *sum += a * a);
    }
    let mut share = around(both.view());
    // Where there is no residual there is nothing to take back; what is no number stays none.
    Zip::from(&mut share).and(&around(own.view())).for_each(|both, &own| {
        *both = if own == 0.0 { 1.0 } else { (*both / (ENOUGH * own)).clamp(0.0, 1.0) };
    });
    share
}

/// Sums over what lies around each pixel.
fn around(values: ArrayView2<'_, f32>) -> Array2<f32> {
    let sums = |values: ArrayView2<'_, f32>| {
        let length = values.dim().0;
        let mut sums = Array2::zeros(values.raw_dim());
        for (at, mut sum) in sums.outer_iter_mut().enumerate() {
            for from in at.saturating_sub(AROUND)..(at + AROUND + 1).min(length) {
                sum += &values.row(from);
            }
        }
        sums
    };
    let across: Array2<f32> = sums(values.t());
    sums(across.t())
}

/// The picture at half of its size: means of four pixels, at the border of an odd side of some of them twice.
fn half(picture: ArrayView3<'_, f32>) -> Array3<f32> {
    let (planes, height, width) = picture.dim();
    let mut half = Array3::zeros((planes, height.div_ceil(2), width.div_ceil(2)));
    for (plane, mut into) in picture.outer_iter().zip(half.outer_iter_mut()) {
        for (row, mut line) in into.outer_iter_mut().enumerate() {
            let (above, below) = (plane.row(2 * row), plane.row((2 * row + 1).min(height - 1)));
            let pair = |row: &ArrayView1<'_, f32>, x: usize| row[x] + row[(x + 1).min(width - 1)];
            for (column, value) in line.iter_mut().enumerate() {
                *value = (pair(&above, 2 * column) + pair(&below, 2 * column)) / 4.0;
            }
        }
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(height: usize, width: usize) -> Array4<f32> {
        Array4::from_shape_fn((1, 2, height, width), |(_, c, y, x)| (100 * c + 10 * y + x) as f32)
    }

    #[test]
    fn the_far_look_is_of_the_mirror_image_at_half_of_the_size() {
        let far = from_afar(window(4, 6).view(), 4);
        assert_eq!(far.dim(), (1, 2, 4, 4));
        // Means of columns 4 and 5, 2 and 3, 0 and 1; then mirrored on.
        let row = |y: usize| far.slice(s![0, 1, y, ..]).to_vec();
        assert_eq!(row(0), [109.5, 107.5, 105.5, 107.5]);
        assert_eq!(row(1), [129.5, 127.5, 125.5, 127.5]);
        assert_eq!(row(2), row(0));
        // The last row and column of odd sides stand for two.
        let odd = from_afar(window(3, 3).view(), 1);
        assert_eq!(odd.slice(s![0, 0, .., ..]), ndarray::array![[7.0, 5.5], [22.0, 20.5]]);
    }

    /// What `confirm` leaves of a residual of 0.4, left of which another look has a part in common.
    fn left(part: f32) -> Vec<f32> {
        let mut residual = Array4::from_elem((1, 3, 4, 40), 0.4);
        // Mirrored, so that the first columns are the last of the picture.
        let mut far = Array4::zeros((1, 3, 8, 24));
        far.slice_mut(s![.., .., .., 10..]).fill(0.4 * part);
        confirm(&mut residual, &far);
        residual.slice(s![0, 2, 3, ..]).to_vec()
    }

    #[test]
    fn a_residual_stays_where_a_quarter_of_it_is_seen_from_afar() {
        for (part, share) in [(1.0, 1.0), (0.25, 1.0), (0.125, 0.5), (0.0, 0.0), (-1.0, 0.0)] {
            let left = left(part);
            assert!(left[..15].iter().all(|value| (value - 0.4 * share).abs() < 1e-6), "{left:?}");
            assert!(left[26..].iter().all(|value| value.abs() < 1e-6), "{left:?}");
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        assert!(left(f32::NAN)[0].is_nan());
        let mut residual = Array4::from_elem((1, 3, 4, 4), f32::NAN);
        confirm(&mut residual, &Array4::zeros((1, 3, 4, 4)));
        assert!(residual.iter().all(|value| value.is_nan()));
        let mut nothing = Array4::zeros((1, 3, 4, 4));
        confirm(&mut nothing, &Array4::ones((1, 3, 4, 4)));
        assert!(nothing.iter().all(|value| *value == 0.0));
    }
}
