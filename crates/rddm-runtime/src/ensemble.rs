//! A picture's mean over its mirrored and turned forms.

use ndarray::{Array3, ArrayView, ArrayView2, ArrayView3, Axis, Dimension};

use crate::Error;
use crate::memory;
use crate::progress::Progress;
use crate::restorer::{OnProgress, Restorer};

/// Mirrored and turned forms of a picture: bit 0 is top and bottom exchanged, 1 left and right, 2 rows and columns.
const FORMS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
/// Those of which no two are mirror images of each other.
const UNMIRRORED: [usize; 4] = [0, 1, 4, 6];
/// Those in which up stays up.
const UPRIGHT: [usize; 2] = [0, 2];

impl Restorer {
    /// Restores a picture in its eight mirrored and turned forms, and gives the mean of what they become, turned back: the
    /// self-ensemble of Timofte et al., "Seven Ways to Improve Example-Based Single Image Super Resolution" (CVPR 2016),
    /// section 2.6. It takes eight times the time of [`Restorer::restore`], and the memory of two pictures more.
    ///
    /// Models that know upright pictures alone ([`Picture::upright`](rddm_manifest::Picture::upright)), such as those of falling
    /// rain, get two forms in place of eight: the picture and its mirror image. Where the networks are asked about mirror images
    /// anyway ([`Restorer::mirror`]), half of the forms are enough.
    ///
    /// # Errors
    /// As [`Restorer::restore`].
    pub fn restore_ensemble(
        &self,
        picture: ArrayView3<'_, f32>,
        mask: Option<ArrayView2<'_, f32>>,
        progress: OnProgress<'_>,
    ) -> Result<Array3<f32>, Error> {
        let forms = match (self.picture().upright, self.mirror()) {
            (false, false) => &FORMS[..],
            (false, true) => &UNMIRRORED,
            (true, false) => &UPRIGHT,
            (true, true) => &UPRIGHT[..1],
        };
        // Before work begins: what is turned is cut otherwise, and may take more memory.
        let (channels, height, width) = picture.dim();
        self.check_picture([channels, height, width])?;
        if forms.iter().any(|form| form & 4 != 0) {
            self.check_picture([channels, width, height])?;
        }
        let mut sum = memory::blank([channels, height, width])?;
        for (before, &form) in forms.iter().enumerate() {
            let on_progress = &mut |of_form: Progress| {
                let Progress { step, steps, done, tiles } = of_form;
                let (done, tiles) = (before * tiles + done, forms.len() * tiles);
                progress(Progress { step, steps, done, tiles })
            };
            let mask = mask.map(|mask| turned(mask, form));
            let restored = self.restore(turned(picture, form), mask, on_progress)?;
            sum += &turned_back(restored.view(), form);
        }
        Ok(sum / forms.len() as f32)
    }
}

/// A form of a picture or mask whose last two axes are rows and columns.
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
