//! A picture that needs no file: gradients, edges, and texture of a fixed formula.

use ndarray::Array3;

/// `[channels, height, width]`, values in `[0, 1]`; the same everywhere.
pub(super) fn picture(channels: usize, height: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
        let slope = (x as f32 / width as f32 + y as f32 / height as f32) / 2.0;
        let edge = if (x / 24 + y / 16).is_multiple_of(2) { 0.2 } else { 0.0 };
        let texture = ((x * 37 + y * 101 + c * 59) % 97) as f32 / 97.0 * 0.15;
        let rain = if (x + 3 * y).is_multiple_of(29) { 0.3 } else { 0.0 };
        (0.1 + 0.5 * slope + edge + texture + rain).min(1.0)
    })
}
