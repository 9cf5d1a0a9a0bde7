//! A picture that goes through row by row, from file to file, and never is in memory as a whole.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rddm_image::{Metadata, RowReader, RowWriter};
use rddm_runtime::{Control, Progress, RowError};

use super::batch::Batch;
use super::deliver::{self, Made};
use crate::failure::{Failure, code};
use crate::inputs::Job;
use crate::report;

/// Restores a file into another one, and gives the time that each part took.
pub(super) fn picture(
    batch: &mut Batch<'_>,
    job: &Job,
    place: &str,
    mut reader: RowReader,
    entry: &mut report::Picture,
) -> Result<report::Seconds, Failure> {
    let begun = Instant::now();
    let header = reader.header().clone();
    let mut metadata = Metadata::default();
    if !batch.args.files.strip {
        metadata = reader.metadata().clone();
        let (model, restorer) = (batch.model, &*batch.restorer);
        let strength = batch.args.sampling.strength;
        let made = Made { model, restorer, strength, ensemble: false };
        if !made.sign(&mut metadata) {
            deliver::left_unsigned(batch, job, deliver::OTHER_FORM, entry);
        }
    }
    deliver::make_folder(&job.output)?;
    let mut writer = RowWriter::create(&job.output, &header, &metadata)
        .map_err(|error| Failure::writing(&error))?;
    drop(metadata);

    let bar = batch.terminal.bar(&format!("{place}{}", job.input.display()));
    let mut on_progress = |progress: Progress| {
        bar.set_position((progress.fraction() * 1000.0) as u64);
        Control::Continue
    };
    let (size, colours) =
        ([header.channels, header.height, header.width], header.channels * header.width);
    let (mut reading, mut writing) = (Duration::ZERO, Duration::ZERO);
    let alpha = RefCell::new(Waiting::default());
    let trouble = RefCell::new(None);
    let note = |failure: Failure| -> RowError {
        let text = failure.what.clone();
        trouble.borrow_mut().get_or_insert(failure);
        text.into()
    };

    let mut read = vec![0.0; header.values_in_row()];
    let mut source = |_: usize, row: &mut [f32]| {
        let begun = Instant::now();
        reader.read(&mut read).map_err(|error| note(error.into()))?;
        let (seen, hidden) = read.split_at(colours);
        row.copy_from_slice(seen);
        if header.alpha {
            alpha.borrow_mut().put(hidden);
        }
        reading += begun.elapsed();
        Ok(())
    };
    let mut written = vec![0.0; header.values_in_row()];
    let mut sink = |_: usize, row: &[f32]| {
        let begun = Instant::now();
        let (seen, hidden) = written.split_at_mut(colours);
        seen.copy_from_slice(row);
        if header.alpha {
            alpha.borrow_mut().take(hidden);
        }
        writer.write(&written).map_err(|error| note(Failure::writing(&error)))?;
        writing += begun.elapsed();
        Ok(())
    };
    let networks = batch.restorer.network_time();
    let restored = batch.restorer.restore_rows(size, &mut source, &mut sink, &mut on_progress);
    bar.finish_and_clear();
    restored.map_err(|error| match trouble.take() {
        Some(failure) => failure,
        None => match Failure::from(error) {
            failure if failure.code == code::INTERRUPTED => failure,
            failure => failure.at(&job.input),
        },
    })?;
    reader.finish()?;
    let finishing = Instant::now();
    writer.finish(true).map_err(|error| Failure::writing(&error))?;
    writing += finishing.elapsed();
    let [read, write] = [reading, writing].map(|time| time.as_secs_f64());
    let restore = begun.elapsed().as_secs_f64() - read - write;
    let networks = (batch.restorer.network_time() - networks).as_secs_f64();
    Ok(report::Seconds { read, restore, write, networks })
}

/// The alpha channel of rows that were read and are not yet written, in the most bits that a file
/// has, which hold fewer bits exactly.
#[derive(Default)]
struct Waiting {
    rows: VecDeque<Vec<u16>>,
    spare: Vec<Vec<u16>>,
}

impl Waiting {
    fn put(&mut self, values: &[f32]) {
        let mut row = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(values.len()));
        row.clear();
        row.extend(values.iter().map(|value| (value * 65535.0).round() as u16));
        self.rows.push_back(row);
    }

    fn take(&mut self, values: &mut [f32]) {
        let Some(row) = self.rows.pop_front() else { return };
        for (value, &kept) in values.iter_mut().zip(&row) {
            *value = f32::from(kept) / 65535.0;
        }
        self.spare.push(row);
    }
}
