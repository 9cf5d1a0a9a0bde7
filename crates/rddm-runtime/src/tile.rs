//! One tile's way through one step.

use std::ops::Range;

use ndarray::{Array4, ArrayView3, s};
use rddm_core::{Details, NoiseField};
use rddm_manifest::MirrorMean;

use crate::{
    Error, ErrorKind, Restorer,
    confirm::{confirm, from_afar},
    engine::{Batch, Outputs},
    layout::Layout,
    networks::Crew,
    rows::{Band, all_finite},
    tiling::Span,
    vectors,
};

/// One step, as its tiles see it.
pub(crate) struct StepOf<'a> {
    pub(crate) restorer: &'a Restorer,
    pub(crate) layout: &'a Layout,
    pub(crate) noise: NoiseField,
    pub(crate) input: &'a Band,
    pub(crate) picture: &'a Band,
    pub(crate) step: usize,
    pub(crate) details: bool,
}

impl StepOf<'_> {
    /// Runs the networks on a tile's window, and takes its core through the step.
    pub(crate) fn tile(&self, rows: &Span, columns: &Span) -> Result<Block, Error> {
        let x = self.window(rows, columns);
        let mut outputs = self.predict(x.view())?;
        if let Some(mean) = self.layout.mirror {
            let leftward = s![.., .., .., ..;-1];
            for (output, image) in outputs.iter_mut().zip(self.predict(x.slice(leftward))?) {
                output.zip_mut_with(&image.slice(leftward), |value, of_image| {
                    *value = mean_of(mean, *value, *of_image);
                });
            }
        }
        if self.layout.confirm
            && let Some(residual) = outputs.first_mut()
        {
            let far = self.predict(from_afar(x.view(), self.layout.multiple).view())?;
            far.first().into_iter().for_each(|far| confirm(residual, far));
        }
        let inner_rows = rows.core.start - rows.window.start..rows.core.end - rows.window.start;
        let inner_columns =
            columns.core.start - columns.window.start..columns.core.end - columns.window.start;
        // Lines are read as slices below.
        let outputs: Vec<Array4<f32>> = outputs
            .into_iter()
            .map(|output| match output.is_standard_layout() {
                true => output,
                false => output.as_standard_layout().into_owned(),
            })
            .collect();
        let core = s![0, .., inner_rows, inner_columns];
        let cores: Vec<ArrayView3<'_, f32>> =
            outputs.iter().map(|output| output.slice(core)).collect();
        let mut lines = cores.iter().flat_map(|core| core.rows());
        if !lines.all(all_finite) {
            let what = format!(
                "the network gives values that are no numbers in step {} at rows {}…{}, columns {}…{}; the network is broken, or its precision does not fit this engine",
                self.step + 1,
                rows.core.start,
                rows.core.end - 1,
                columns.core.start,
                columns.core.end - 1,
            );
            return Err(Error::new(ErrorKind::NotFinite, what));
        }
        self.walk(rows, columns, &cores)
    }

    /// What the networks say of a window, each a picture of its size.
    fn predict(&self, x: Batch<'_>) -> Result<Outputs, Error> {
        let parts = self.restorer.parts();
        let times = parts.sampler.steps()[self.step].times;
        let run = |crew: &mut Crew| crew.run(&parts.wiring, x, times);
        let outputs = self.restorer.crews().with(&parts.cancel, run)?;
        let channels = self.layout.channels;
        let shape = [1, channels, x.dim().2, x.dim().3];
        match outputs.iter().find(|output| output.shape() != shape) {
            None => Ok(outputs),
            Some(output) => {
                let what = format!(
                    "the network gives {:?} for a window of {:?}, not one picture of its size with {channels} channels",
                    output.shape(),
                    x.shape()
                );
                Err(Error::new(ErrorKind::Network, what))
            }
        }
    }

    /// What the networks get of a tile: the picture, the input, the mask.
    fn window(&self, rows: &Span, columns: &Span) -> Array4<f32> {
        let Layout { channels, window_planes, .. } = *self.layout;
        let width = self.layout.width();
        let (height, across) = (rows.window.len(), columns.window.clone());
        let mut values = Vec::with_capacity(window_planes * height * across.len());
        for plane in 0..window_planes {
            let (band, plane) = match plane.checked_sub(channels) {
                None => (self.picture, plane),
                Some(plane) => (self.input, plane),
            };
            for y in rows.window.clone() {
                values.extend_from_slice(&band.row(y)[plane * width..][across.clone()]);
            }
        }
        let shape = (1, window_planes, height, across.len());
        // The loops above give exactly as many values.
        Array4::from_shape_vec(shape, values).unwrap_or_default()
    }

    /// The sampler's arithmetic on the core of a tile.
    fn walk(
        &self,
        rows: &Span,
        columns: &Span,
        outputs: &[ArrayView3<'_, f32>],
    ) -> Result<Block, Error> {
        let sampler = &self.restorer.parts().sampler;
        let step = sampler.steps()[self.step];
        let (channels, width) = (self.layout.channels, self.layout.width());
        let length = columns.core.len();
        let size = channels * rows.core.len() * length;
        let mut picture = Vec::with_capacity(size);
        let mut details = [Vec::new(), Vec::new()];
        let mut drawn = vec![0.0; if step.needs_noise { length } else { 0 }];
        let mut unused = vec![0.0; if self.details { length } else { 0 }];
        for channel in 0..channels {
            let part = channel * width + columns.core.start..channel * width + columns.core.end;
            for (line, y) in rows.core.clone().enumerate() {
                let begin = picture.len();
                picture.extend_from_slice(&self.picture.row(y)[part.clone()]);
                let x_t = &mut picture[begin..];
                let input =
                    if sampler.conditional() { &self.input.row(y)[part.clone()] } else { &[][..] };
                let mut line_of = outputs.iter().map(|core| core.slice_move(s![channel, line, ..]));
                let first = line_of.next();
                let second = line_of.next();
                let first = first.as_ref().and_then(|line| line.as_slice()).unwrap_or_default();
                let second = second.as_ref().and_then(|line| line.as_slice());
                let z = step.needs_noise.then(|| {
                    let x0 = columns.core.start;
                    vectors::fill(self.noise, step.draw, channel, y, x0, &mut drawn);
                    drawn.as_slice()
                });
                if self.details {
                    let [residual, noise] = &mut details;
                    residual.resize(begin + length, 0.0);
                    noise.resize(begin + length, 0.0);
                    let kept = Details {
                        residual: &mut residual[begin..],
                        noise: &mut noise[begin..],
                        x_start: &mut unused,
                    };
                    sampler.step_with_details(self.step, x_t, input, first, second, z, kept)?;
                } else {
                    sampler.step(self.step, x_t, input, first, second, z)?;
                }
            }
        }
        Ok(Block { rows: rows.core.clone(), columns: columns.core.clone(), picture, details })
    }
}

