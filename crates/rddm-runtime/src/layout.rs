//! How one picture is cut: its padded size, tiles, bands.

use crate::tiling::Axis;

/// The cut of a picture of one size.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Tiles along the height and the width of the padded picture.
    pub(crate) rows: Axis,
    pub(crate) columns: Axis,
    /// The most tile rows that are run at once.
    pub(crate) band: usize,
    pub(crate) steps: usize,
    /// Channels of the pictures between the steps.
    pub(crate) channels: usize,
    /// Channels that are kept of the input: its colours and its mask.
    pub(crate) input_planes: usize,
    /// Channels that a network gets.
    pub(crate) window_planes: usize,
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
        let axis = |length: usize| {
            let length = length.next_multiple_of(self.multiple);
            Axis::new(length, tile.min(length), self.overlap, self.multiple)
        };
        let (rows, columns) = (axis(height), axis(width));
        let band = match threads {
            1 => 1,
            // Two tiles for each thread, so that none waits long for the last one.
            more => (2 * more).div_ceil(columns.spans().len()),
        };
        Layout {
            rows,
            columns,
            band,
            steps: self.steps,
            channels: self.channels,
            input_planes: self.input_planes,
            window_planes: self.window_planes,
            tile,
        }
    }

    /// Layouts that take less and less memory, the fastest first.
    pub(crate) fn descending(
        &self,
        size: [usize; 2],
        tile: usize,
        threads: usize,
    ) -> impl Iterator<Item = Layout> + '_ {
        let smallest = self.multiple.max(32);
        let halves = std::iter::successors(Some(tile), move |&tile| {
            (tile > smallest).then(|| (tile / 2).next_multiple_of(self.multiple).max(smallest))
        });
        halves.flat_map(move |tile| {
            let wide = self.layout(size, tile, threads);
            let narrow = Layout { band: 1, ..wide.clone() };
            [wide, narrow]
        })
    }
}

impl Layout {
    /// Width of the padded picture.
    pub(crate) fn width(&self) -> usize {
        self.columns.length()
    }

    /// Tiles over all steps.
    pub(crate) fn work(&self) -> usize {
        self.rows.spans().len() * self.columns.spans().len() * self.steps
    }
}
