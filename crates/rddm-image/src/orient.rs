use image::metadata::Orientation;
use ndarray::{Array2, Array3, Axis};

use crate::Picture;

/// Turns and flips the planes as the file's orientation asks.
pub(crate) fn apply(picture: &mut Picture, orientation: Orientation) {
    if orientation == Orientation::NoTransforms {
        return;
    }
    let pixels = std::mem::take(&mut picture.pixels);
    picture.pixels = planes(pixels, orientation);
    if let Some(alpha) = picture.alpha.take() {
        picture.alpha = Some(plane(alpha, orientation));
    }
}

/// Whether rows become columns, so that height and width change places.
pub(crate) fn transposes(orientation: Orientation) -> bool {
    moves(orientation).0
}

fn planes(mut array: Array3<f32>, orientation: Orientation) -> Array3<f32> {
    let (transpose, flip_rows, flip_columns) = moves(orientation);
    if transpose {
        array.swap_axes(1, 2);
    }
    if flip_rows {
        array.invert_axis(Axis(1));
    }
    if flip_columns {
        array.invert_axis(Axis(2));
    }
    array.as_standard_layout().into_owned()
}

fn plane(array: Array2<f32>, orientation: Orientation) -> Array2<f32> {
    planes(array.insert_axis(Axis(0)), orientation).remove_axis(Axis(0))
}

/// Whether to exchange rows and columns, then to reverse the rows' order, then each row.
fn moves(orientation: Orientation) -> (bool, bool, bool) {
    match orientation {
        Orientation::NoTransforms => (false, false, false),
        Orientation::FlipHorizontal => (false, false, true),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, true, false),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, false, true),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, true, false),
    }
}
