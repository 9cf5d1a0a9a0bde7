//! A second look from twice as far, which has to see a residual too.

use ndarray::{Array2, Array3, Array4, ArrayView2, ArrayView3, s};

use crate::{engine::Batch, tiling::reflected};

/// The share of a residual that the far look has to see for all of it to count; of less, as much less.
const ENOUGH: f32 = 0.25;
/// Pixels of the far look, to each side, over which the two are compared.
const AROUND: usize = 2;

/// The mirror image of a window, left and right exchanged, at half of its size, its sides continued to multiples of `multiple`.
pub(crate) fn from_afar(x: Batch<'_>, multiple: usize) -> Array4<f32> {
    let (_, planes, height, width) = x.dim();
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    let shape = (1, planes, rows.next_multiple_of(multiple), columns.next_multiple_of(multiple));
    Array4::from_shape_fn(shape, |(_, plane, row, column)| {
        let (row, column) = (reflected(row, rows), columns - 1 - reflected(column, columns));
        of_four(x.slice(s![0, plane, .., ..]), row, column)
    })
}

/// Takes back what of a window's residual the look `from_afar` does not see.
pub(crate) fn confirm(residual: &mut Array4<f32>, far: &Array4<f32>) {
    let (_, _, height, width) = residual.dim();
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    let seen = far.slice(s![0, .., ..rows, ..columns;-1]);
    let near = Array3::from_shape_fn(seen.raw_dim(), |(channel, row, column)| {
        of_four(residual.slice(s![0, channel, .., ..]), row, column)
    });
    let share = share(near.view(), seen);
    residual.indexed_iter_mut().for_each(|((_, _, y, x), value)| {
        let ([above, below], [left, right]) = (neighbours(y, rows), neighbours(x, columns));
        let line = |row| 0.75 * share[(row, left)] + 0.25 * share[(row, right)];
        *value *= 0.75 * line(above) + 0.25 * line(below);
    });
}

/// The pixels of the half size, of `length`, that `at` lies between: the nearer one first.
fn neighbours(at: usize, length: usize) -> [usize; 2] {
    let near = at / 2;
    [near, if at % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(length - 1) }]
}

/// How much of what `near` has counts at each pixel, 0 to 1: by the part of it that `seen` has around there.
fn share(near: ArrayView3<'_, f32>, seen: ArrayView3<'_, f32>) -> Array2<f32> {
    let (channels, rows, columns) = near.dim();
    // In common, and of the near look alone.
    let products = Array2::from_shape_fn((rows, columns), |(y, x)| {
        (0..channels).fold([0.0; 2], |[both, own], channel| {
            let (a, b) = (near[(channel, y, x)], seen[(channel, y, x)]);
            [both + a * b, own + a * a]
        })
    });
    Array2::from_shape_fn((rows, columns), |(y, x)| {
        let around =
            |at: usize, length: usize| at.saturating_sub(AROUND)..(at + AROUND + 1).min(length);
        let here = products.slice(s![around(y, rows), around(x, columns)]);
        let [both, own] = here.iter().fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
        // Where there is no residual there is nothing to take back; what is no number stays none.
        if own == 0.0 { 1.0 } else { (both / (ENOUGH * own)).clamp(0.0, 1.0) }
    })
}

/// The pixel of the half size: the mean of four, at the border of an odd side some of them twice.
fn of_four(plane: ArrayView2<'_, f32>, row: usize, column: usize) -> f32 {
    let (height, width) = plane.dim();
    let (y, x) = (2 * row, 2 * column);
    let (below, right) = ((y + 1).min(height - 1), (x + 1).min(width - 1));
    (plane[(y, x)] + plane[(y, right)] + plane[(below, x)] + plane[(below, right)]) / 4.0
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
