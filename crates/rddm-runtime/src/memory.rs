//! The memory of a restoration, known before it begins.

use ndarray::Array3;

use crate::{
    Error, ErrorKind,
    layout::Layout,
    parallel,
    tiling::{Action, Wavefront},
};

/// What a restoration of one size takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryEstimate {
    /// Bytes for everything that the restorer works with at its peak: rows, tiles, networks. The
    /// caller's picture, a result that is returned whole (4 bytes a value) and the process itself
    /// are not in it.
    pub bytes: u64,
    /// The part of it that is rows between the steps.
    pub rows: u64,
    /// The part of it that is networks at work, of all threads.
    pub networks: u64,
    /// Height and width of a tile's core.
    pub tile: usize,
    /// Tiles in one step, on average.
    pub tiles: usize,
    /// The most rows that were read and not yet written. What a caller of
    /// [`restore_rows`](crate::Restorer::restore_rows) keeps of them until then is its own.
    pub delay: usize,
}

/// What one network run costs, for windows of any size.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Bytes for weights that all threads share.
    pub(crate) weights: u64,
    /// Bytes for weights that each thread has of its own.
    pub(crate) own_weights: u64,
    /// Bytes for each pixel of a window, in each thread.
    pub(crate) per_pixel: f64,
    /// Bytes beside the weights while a network is made ready, by one thread at a time.
    pub(crate) preparing: u64,
    /// Whether a network keeps more than that.
    pub(crate) keeps_more: bool,
}

/// What a thread of a pool takes beside its tile: its stack, and what its allocator keeps.
const OF_A_THREAD: u64 = 2 << 20;

impl Layout {
    /// The peak of this layout, by walking through its order of work without doing it.
    pub(crate) fn estimate(&self, cost: Cost, threads: usize) -> MemoryEstimate {
        let float = size_of::<f32>() as u64;
        let planes = self.channels as u64;
        let steps = self.rows.len();
        let mut wave = Wavefront::new(&self.rows, self.band);
        // Rows from and to of the input, and of the picture that enters each step.
        let mut input = 0..0;
        let mut pictures = vec![0..0; steps + 1];
        let mut held = 0;
        // Rows that were let go are kept for others, of the input and of pictures apart.
        let (mut most_read, mut most_held) = (0, 0);
        let (mut widest, mut delay) = (0, 0);
        while let Some(action) = wave.advance() {
            let (grown, end) = match action {
                Action::Read(rows) => {
                    input.end = rows.end;
                    (0, rows.end)
                }
                Action::Run { step, ref tiles } => {
                    widest = widest.max(tiles.len());
                    (step + 1, self.rows[step].spans()[tiles.end - 1].core.end)
                }
            };
            held += (end - pictures[grown].end) as u64;
            pictures[grown].end = end;
            most_held = most_held.max(held);
            most_read = most_read.max((input.end - input.start) as u64);
            delay = delay.max(input.end.max(pictures[0].end) - pictures[steps].start);
            // Only the step that was run lets rows go, and who writes the last one's.
            if let Some(step) = grown.checked_sub(1) {
                let freed = [(step, wave.unneeded(step)), (steps, pictures[steps].end)];
                for (picture, start) in freed {
                    held -= (start - pictures[picture].start) as u64;
                    pictures[picture].start = start;
                }
            }
            input.start = wave.input_unneeded();
        }
        if self.shown {
            // Residual and noise of a step, and those and its picture as the caller sees them.
            most_held += 5 * self.height() as u64;
        }
        let values = most_held * planes + most_read * self.input_planes as u64;
        let rows = values * self.width() as u64 * float;
        let window = self.window().iter().map(|&side| side as u64).product::<u64>();
        // The window that goes in, its copy inside the engine, the outputs, those of its mirror image.
        let outputs = 2 * planes * (1 + u64::from(self.mirror.is_some()));
        let mut ports = window * float * (2 * self.window_planes as u64 + outputs);
        if self.confirm {
            // The same of a quarter of the window, and what compares them.
            ports += window * float * (2 * self.window_planes as u64 + 4 * planes) / 4;
        }
        let running = (window as f64 * cost.per_pixel) as u64;
        let tiles = widest.max(1).saturating_mul(self.columns.spans().len());
        let busy = threads.min(tiles).max(1) as u64;
        // Cores of tiles, which wait to be taken.
        let finished = parallel::ahead(threads, tiles) as u64;
        let core = window * float * planes * if self.shown { 3 } else { 1 };
        let networks = self.shapes() as u64 * cost.weights
            + busy * (cost.own_weights + ports)
            + (busy - 1) * running
            + running.max(cost.preparing)
            + finished * core
            + if busy > 1 { busy * OF_A_THREAD } else { 0 };
        MemoryEstimate {
            bytes: rows + networks,
            rows,
            networks,
            tile: self.tile,
            tiles: usize::try_from(self.work().div_ceil(steps.max(1) as u64)).unwrap_or(usize::MAX),
            delay,
        }
    }
}

/// The largest tiles of those that `layouts` gives, best first, that stay below `most` bytes; or the least that one of them
/// takes.
pub(crate) fn choose(
    layouts: impl Iterator<Item = Layout>,
    cost: Cost,
    threads: usize,
    most: u64,
) -> Result<Layout, u64> {
    let mut least = u64::MAX;
    for layout in layouts {
        let bytes = layout.estimate(cost, threads).bytes;
        if bytes <= most {
            return Ok(layout);
        }
        least = least.min(bytes);
    }
    Err(least)
}

/// The layout of those that `layouts` gives that takes the least memory.
pub(crate) fn least(
    layouts: impl Iterator<Item = Layout>,
    cost: Cost,
    threads: usize,
) -> Option<MemoryEstimate> {
    layouts.map(|layout| layout.estimate(cost, threads)).min_by_key(|estimate| estimate.bytes)
}

/// Room for a whole result, zeros.
pub(crate) fn blank(size: [usize; 3]) -> Result<Array3<f32>, Error> {
    let values = size.iter().fold(1, |values: usize, &side| values.saturating_mul(side));
    let mut blank = Vec::new();
    blank.try_reserve_exact(values).map_err(|_| {
        let [_, height, width] = size;
        let bytes = megabytes((values as u64).saturating_mul(size_of::<f32>() as u64));
        let what = format!("there is no memory for a result of {width}×{height} pixels, {bytes}");
        Error::new(ErrorKind::Memory, what)
    })?;
    blank.resize(values, 0.0);
    Array3::from_shape_vec(size, blank)
        .map_err(|error| Error::new(ErrorKind::Memory, error.to_string()))
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}
