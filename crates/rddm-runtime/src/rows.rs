use std::collections::VecDeque;

/// What a [`RowSource`] or [`RowSink`] may fail with.
pub type RowError = Box<dyn std::error::Error + Send + Sync>;

/// Gives a picture row by row, from the top. Every `FnMut(usize, &mut [f32])` that returns a
/// result is one.
pub trait RowSource {
    /// Fills `row` with row `y`: its first channel from left to right, then the next channel. Values
    /// are from 0 to 1. Rows are asked for in order, each once.
    ///
    /// # Errors
    /// Anything; it ends the restoration with the kind [`Rows`](crate::ErrorKind::Rows).
    fn read(&mut self, y: usize, row: &mut [f32]) -> Result<(), RowError>;
}

/// Takes a picture row by row, from the top. Every `FnMut(usize, &[f32])` that returns a result is
/// one.
pub trait RowSink {
    /// Takes row `y`, laid out as in [`RowSource::read`]. Rows come in order, each once.
    ///
    /// # Errors
    /// Anything; it ends the restoration with the kind [`Rows`](crate::ErrorKind::Rows).
    fn write(&mut self, y: usize, row: &[f32]) -> Result<(), RowError>;
}

impl<F: FnMut(usize, &mut [f32]) -> Result<(), RowError>> RowSource for F {
    fn read(&mut self, y: usize, row: &mut [f32]) -> Result<(), RowError> {
        self(y, row)
    }
}

impl<F: FnMut(usize, &[f32]) -> Result<(), RowError>> RowSink for F {
    fn write(&mut self, y: usize, row: &[f32]) -> Result<(), RowError> {
        self(y, row)
    }
}

/// Whether all values are numbers. It looks at each in any case, so that a processor with vectors
/// takes several at a time.
pub(crate) fn all_finite<'a>(values: impl IntoIterator<Item = &'a f32>) -> bool {
    values.into_iter().fold(true, |all, value| all & value.is_finite())
}

/// A run of rows of a picture that moves down: new rows at its end, used ones leave at its start.
#[derive(Debug, Default)]
pub(crate) struct Band {
    first: usize,
    rows: VecDeque<Vec<f32>>,
}

/// Rows that were let go, for use by any band of the same width.
#[derive(Debug)]
pub(crate) struct Spare {
    row_len: usize,
    rows: Vec<Vec<f32>>,
}

impl Spare {
    pub(crate) fn new(row_len: usize) -> Self {
        Self { row_len, rows: Vec::new() }
    }
}

impl Band {
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// The row after the last one.
    pub(crate) fn end(&self) -> usize {
        self.first + self.rows.len()
    }

    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.rows[y - self.first]
    }

    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.rows[y - self.first]
    }

    /// Adds rows up to `end`. What they hold is left over from other rows.
    pub(crate) fn extend_to(&mut self, end: usize, spare: &mut Spare) {
        while self.end() < end {
            let row = spare.rows.pop().unwrap_or_else(|| vec![0.0; spare.row_len]);
            self.rows.push_back(row);
        }
    }

    /// Lets the rows before `start` go.
    pub(crate) fn drop_before(&mut self, start: usize, spare: &mut Spare) {
        while self.first < start {
            let Some(row) = self.rows.pop_front() else { break };
            spare.rows.push(row);
            self.first += 1;
        }
    }

    /// The rows from `y` on, to be written at the same time.
    pub(crate) fn rows_from(&mut self, y: usize) -> Vec<&mut [f32]> {
        let skip = y - self.first;
        self.rows.iter_mut().skip(skip).map(Vec::as_mut_slice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Layout, Rules};
    use crate::memory::Cost;
    use crate::tiling::{Action, Wavefront};

    /// Rows of the input and of pictures that a run of `layout` makes, each as often as it is not a
    /// spare one.
    fn made(layout: &Layout) -> [usize; 2] {
        let steps = layout.rows.len();
        let (mut input, mut input_spare) = (Band::default(), Spare::new(0));
        let mut pictures: Vec<Band> = (0..=steps).map(|_| Band::default()).collect();
        let mut spare = Spare::new(0);
        let mut wave = Wavefront::new(&layout.rows, layout.band);
        while let Some(action) = wave.advance() {
            match action {
                Action::Read(rows) => {
                    input.extend_to(rows.end, &mut input_spare);
                    pictures[0].extend_to(rows.end, &mut spare);
                }
                Action::Run { step, tiles } => {
                    let end = layout.rows[step].spans()[tiles.end - 1].core.end;
                    pictures[step + 1].extend_to(end, &mut spare);
                    let written = pictures[steps].end();
                    pictures[steps].drop_before(written, &mut spare);
                    pictures[step].drop_before(wave.unneeded(step), &mut spare);
                    input.drop_before(wave.input_unneeded(), &mut input_spare);
                }
            }
        }
        [input_spare.rows.len(), spare.rows.len()]
    }

    #[test]
    fn the_estimate_has_every_row_that_is_made() {
        let rules = Rules {
            multiple: 8,
            overlap: 32,
            steps: 5,
            channels: 3,
            input_planes: 4,
            window_planes: 7,
            mirror: None,
            confirm: false,
        };
        for layout in rules.descending([1000, 96], 256, 3) {
            let [input, pictures] = made(&layout);
            let values = (4 * input + 3 * pictures) * layout.width();
            let rows = layout.estimate(Cost::default(), 3).rows;
            assert_eq!(rows, (values * size_of::<f32>()) as u64, "{layout:?}");
        }
    }
}
