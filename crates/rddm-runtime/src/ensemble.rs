//! A picture's mean over its mirrored and turned forms.

use ndarray::{Array3, ArrayView, ArrayView2, ArrayView3, Axis, Dimension};

use crate::Error;
use crate::progress::Progress;
use crate::restorer::{OnProgress, Restorer};

/// Mirrored and turned forms of a picture.
const FORMS: usize = 8;

impl Restorer {
    /// Restores a picture in its eight mirrored and turned forms, and gives the mean of what they become, turned back: the
    /// self-ensemble of Timofte et al., "Seven Ways to Improve Example-Based Single Image Super Resolution" (CVPR 2016),
    /// section 2.6. It takes eight times the time of [`Restorer::restore`], and the memory of two pictures more.
    ///
    /// For models of what has no up and down: falling rain, turned on its side, is not what a network was trained on.
    ///
    /// # Errors
    /// As [`Restorer::restore`].
    pub fn restore_ensemble(
        &self,
        picture: ArrayView3<'_, f32>,
        mask: Option<ArrayView2<'_, f32>>,
        progress: OnProgress<'_>,
    ) -> Result<Array3<f32>, Error> {
        let mut sum = Array3::zeros(picture.raw_dim());
        for form in 0..FORMS {
            let on_progress = &mut |of_form: Progress| {
                let Progress { step, steps, done, tiles } = of_form;
                progress(Progress { step, steps, done: form * tiles + done, tiles: FORMS * tiles })
            };
            let mask = mask.map(|mask| turned(mask, form));
            let restored = self.restore(turned(picture, form), mask, on_progress)?;
            sum += &turned_back(restored.view(), form);
        }
        Ok(sum / FORMS as f32)
    }
}

/// The form `0 .. 8` of a picture or mask whose last two axes are rows and columns.
fn turned<D: Dimension>(mut view: ArrayView<'_, f32, D>, form: usize) -> ArrayView<'_, f32, D> {
    let (rows, columns) = (view.ndim() - 2, view.ndim() - 1);
    if form & 1 != 0 {
        view.invert_axis(Axis(rows));
    }
    if form & 2 != 0 {
        view.invert_axis(Axis(columns));
    }
    if form & 4 != 0 {
        view.swap_axes(rows, columns);
    }
    view
}

fn turned_back(mut view: ArrayView3<'_, f32>, form: usize) -> ArrayView3<'_, f32> {
    if form & 4 != 0 {
        view.swap_axes(1, 2);
    }
    turned(view, form & 3)
}
