use ndarray::{ArrayView3, Zip};

use crate::{Error, ErrorKind, luma};

/// Peak signal-to-noise ratio over all channels, in decibels: `-10 log10(mean((a - b)²))`.
///
/// Pictures `[channel, height, width]` with values in `[0, 1]`; any number of channels. Two equal
/// pictures give infinity.
///
/// # Errors
/// [`ErrorKind::Shape`] where the shapes differ, [`ErrorKind::Size`] for a picture without pixels,
/// [`ErrorKind::NotFinite`] where a value is NaN or infinite.
pub fn psnr_rgb(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> Result<f64, Error> {
    let square = mean(a, b, |difference| difference * difference)?;
    Ok(if square == 0.0 { f64::INFINITY } else { -10.0 * square.log10() })
}

/// Peak signal-to-noise ratio of the [`luma`], in decibels, with the peak at 255 (not at the 219
/// steps of the studio range), as the literature on rain measures it.
///
/// # Errors
/// Those of [`psnr_rgb`] and [`luma`].
pub fn psnr_y(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> Result<f64, Error> {
    same_shape(a, b)?;
    psnr_rgb(luma(a)?.view(), luma(b)?.view())
}

/// Mean absolute difference over all channels, in `[0, 1]`.
///
/// # Errors
/// Those of [`psnr_rgb`].
pub fn mae(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> Result<f64, Error> {
    mean(a, b, f64::abs)
}

fn mean(
    a: ArrayView3<'_, f32>,
    b: ArrayView3<'_, f32>,
    term: impl Fn(f64) -> f64,
) -> Result<f64, Error> {
    same_shape(a, b)?;
    let sum = Zip::from(a).and(b).fold(0.0, |sum, &a, &b| sum + term(f64::from(a) - f64::from(b)));
    if !sum.is_finite() {
        return Err(not_finite());
    }
    Ok(sum / a.len() as f64)
}

pub(crate) fn not_finite() -> Error {
    Error::new(
        ErrorKind::NotFinite,
        "a picture holds a value that is NaN or infinite, so it can't be measured: check what made it",
    )
}

pub(crate) fn same_shape(a: ArrayView3<'_, f32>, b: ArrayView3<'_, f32>) -> Result<(), Error> {
    if a.dim() != b.dim() {
        let ((ca, ha, wa), (cb, hb, wb)) = (a.dim(), b.dim());
        return Err(Error::new(
            ErrorKind::Shape,
            format!(
                "the pictures differ in shape: {wa}×{ha} with {ca} channels against {wb}×{hb} with {cb}; crop or convert one of them"
            ),
        ));
    }
    if a.is_empty() {
        return Err(Error::new(ErrorKind::Size, "the pictures have no pixels"));
    }
    Ok(())
}
