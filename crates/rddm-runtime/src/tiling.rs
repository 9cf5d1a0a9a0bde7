//! Where tiles lie along an axis, and in which order the tile rows of all steps are run.

use std::ops::Range;

/// The tiles along one axis. All have windows of one size, so that an engine prepares one shape
/// for a picture; the cores partition the axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axis {
    length: usize,
    window: usize,
    spans: Vec<Span>,
}

/// A tile along one axis: what the network sees, and the part of it that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) window: Range<usize>,
    pub(crate) core: Range<usize>,
}

impl Axis {
    /// Tiles of at most `core` pixels with at least `overlap` pixels of context on each inner
    /// side, as few as there can be and none larger than that needs. `length` is a multiple of
    /// `multiple`; the windows begin and end at multiples.
    pub(crate) fn new(length: usize, core: usize, overlap: usize, multiple: usize) -> Self {
        let overlap = overlap.next_multiple_of(multiple);
        // Mirrored rows past the border come from the last window, so it is larger than they are.
        let core = core.next_multiple_of(multiple).max(2 * multiple);
        let window = core + 2 * overlap;
        if window >= length {
            let whole = Span { window: 0..length, core: 0..length };
            return Self { length, window: length, spans: vec![whole] };
        }
        // A border needs no context: the outer tiles keep `core + overlap` pixels of their window.
        let inner = length - 2 * overlap;
        let core =
            inner.div_ceil(inner.div_ceil(core)).next_multiple_of(multiple).max(2 * multiple);
        let window = core + 2 * overlap;
        let count = inner.div_ceil(core);
        let units = (length - window) / multiple;
        // In 64 bits: the product is larger than the axis.
        let share = |index: usize| index as u64 * units as u64 / (count as u64 - 1);
        let start = |index: usize| share(index) as usize * multiple;
        // The border between two cores is in the middle of what both windows see well enough.
        let border = |index: usize| match index {
            0 => 0,
            index if index == count => length,
            index => (start(index) + start(index - 1) + window) / 2,
        };
        let spans = (0..count)
            .map(|index| Span {
                window: start(index)..start(index) + window,
                core: border(index)..border(index + 1),
            })
            .collect();
        Self { length, window, spans }
    }

    /// Tiles of `core` pixels whose borders lie `shift` pixels before those of an even cut, so that
    /// a step can follow the step before it at once.
    pub(crate) fn shifted(
        length: usize,
        core: usize,
        overlap: usize,
        multiple: usize,
        shift: usize,
    ) -> Self {
        let overlap = overlap.next_multiple_of(multiple);
        let core = core.next_multiple_of(multiple).max(2 * multiple);
        let window = core + 2 * overlap;
        if window >= length {
            return Self::new(length, core, overlap, multiple);
        }
        let border = |index: usize| (index * core).saturating_sub(shift).min(length);
        let spans = (0..(length + shift).div_ceil(core))
            .map(|index| border(index)..border(index + 1))
            .filter(|core| !core.is_empty())
            .map(|core| {
                let start = core.end.saturating_sub(window - overlap).min(length - window);
                Span { window: start..start + window, core }
            })
            .collect();
        Self { length, window, spans }
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The size of every window.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }
}

/// The order of work: a wave of tile rows that runs through the steps while rows are still being
/// read, so that no step holds more rows than the next one has yet to look at.
#[derive(Debug)]
pub(crate) struct Wavefront<'a> {
    /// The tile rows of each step.
    rows: &'a [Axis],
    /// The most tile rows that are run at once.
    band: usize,
    /// The next tile row of each step.
    next: Vec<usize>,
    /// No step after this one has a tile row that could be run.
    furthest: usize,
    read: usize,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Read these rows of the input.
    Read(Range<usize>),
    /// Run these tile rows of a step.
    Run { step: usize, tiles: Range<usize> },
}

impl<'a> Wavefront<'a> {
    pub(crate) fn new(rows: &'a [Axis], band: usize) -> Self {
        Self { rows, band: band.max(1), next: vec![0; rows.len()], furthest: 0, read: 0 }
    }

    /// The next action, taken as done; none at the end.
    pub(crate) fn advance(&mut self) -> Option<Action> {
        // The furthest step first: it frees rows, the others only add to them.
        let last = self.rows.len().checked_sub(1)?;
        for step in (0..=self.furthest.min(last)).rev() {
            let there = self.finished(step);
            let first = self.next[step];
            let rest = self.rows[step].spans()[first..].iter();
            let ready = rest.take(self.band).take_while(|span| span.window.end <= there).count();
            if ready > 0 {
                let tiles = first..first + ready;
                self.next[step] = tiles.end;
                // It made rows for the step after it, and for no other.
                self.furthest = step + 1;
                return Some(Action::Run { step, tiles });
            }
        }
        self.furthest = 0;
        let first_step = self.rows[0].spans();
        let last = self.next[0].saturating_add(self.band).min(first_step.len()).checked_sub(1)?;
        let end = first_step[last].window.end;
        let rows = self.read..end;
        self.read = end;
        (!rows.is_empty()).then_some(Action::Read(rows))
    }

