//! How one picture is cut: its padded size, tiles, bands.

use rddm_manifest::MirrorMean;

use crate::tiling::Axis;

/// The cut of a picture of one size.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Tiles along the height of the padded picture, for each step.
    pub(crate) rows: Vec<Axis>,
    /// Tiles along its width, the same for all steps.
    pub(crate) columns: Axis,
    /// The most tile rows that are run at once.
    pub(crate) band: usize,
    /// Whether each step is shown, as a whole picture.
    pub(crate) shown: bool,
    /// Channels of the pictures between the steps.
    pub(crate) channels: usize,
    /// Channels that are kept of the input: its colours and its mask.
    pub(crate) input_planes: usize,
    /// Channels that a network gets.
    pub(crate) window_planes: usize,
    /// Which mean of its answers counts where it is asked about mirror images too.
    pub(crate) mirror: Option<MirrorMean>,
    /// Whether it is asked about the picture at half of its size too.
    pub(crate) confirm: bool,
    /// What a network's windows have to be a multiple of.
    pub(crate) multiple: usize,
    pub(crate) tile: usize,
}

/// What a layout depends on beside the picture's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) multiple: usize,
    pub(crate) overlap: usize,
    pub(crate) steps: usize,
    pub(crate) channels: usize,
    pub(crate) input_planes: usize,
    pub(crate) window_planes: usize,
    pub(crate) mirror: Option<MirrorMean>,
    pub(crate) confirm: bool,
}

impl Rules {
    /// The cut of a `height`×`width` picture into tiles of `tile` pixels, in bands that keep
    /// `threads` busy.
    pub(crate) fn layout(
        &self,
        [height, width]: [usize; 2],
        tile: usize,
        threads: usize,
    ) -> Layout {
        let Self { multiple, overlap, .. } = *self;
        let axis = |length: usize| {
            let length = length.next_multiple_of(multiple);
            Axis::new(length, tile.min(length), overlap, multiple)
        };
        let (rows, columns) = (axis(height), axis(width));
        let band = match threads {
            1 => 1,
            // Two tiles for each thread, so that none waits long for the last one.
            more => (2 * more).div_ceil(columns.spans().len()),
        };
        Layout {
            rows: vec![rows; self.steps],
            columns,
            band,
            shown: false,
            channels: self.channels,
            input_planes: self.input_planes,
            window_planes: self.window_planes,
            mirror: self.mirror,
            confirm: self.confirm,
            multiple,
            tile,
        }
    }

    /// The same with tile rows that move up by the overlap from step to step: each step can follow
    /// the one before it at once, which takes fewer rows in memory, and some more tiles.
    fn shifted(&self, [height, _]: [usize; 2], layout: &Layout) -> Layout {
        let Self { multiple, overlap, steps, .. } = *self;
        let height = height.next_multiple_of(multiple);
        let tile = layout.tile.min(height);
        let move_up = overlap.next_multiple_of(multiple);
        let rows = (0..steps)
            .map(|step| Axis::shifted(height, tile, overlap, multiple, step * move_up))
            .collect();
        Layout { rows, band: 1, ..layout.clone() }
    }

    /// Layouts that take less and less memory, the fastest first.
    pub(crate) fn descending(
        &self,
        size: [usize; 2],
        tile: usize,
        threads: usize,
    ) -> impl Iterator<Item = Layout> + '_ {
        let smallest = self.multiple.max(32);
        // An eighth less each time: a tile that is much smaller than it need be is much slower.
        let smaller = std::iter::successors(Some(tile), move |&tile| {
            let next = (tile - tile.div_ceil(8)) / self.multiple * self.multiple;
            (tile > smallest).then(|| next.max(smallest))
        });
        smaller.flat_map(move |tile| {
            let wide = self.layout(size, tile, threads);
            let narrow = Layout { band: 1, ..wide.clone() };
            let shifted = self.shifted(size, &wide);
            [wide, narrow, shifted]
        })
    }
}

impl Layout {
    /// The same with steps that are shown or not: each that is shown is run through the whole picture.
    pub(crate) fn showing_steps(self, shown: bool) -> Self {
        if shown { Self { band: usize::MAX, shown, ..self } } else { self }
    }

    /// Width of the padded picture.
    pub(crate) fn width(&self) -> usize {
        self.columns.length()
    }

    /// Height of the padded picture.
    pub(crate) fn height(&self) -> usize {
        self.rows.first().map_or(0, Axis::length)
    }

    /// Height and width of what a network sees at once.
    pub(crate) fn window(&self) -> [usize; 2] {
        [self.rows.first().map_or(0, Axis::window), self.columns.window()]
    }

    /// Of how many shapes the windows are.
    pub(crate) fn shapes(&self) -> usize {
        let window = self.window();
        // A small one is as small at half of its size.
        let half = window.map(|side| side.div_ceil(2).next_multiple_of(self.multiple));
        if self.confirm && half != window { 2 } else { 1 }
    }

    /// Tiles over all steps.
    pub(crate) fn work(&self) -> u64 {
        let tile_rows: u64 = self.rows.iter().map(|axis| axis.spans().len() as u64).sum();
        tile_rows * self.columns.spans().len() as u64
    }
}
