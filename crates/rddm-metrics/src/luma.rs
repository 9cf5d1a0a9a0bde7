use ndarray::{Array3, ArrayView3, Axis, Zip};

use crate::{Error, ErrorKind};

/// The studio-range luma of a picture, `[1, height, width]`:
/// `Y = (65.481 R + 128.553 G + 24.966 B + 16) / 255` (BT.601), not rounded.
///
/// Takes three channels in `[0, 1]`, or one, which counts as three equal ones; the result is in
/// `[16/255, 235/255]`.
///
/// # Errors
/// [`ErrorKind::Channels`] for another number of channels.
pub fn luma(picture: ArrayView3<'_, f32>) -> Result<Array3<f32>, Error> {
    const WEIGHTS: [f32; 3] = [65.481 / 255.0, 128.553 / 255.0, 24.966 / 255.0];
    const OFFSET: f32 = 16.0 / 255.0;
    match picture.dim().0 {
        1 => Ok(picture.mapv(|v| WEIGHTS.iter().sum::<f32>() * v + OFFSET)),
        3 => {
            let mut out = Array3::from_elem((1, picture.dim().1, picture.dim().2), OFFSET);
            for (channel, weight) in WEIGHTS.iter().enumerate() {
                Zip::from(out.index_axis_mut(Axis(0), 0))
                    .and(picture.index_axis(Axis(0), channel))
                    .for_each(|out, &v| *out += weight * v);
            }
            Ok(out)
        }
        channels => Err(Error::new(
            ErrorKind::Channels,
            format!(
                "a luma needs a picture of 1 or 3 channels, and this one has {channels}: drop its alpha channel first"
            ),
        )),
    }
}

/// The picture that an 8-bit file would hold: every value clipped to `[0, 1]` and rounded to the
/// nearest multiple of `1/255`. NaN stays NaN.
pub fn quantise(picture: ArrayView3<'_, f32>) -> Array3<f32> {
    picture.mapv(|v| (v.clamp(0.0, 1.0) * 255.0).round() / 255.0)
}