/// What counts of two answers about the same pixel.
fn mean_of(mean: MirrorMean, a: f32, b: f32) -> f32 {
    match mean {
        MirrorMean::Harmonic => harmonic(a, b),
        _ => (a + b) / 2.0,
    }
}

/// 2ab / (a + b), or 0 where the signs differ; what is no number stays none.
fn harmonic(a: f32, b: f32) -> f32 {
    let product = a * b;
    if product <= 0.0 && product.is_finite() { 0.0 } else { 2.0 * product / (a + b) }
}

/// The core of a tile after a step, channel after channel, row after row.
pub(crate) struct Block {
    rows: Range<usize>,
    columns: Range<usize>,
    pub(crate) picture: Vec<f32>,
    /// Residual and noise, or nothing.
    pub(crate) details: [Vec<f32>; 2],
}

impl Block {
    /// Puts values of the core into rows of `width` pixels a channel.
    pub(crate) fn put(&self, values: &[f32], band: &mut Band, width: usize) {
        let mut lines = values.chunks_exact(self.columns.len());
        for (channel, y) in self.lines(values) {
            let Some(line) = lines.next() else { return };
            band.row_mut(y)[channel * width..][self.columns.clone()].copy_from_slice(line);
        }
    }

    fn lines(&self, values: &[f32]) -> impl Iterator<Item = (usize, usize)> + use<> {
        let channels = values.len() / (self.rows.len() * self.columns.len()).max(1);
        let rows = self.rows.clone();
        (0..channels).flat_map(move |channel| rows.clone().map(move |y| (channel, y)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_answer_is_not_taken_for_disagreement() {
        for (a, b) in
            [(f32::NAN, 0.0), (f32::NAN, -1.0), (f32::INFINITY, -1.0), (f32::INFINITY, 0.0)]
        {
            assert!(!harmonic(a, b).is_finite() && !harmonic(b, a).is_finite(), "{a} and {b}");
        }
        assert_eq!(
            [harmonic(0.0, 0.0), harmonic(0.5, -0.5), harmonic(-0.25, -0.75)],
            [0.0, 0.0, -0.375]
        );
    }
}
