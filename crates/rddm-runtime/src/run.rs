//! One picture's way through the steps.

use ndarray::{Array3, Array4, ArrayView3, s};
use rayon::prelude::*;
use rddm_core::{Details, NoiseField};

use crate::{
    Control, Error, ErrorKind, Progress, Restorer, RowSink, RowSource, StepView,
    layout::Layout,
    parallel,
    restorer::{OnProgress, OnStep},
    rows::{Band, Spare},
    tiling::{Action, Span, Wavefront, reflected},
};

/// What the caller gives.
pub(crate) struct Job<'a> {
    /// Channels, height, width of the caller's picture.
    pub(crate) size: [usize; 3],
    pub(crate) source: &'a mut dyn RowSource,
    pub(crate) sink: &'a mut dyn RowSink,
    pub(crate) progress: OnProgress<'a>,
    pub(crate) on_step: Option<OnStep<'a>>,
}

pub(crate) struct Run<'a> {
    restorer: &'a Restorer,
    layout: Layout,
    job: Job<'a>,
    noise: NoiseField,
    /// The input and its mask, in [-1, 1].
    input: Band,
    input_spare: Spare,
    /// The pictures that enter the steps, and the restored one; in [-1, 1].
    pictures: Vec<Band>,
    spare: Spare,
    /// Residual and noise of the last step that was run, where the caller wants them.
    details: [Band; 2],
    done: usize,
}

/// The core of a tile after a step, channel after channel, row after row.
struct Block {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    picture: Vec<f32>,
    /// Residual and noise, or nothing.
    details: [Vec<f32>; 2],
}

impl<'a> Run<'a> {
    pub(crate) fn new(restorer: &'a Restorer, layout: Layout, job: Job<'a>) -> Self {
        let width = layout.width();
        let input_spare = Spare::new(layout.input_planes * width);
        let spare = Spare::new(layout.channels * width);
        let pictures = (0..=layout.steps).map(|_| Band::default()).collect();
        let noise = restorer.noise();
        let (input, details) = Default::default();
        Self { restorer, layout, job, noise, input, input_spare, pictures, spare, details, done: 0 }
    }

    pub(crate) fn with_seed(mut self, seed: u64) -> Self {
        self.noise = NoiseField::new(seed);
        self
    }

    pub(crate) fn go(mut self) -> Result<(), Error> {
        let rows = self.layout.rows.clone();
        let steps = self.layout.steps;
        let mut wave = Wavefront::new(&rows, steps, self.layout.band);
        while let Some(action) = wave.advance() {
            self.check_cancelled()?;
            match action {
                Action::Read(new) => self.read(new)?,
                Action::Run { step, tiles } => {
                    self.run(step, &rows.spans()[tiles])?;
                    self.tell_step(step)?;
                    if step + 1 == steps {
                        self.write()?;
                    }
                    self.pictures[step].drop_before(wave.unneeded(step), &mut self.spare);
                    let unneeded = wave.unneeded(steps - 1);
                    self.input.drop_before(unneeded, &mut self.input_spare);
                }
            }
        }
        Ok(())
    }

    /// Reads rows of the padded picture, and makes the start of them.
    fn read(&mut self, new: std::ops::Range<usize>) -> Result<(), Error> {
        if self.layout.input_planes > 0 {
            self.input.extend_to(new.end, &mut self.input_spare);
            let [channels, height, width] = self.job.size;
            let mask = self.layout.input_planes - self.layout.channels;
            let mut line = vec![0.0; (channels + mask) * width];
            for y in new.clone() {
                if y < height {
                    self.job.source.read(y, &mut line).map_err(|error| {
                        Error::caused(ErrorKind::Rows, format!("cannot read row {y}"), error)
                    })?;
                    self.take_row(y, &line)?;
                } else {
                    let from = self.input.row(self.mirrored(y, height)).to_vec();
                    self.input.row_mut(y).copy_from_slice(&from);
                }
            }
        }
        self.start(new)
    }

    /// The row that stands for row `y` below the picture.
    fn mirrored(&self, y: usize, height: usize) -> usize {
        match self.restorer.parts().picture.padding {
            rddm_manifest::Padding::Edge => height - 1,
            _ => reflected(y, height),
        }
    }

