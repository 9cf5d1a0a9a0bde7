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

/// Row `y` of a colour picture with the slopes, edges and grain of a photograph, its planes one after
/// the other. It compresses as little as one, too.
pub(super) fn grainy_row(row: &mut [f32], y: usize, width: usize, height: usize) {
    let mut state = (y as u32).wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b;
    for (channel, plane) in row.chunks_exact_mut(width).enumerate() {
        for (x, value) in plane.iter_mut().enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            let edge = if (x / 37 + y / 53 + channel).is_multiple_of(3) { 0.2 } else { 0.0 };
            let slope = x as f32 / width as f32 + y as f32 / height as f32;
            *value = 0.15 + edge + 0.25 * slope + 0.04 * grain;
        }
    }
}
