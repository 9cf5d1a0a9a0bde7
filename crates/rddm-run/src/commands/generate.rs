//! `rddm-run --model NAME --count N`: pictures from noise alone.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rddm_image::{Depth, EncodeOptions, Format, Picture};
use rddm_manifest::ModelId;
use rddm_runtime::{Control, Progress};

use super::deliver;
use crate::args::Restore;
use crate::failure::Failure;
use crate::inputs::{STREAM, is_folder, writable};
use crate::report::{self, Status};
use crate::terminal::Terminal;
use crate::{interrupt, model};

pub(super) fn run(
    args: &Restore,
    id: &ModelId,
    count: usize,
    terminal: &mut Terminal,
) -> Result<u8, Failure> {
    let begun = Instant::now();
    let output = place(args, id);
    let stream = output == Path::new(STREAM);
    deliver::check_stream(terminal, stream)?;
    if args.files.format.is_none() {
        writable(&output)?;
    }
    let model = model::find(id, &args.registry, args.engine.precision)?;
    let cancel = interrupt::token()?;
    let restorer = model::restorer(&model, &args.engine, &args.sampling, cancel, terminal)?;
    let size = match (args.sampling.size, model.manifest.picture.size) {
        (Some((width, height)), _) => [height, width],
        (None, Some(size)) => size.map(|side| side as usize),
        (None, None) => return Err(Failure::usage("how large? add --size WIDTHxHEIGHT")),
    };
    let columns = (count as f64).sqrt().ceil() as usize;
    let mut report = report::Generated {
        schema: 1,
        model: report::Model::of(&model),
        engine: report::Engine::of(&restorer),
        sampler: report::Sampler::of(&restorer, &args.sampling),
        output: output.clone(),
        status: Status::Written,
        count,
        size: report::Size { width: size[1], height: size[0] },
        seconds: 0.0,
    };
    if args.files.skip_existing && !stream && output.exists() {
        terminal.note(&format!("{} exists, skipped", output.display()));
        report.status = Status::Skipped;
    } else {
        let [height, width] = rddm_image::grid_size(size, count, columns);
        let format = args.files.format.or_else(|| Format::from_path(&output));
        let checked = format.unwrap_or(Format::Png).check_size(width, height);
        checked.map_err(|error| Failure::writing(&error).at(&output))?;
        if args.files.dry_run {
            let report::Size { width, height } = report.size;
            terminal.note(&format!("{}, {count} pictures of {width}×{height}", output.display()));
            report.status = Status::Planned;
        }
    }
    if report.status != Status::Written {
        terminal.report(&report)?;
        return Ok(0);
    }
    let bar = terminal.bar(&output.display().to_string());
    let mut pictures = Vec::with_capacity(count);
    for index in 0..count {
        let mut on_progress = |progress: Progress| {
            let done = index as f64 + progress.fraction();
            bar.set_position((done / count as f64 * 1000.0) as u64);
            Control::Continue
        };
        let seed = args.sampling.seed.wrapping_add(index as u64);
        let mut picture = Picture::new(restorer.generate(size, seed, &mut on_progress)?);
        picture.depth = Depth::Eight;
        pictures.push(picture);
    }
    bar.finish_and_clear();
    let mut grid = rddm_image::grid(&pictures.iter().collect::<Vec<_>>(), columns)?;
    if !args.files.strip {
        let (strength, ensemble) = (args.sampling.strength, false);
        let made = deliver::Made { model: &model, restorer: &restorer, strength, ensemble };
        made.sign(&mut grid.metadata);
    }
    let mut options = EncodeOptions::default().with_quality(args.files.quality);
    options.format = args.files.format;
    if stream {
        let encoded =
            rddm_image::encode(&grid, &options).map_err(|error| Failure::writing(&error))?;
        interrupt::streaming(&output, || terminal.raw(&encoded.bytes))?;
    } else {
        deliver::make_folder(&output)?;
        interrupt::streaming(&output, || rddm_image::write(&output, &grid, &options))
            .map_err(|error| Failure::writing(&error))?;
    }
    report.seconds = begun.elapsed().as_secs_f64();
    terminal.note(&format!("{}, {count} pictures, {:.2} s", output.display(), report.seconds));
    terminal.report(&report)?;
    Ok(0)
}

/// The file that is drawn into: the model's name, in the folder where one was named.
fn place(args: &Restore, id: &ModelId) -> PathBuf {
    let extension = args.files.format.map_or("png", |format| format.extension());
    let name = format!("{id}.{extension}");
    match &args.output {
        None => PathBuf::from(name),
        Some(folder) if is_folder(folder) => folder.join(name),
        Some(file) => file.clone(),
    }
}