    fn take_row(&mut self, y: usize, line: &[f32]) -> Result<(), Error> {
        if let Some(at) = line.iter().position(|value| !value.is_finite()) {
            let width = self.job.size[2];
            let what = format!("the picture has no number at column {}, row {y}", at % width);
            return Err(Error::new(ErrorKind::Input, what));
        }
        let [channels, _, width] = self.job.size;
        let model = self.layout.channels;
        let padded = self.layout.width();
        let edge = matches!(self.restorer.parts().picture.padding, rddm_manifest::Padding::Edge);
        for (plane, out) in self.input.row_mut(y).chunks_exact_mut(padded).enumerate() {
            // Grey stands for every colour; the mask follows the colours.
            let from =
                if plane < model { plane.min(channels - 1) } else { channels + plane - model };
            let values = &line[from * width..][..width];
            for (out, value) in out.iter_mut().zip(values) {
                *out = value.clamp(0.0, 1.0) * 2.0 - 1.0;
            }
            for x in width..padded {
                out[x] = out[if edge { width - 1 } else { reflected(x, width) }];
            }
        }
        Ok(())
    }

    fn start(&mut self, new: std::ops::Range<usize>) -> Result<(), Error> {
        let (width, sampler) = (self.layout.width(), &self.restorer.parts().sampler);
        self.pictures[0].extend_to(new.end, &mut self.spare);
        let (noise, input) = (self.noise, &self.input);
        let conditional = sampler.conditional();
        let fill = |(row, y): (&mut [f32], usize)| {
            let mut drawn = vec![0.0; width];
            for (channel, out) in row.chunks_exact_mut(width).enumerate() {
                noise.fill(0, channel, y, 0, &mut drawn);
                let seen =
                    if conditional { &input.row(y)[channel * width..][..width] } else { &[][..] };
                sampler.start(seen, &drawn, out)?;
            }
            Ok::<(), Error>(())
        };
        let rows = self.pictures[0].rows_from(new.start);
        match self.restorer.pool() {
            Some(pool) => pool.install(|| rows.into_par_iter().zip(new).try_for_each(fill)),
            None => rows.into_iter().zip(new).try_for_each(fill),
        }
    }

    /// Runs all tiles of some tile rows through a step.
    fn run(&mut self, step: usize, tile_rows: &[Span]) -> Result<(), Error> {
        let Some(end) = tile_rows.last().map(|span| span.core.end) else { return Ok(()) };
        let wanted = self.job.on_step.is_some();
        let (before, after) = self.pictures.split_at_mut(step + 1);
        let next = &mut after[0];
        next.extend_to(end, &mut self.spare);
        if wanted {
            for band in &mut self.details {
                band.extend_to(end, &mut self.spare);
            }
        }
        let view = StepOf {
            restorer: self.restorer,
            layout: &self.layout,
            noise: self.noise,
            input: &self.input,
            picture: &before[step],
            step,
            details: wanted,
        };
        let columns = self.layout.columns.spans();
        let tiles = tile_rows.len() * columns.len();
        let work = |tile: usize| {
            view.tile(&tile_rows[tile / columns.len()], &columns[tile % columns.len()])
        };
        let (width, steps) = (self.layout.width(), self.layout.steps);
        let all = self.layout.work();
        let cancel = &self.restorer.parts().cancel;
        let (details, progress, done) =
            (&mut self.details, &mut *self.job.progress, &mut self.done);
        parallel::each(self.restorer.pool(), tiles, work, |block| {
            block.put(&block.picture, next, width);
            for (band, values) in details.iter_mut().zip(&block.details) {
                if wanted {
                    block.put(values, band, width);
                }
            }
            *done += 1;
            let control = progress(Progress { step, steps, done: *done, tiles: all });
            if control == Control::Stop || cancel.is_cancelled() {
                return Err(cancelled());
            }
            Ok(())
        })
    }

    fn check_cancelled(&self) -> Result<(), Error> {
        if self.restorer.parts().cancel.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }

    fn tell_step(&mut self, step: usize) -> Result<(), Error> {
        let Some(on_step) = &mut self.job.on_step else { return Ok(()) };
        let [_, height, width] = self.job.size;
        let (channels, padded) = (self.layout.channels, self.layout.width());
        let whole = |band: &Band| {
            Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
                band.row(y)[c * padded + x]
            })
        };
        let picture = whole(&self.pictures[step + 1]);
        let [residual, noise] = [whole(&self.details[0]), whole(&self.details[1])];
        let view = StepView {
            step,
            steps: self.layout.steps,
            time: self.restorer.parts().sampler.steps()[step].t,
            picture: picture.view(),
            residual: residual.view(),
            noise: noise.view(),
        };
        match on_step(view) {
            Control::Continue => Ok(()),
            Control::Stop => Err(cancelled()),
        }
    }

    /// Writes the restored rows that are new, and lets them go.
    fn write(&mut self) -> Result<(), Error> {
        let [channels, height, width] = self.job.size;
        let padded = self.layout.width();
        let strength = self.restorer.parts().strength;
        let blended = strength != 1.0 && self.layout.input_planes > 0;
        let restored = &mut self.pictures[self.layout.steps];
        let mean = channels == 1 && self.layout.channels > 1;
        let mut line = vec![0.0_f32; channels * width];
        for y in restored.first()..restored.end().min(height) {
            let row = restored.row(y);
            for (channel, out) in line.chunks_exact_mut(width).enumerate() {
                out.copy_from_slice(&row[channel * padded..][..width]);
                if mean {
                    let others = row.chunks_exact(padded).skip(1);
                    for plane in others {
                        out.iter_mut().zip(plane).for_each(|(sum, value)| *sum += value);
                    }
                    let share = 1.0 / self.layout.channels as f32;
                    out.iter_mut().for_each(|sum| *sum *= share);
                }
                if blended {
                    let seen = &self.input.row(y)[channel * padded..][..width];
                    out.iter_mut()
                        .zip(seen)
                        .for_each(|(value, &input)| *value = input + strength * (*value - input));
                }
                out.iter_mut().for_each(|value| *value = (*value * 0.5 + 0.5).clamp(0.0, 1.0));
            }
            self.job.sink.write(y, &line).map_err(|error| {
                Error::caused(ErrorKind::Rows, format!("cannot write row {y}"), error)
            })?;
        }
        let end = restored.end();
        restored.drop_before(end, &mut self.spare);
        Ok(())
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "stopped before the picture was finished")
}

impl Block {
    /// Puts values of the core into rows of `width` pixels a channel.
    fn put(&self, values: &[f32], band: &mut Band, width: usize) {
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

/// One step, as its tiles see it.
struct StepOf<'a> {
    restorer: &'a Restorer,
    layout: &'a Layout,
    noise: NoiseField,
    input: &'a Band,
    picture: &'a Band,
    step: usize,
    details: bool,
}

impl StepOf<'_> {
    fn tile(&self, rows: &Span, columns: &Span) -> Result<Block, Error> {
        let parts = self.restorer.parts();
        let step = parts.sampler.steps()[self.step];
        let x = self.window(rows, columns);
        let outputs =
            self.restorer.crews().with(|crew| crew.run(&parts.wiring, x.view(), step.times))?;
        let channels = self.layout.channels;
        let shape = [1, channels, x.dim().2, x.dim().3];
        for output in &outputs {
            if output.shape() != shape {
                let what = format!(
                    "the network gives {:?} for a window of {:?}, not one picture of its size with {channels} channels",
                    output.shape(),
                    x.shape()
                );
                return Err(Error::new(ErrorKind::Network, what));
            }
        }
        let inner_rows = rows.core.start - rows.window.start..rows.core.end - rows.window.start;
        let inner_columns =
            columns.core.start - columns.window.start..columns.core.end - columns.window.start;
        let cores: Vec<Array3<f32>> = outputs
            .into_iter()
            .map(|output| {
                output.slice(s![0, .., inner_rows.clone(), inner_columns.clone()]).to_owned()
            })
            .collect();
        let finite = cores.iter().flatten().all(|value| value.is_finite());
        if !finite {
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
        let views: Vec<ArrayView3<'_, f32>> = cores.iter().map(|core| core.view()).collect();
        self.walk(rows, columns, &views)
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
            let of = |band: &'_ Band, y: usize| {
                band.row(y)[channel * width..][columns.core.clone()].to_vec()
            };
            for (line, y) in rows.core.clone().enumerate() {
                let begin = picture.len();
                picture.extend_from_slice(
                    &self.picture.row(y)[channel * width..][columns.core.clone()],
                );
                let x_t = &mut picture[begin..];
                let input = if sampler.conditional() { of(self.input, y) } else { Vec::new() };
                let mut line_of = outputs.iter().map(|core| core.slice_move(s![channel, line, ..]));
                let first = line_of.next();
                let second = line_of.next();
                let first = first.as_ref().and_then(|line| line.as_slice()).unwrap_or_default();
                let second = second.as_ref().and_then(|line| line.as_slice());
                let z = step.needs_noise.then(|| {
                    self.noise.fill(step.draw, channel, y, columns.core.start, &mut drawn);
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
                    sampler.step_with_details(self.step, x_t, &input, first, second, z, kept)?;
                } else {
                    sampler.step(self.step, x_t, &input, first, second, z)?;
                }
            }
        }
        Ok(Block { rows: rows.core.clone(), columns: columns.core.clone(), picture, details })
    }
}
