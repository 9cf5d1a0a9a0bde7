//! One picture's way through the steps.

use std::ops::Range;

use rayon::prelude::*;
use rddm_core::NoiseField;

use crate::{
    Control, Error, ErrorKind, Progress, Restorer, RowSink, RowSource, StepView,
    layout::Layout,
    memory, parallel,
    restorer::{OnProgress, OnStep},
    rows::{Band, Spare, all_finite},
    tile::StepOf,
    tiling::{Action, Span, Wavefront, reflected},
    vectors,
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

impl<'a> Run<'a> {
    pub(crate) fn new(restorer: &'a Restorer, layout: Layout, job: Job<'a>) -> Self {
        let width = layout.width();
        let input_spare = Spare::new(layout.input_planes * width);
        let spare = Spare::new(layout.channels * width);
        let pictures = (0..=layout.rows.len()).map(|_| Band::default()).collect();
        let noise = restorer.noise();
        let (input, details) = Default::default();
        Self { restorer, layout, job, noise, input, input_spare, pictures, spare, details, done: 0 }
    }

    pub(crate) fn with_seed(mut self, seed: u64) -> Self {
        self.noise = NoiseField::new(seed);
        self
    }

    pub(crate) fn go(mut self) -> Result<(), Error> {
        let _under_way = self.restorer.crews().begin_picture(self.layout.shapes());
        let rows = self.layout.rows.clone();
        let steps = rows.len();
        let mut wave = Wavefront::new(&rows, self.layout.band);
        while let Some(action) = wave.advance() {
            self.check_cancelled()?;
            match action {
                Action::Read(new) => self.read(new)?,
                Action::Run { step, tiles } => {
                    self.run(step, &rows[step].spans()[tiles])?;
                    self.tell_step(step)?;
                    if step + 1 == steps {
                        self.write()?;
                    }
                    self.pictures[step].drop_before(wave.unneeded(step), &mut self.spare);
                    self.input.drop_before(wave.input_unneeded(), &mut self.input_spare);
                }
            }
        }
        Ok(())
    }

    /// Reads rows of the padded picture, and makes the start of them.
    fn read(&mut self, new: Range<usize>) -> Result<(), Error> {
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
        if !all_finite(line)
            && let Some(at) = line.iter().position(|value| !value.is_finite())
        {
            let [channels, _, width] = self.job.size;
            let name = if at < channels * width { "picture" } else { "mask" };
            let what = format!("the {name} has no number at column {}, row {y}", at % width);
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

    fn start(&mut self, new: Range<usize>) -> Result<(), Error> {
        let (width, sampler) = (self.layout.width(), &self.restorer.parts().sampler);
        self.pictures[0].extend_to(new.end, &mut self.spare);
        let (noise, input) = (self.noise, &self.input);
        let (conditional, noisy) = (sampler.conditional(), sampler.start_needs_noise());
        let fill = |(row, y): (&mut [f32], usize)| {
            let mut drawn = vec![0.0; width];
            for (channel, out) in row.chunks_exact_mut(width).enumerate() {
                if noisy {
                    vectors::fill(noise, 0, channel, y, 0, &mut drawn);
                }
                let seen =
                    if conditional { &input.row(y)[channel * width..][..width] } else { &[][..] };
                sampler.start(seen, &drawn, out)?;
            }
            Ok::<(), Error>(())
        };
        let rows = self.pictures[0].rows_from(new.start);
        // In the pool it waits for the tiles of other pictures, which a copy and a small picture need not.
        let tiles = self.layout.rows[0].spans().len() * self.layout.columns.spans().len();
        match self.restorer.pool().filter(|_| noisy && tiles > 1) {
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
        let (width, steps) = (self.layout.width(), self.layout.rows.len());
        let all = usize::try_from(self.layout.work()).unwrap_or(usize::MAX);
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
            let mut whole = memory::blank([channels, height, width])?;
            for ((c, y, x), value) in whole.indexed_iter_mut() {
                *value = band.row(y)[c * padded + x];
            }
            Ok::<_, Error>(whole)
        };
        let picture = whole(&self.pictures[step + 1])?;
        let [residual, noise] = [whole(&self.details[0])?, whole(&self.details[1])?];
        let view = StepView {
            step,
            steps: self.layout.rows.len(),
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
        let restored = &mut self.pictures[self.layout.rows.len()];
        let mean = channels == 1 && self.layout.channels > 1;
        let masked = self.layout.input_planes > self.layout.channels;
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
                if masked {
                    // What the mask leaves out stays as it was.
                    let input = self.input.row(y);
                    let seen = &input[channel * padded..][..width];
                    let mask = &input[self.layout.channels * padded..][..width];
                    for ((value, &seen), &mask) in out.iter_mut().zip(seen).zip(mask) {
                        if mask <= -1.0 {
                            *value = seen;
                        }
                    }
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

pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "stopped before the picture was finished")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::mpsc, time::Duration};

    use ndarray::Array3;
    use rddm_manifest::Manifest;

    use super::*;

    #[test]
    fn a_small_picture_waits_for_no_thread_of_the_pool() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        // With noise at the start, and without.
        for id in ["denoise", "denoise-tiny"] {
            let manifest = fs::read_to_string(root.join(format!("manifests/{id}.toml"))).unwrap();
            let manifest = Manifest::parse(&manifest).unwrap();
            let network = fs::read(root.join(format!("zoo/{id}/{id}.onnx"))).unwrap();
            let restorer = Restorer::builder(&manifest).threads(2).build([network]).unwrap();
            let busy = [(); 2].map(|()| {
                let (release, released) = mpsc::channel::<()>();
                restorer.pool().unwrap().spawn(move || released.recv().unwrap_or_default());
                release
            });
            let (sender, done) = mpsc::channel();
            let done = std::thread::scope(|scope| {
                scope.spawn(|| {
                    let picture = Array3::from_elem((3, 24, 24), 0.5);
                    let go_on = &mut |_| Control::Continue;
                    sender.send(restorer.restore(picture.view(), None, go_on).is_ok())
                });
                let done = done.recv_timeout(Duration::from_secs(100));
                drop(busy);
                done
            });
            assert_eq!(done, Ok(true), "{id}");
        }
    }
}