    /// Up to which row no tile of `step` needs the picture that enters it any more.
    pub(crate) fn unneeded(&self, step: usize) -> usize {
        let axis = &self.rows[step];
        axis.spans().get(self.next[step]).map_or(axis.length(), |span| span.window.start)
    }

    /// Up to which row no step needs the input any more; the last step needs it longest.
    pub(crate) fn input_unneeded(&self) -> usize {
        self.rows.len().checked_sub(1).map_or(0, |last| self.unneeded(last))
    }

    /// Rows of the picture that enters `step` that are finished.
    fn finished(&self, step: usize) -> usize {
        match step.checked_sub(1) {
            None => self.read,
            Some(before) => match self.next[before].checked_sub(1) {
                None => 0,
                Some(last) => self.rows[before].spans()[last].core.end,
            },
        }
    }
}

/// The row or column of the picture that stands for `position`, which may lie past the end:
/// mirrored at the outermost pixel, which is not repeated.
pub(crate) fn reflected(position: usize, length: usize) -> usize {
    let Some(last) = length.checked_sub(1).filter(|&last| last > 0) else { return 0 };
    let place = position % (2 * last);
    if place > last { 2 * last - place } else { place }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: &Axis, length: usize, overlap: usize, multiple: usize) {
        let mut reached = 0;
        for span in axis.spans() {
            assert_eq!(span.core.start, reached);
            reached = span.core.end;
            assert!(!span.core.is_empty());
            assert_eq!(span.window.len(), axis.window());
            assert_eq!(span.window.start % multiple, 0);
            assert!(span.window.end <= length);
            assert!(span.window.start == 0 || span.core.start - span.window.start >= overlap);
            assert!(span.window.end == length || span.window.end - span.core.end >= overlap);
        }
        assert_eq!(reached, length);
    }

    #[test]
    fn cores_partition_the_axis_and_have_their_context() {
        for (core, overlap, multiple) in
            [(64, 16, 8), (128, 64, 8), (256, 20, 4), (8, 3, 1), (16, 0, 16)]
        {
            for units in 1..300 {
                let length = units * multiple;
                check(&Axis::new(length, core, overlap, multiple), length, overlap, multiple);
                for shift in [0, 1, 2, 5, 40] {
                    let shift = shift * overlap.next_multiple_of(multiple);
                    let axis = Axis::shifted(length, core, overlap, multiple, shift);
                    check(&axis, length, overlap, multiple);
                }
            }
        }
    }

    #[test]
    fn every_tile_row_is_run_once_and_only_when_its_rows_are_there() {
        for (length, core, overlap, steps, band) in [
            (8, 64, 16, 5, 1),
            (1000, 64, 16, 1, 1),
            (1000, 64, 64, 5, 1),
            (1000, 64, 16, 3, 4),
            (1000, 64, 16, 3, 100),
        ] {
            for shift in [0, overlap] {
                let axis = |step| match shift {
                    0 => Axis::new(length, core, overlap, 8),
                    shift => Axis::shifted(length, core, overlap, 8, step * shift),
                };
                let axes: Vec<Axis> = (0..steps).map(axis).collect();
                walk(&axes, length, band);
            }
        }
    }

    fn walk(axes: &[Axis], length: usize, band: usize) {
        let steps = axes.len();
        let mut wave = Wavefront::new(axes, band);
        let mut done = vec![0; steps + 1];
        let mut gone = vec![0; steps];
        let mut next = vec![0; steps];
        while let Some(action) = wave.advance() {
            match action {
                Action::Read(rows) => {
                    assert_eq!(rows.start, done[0]);
                    done[0] = rows.end;
                }
                Action::Run { step, tiles } => {
                    assert!(tiles.len() <= band);
                    assert_eq!(tiles.start, next[step]);
                    for span in &axes[step].spans()[tiles.clone()] {
                        assert!(span.window.end <= done[step]);
                        assert!(span.window.start >= gone[step]);
                    }
                    next[step] = tiles.end;
                    done[step + 1] = axes[step].spans()[tiles.end - 1].core.end;
                    gone[step] = wave.unneeded(step);
                    assert!(gone.iter().all(|&gone| wave.input_unneeded() <= gone));
                }
            }
        }
        assert!(done.iter().all(|&rows| rows == length), "{done:?}");
    }

    #[test]
    fn mirroring_goes_back_and_forth() {
        let of = |length: usize| (0..9).map(|at| reflected(at, length)).collect::<Vec<_>>();
        assert_eq!(of(1), [0; 9]);
        assert_eq!(of(2), [0, 1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(of(4), [0, 1, 2, 3, 2, 1, 0, 1, 2]);
    }
}
