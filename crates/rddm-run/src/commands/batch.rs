//! Pictures one after the other: read, restore, hand over.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{Array2, Array3, Axis};
use rddm_image::{EncodeOptions, ErrorKind, Format, Limits, Picture};
use rddm_runtime::{CancelToken, Control, Progress, Restorer, StepView};
use rddm_zoo::ResolvedModel;

use super::budget::{self, Plan, Way, megabytes};
use super::{by_rows, deliver};
use crate::args::Restore;
use crate::failure::{Failure, code};
use crate::inputs::{Job, STREAM, is_stream, writable};
use crate::interrupt::streaming;
use crate::report::{self, Status};
use crate::terminal::Terminal;

/// What all pictures of a run share.
pub(super) struct Batch<'a> {
    pub(super) args: &'a Restore,
    pub(super) model: &'a ResolvedModel,
    pub(super) restorer: &'a mut Restorer,
    /// Bytes of the process before its first picture.
    pub(super) process: u64,
    /// What is to be restored of each picture, for models that are told.
    pub(super) mask: Option<Array2<f32>>,
    pub(super) cancel: &'a CancelToken,
    pub(super) terminal: &'a mut Terminal,
}

/// What became of the pictures that had their turn.
#[derive(Default)]
pub(super) struct Done {
    pub(super) pictures: Vec<report::Picture>,
    pub(super) interrupted: bool,
}

impl Done {
    /// The exit code that each picture has alone.
    pub(super) fn codes(&self) -> impl Iterator<Item = u8> {
        self.pictures.iter().map(|picture| picture.error.as_ref().map_or(0, |error| error.code))
    }

    pub(super) fn add(&mut self, more: Self) {
        self.pictures.extend(more.pictures);
        self.interrupted |= more.interrupted;
    }
}

impl Batch<'_> {
    /// One after the other; a picture that fails is reported, and the next one has its turn.
    pub(super) fn all(&mut self, jobs: &[Job]) -> Done {
        let mut done = Done::default();
        for (index, job) in jobs.iter().enumerate() {
            if self.cancel.is_cancelled() {
                done.interrupted = true;
                break;
            }
            let place = match jobs.len() {
                1 => String::new(),
                count => format!("[{}/{count}] ", index + 1),
            };
            let mut entry = report::Picture::of(job);
            match self.one(job, &place, &mut entry) {
                Ok(status) => entry.status = status,
                Err(failure) if failure.code == code::INTERRUPTED => {
                    done.interrupted = true;
                    break;
                }
                Err(failure) => {
                    self.terminal.failed(&failure);
                    entry.error = Some((&failure).into());
                }
            }
            done.pictures.push(entry);
        }
        done
    }

    fn one(
        &mut self,
        job: &Job,
        place: &str,
        entry: &mut report::Picture,
    ) -> Result<Status, Failure> {
        let files = &self.args.files;
        let exists = job.output != Path::new(STREAM) && job.output.exists();
        if files.skip_existing && exists && !job.output.is_dir() {
            self.terminal.note(&format!("{place}{} exists, skipped", job.output.display()));
            return Ok(Status::Skipped);
        }
        let begun = Instant::now();
        let mut limits = Limits::default();
        let mut bytes = None;
        if let Some(most) = self.args.engine.max_memory {
            let Plan { way, format, size, memory, unread } = self.plan(job, most)?;
            self.check_mask(size)?;
            self.check_size(job, size, format)?;
            deliver::check_kept(job, &unread)?;
            entry.size = Some(size);
            entry.memory = Some(memory);
            self.tell(job, place, size, memory);
            match way {
                _ if files.dry_run => return Ok(Status::Planned),
                Way::Rows(reader) => {
                    entry.seconds = Some(by_rows::picture(self, job, place, *reader, entry)?);
                    deliver::left_behind(self, job, &unread, entry);
                    return Ok(self.written(job, place, size, begun));
                }
                Way::Whole(kept) => limits = kept,
                Way::Bytes(read, kept) => (bytes, limits) = (Some(read), kept),
            }
        }
        let picture = match bytes {
            Some(bytes) => decode(&job.input, &bytes, &limits)?,
            None => read(&job.input, &limits)?,
        };
        let read_seconds = begun.elapsed().as_secs_f64();
        let size = report::Size { width: picture.width(), height: picture.height() };
        entry.size = Some(size);
        self.check_mask(size)?;
        self.check_size(job, size, picture.format.unwrap_or(Format::Png))?;
        deliver::check_kept(job, &picture.unread)?;
        if files.dry_run {
            let memory = self.memory_of(&picture, job).map_err(|failure| failure.at(&job.input))?;
            entry.memory = Some(memory);
            self.tell(job, place, size, memory);
            return Ok(Status::Planned);
        }
        let networks = self.restorer.network_time();
        let restored = self.restore(job, place, &picture, entry)?;
        let restored_seconds = begun.elapsed().as_secs_f64();
        deliver::picture(self, job, &picture, restored, entry)?;
        let seconds = begun.elapsed().as_secs_f64();
        entry.seconds = Some(report::Seconds {
            read: read_seconds,
            restore: restored_seconds - read_seconds,
            write: seconds - restored_seconds,
            networks: (self.restorer.network_time() - networks).as_secs_f64(),
        });
        Ok(self.written(job, place, size, begun))
    }

    fn written(&mut self, job: &Job, place: &str, size: report::Size, begun: Instant) -> Status {
        let seconds = begun.elapsed().as_secs_f64();
        self.terminal.note(&format!("{place}{}, {seconds:.2} s", Self::line(job, size)));
        Status::Written
    }

    fn line(job: &Job, size: report::Size) -> String {
        let (input, output) = (job.input.display(), job.output.display());
        format!("{input} → {output}  {}×{}", size.width, size.height)
    }

    /// Refuses a picture that the mask does not fit.
    fn check_mask(&self, size: report::Size) -> Result<(), Failure> {
        let (Some(mask), Some(path)) = (&self.mask, &self.args.sampling.mask) else {
            return Ok(());
        };
        let (height, width) = mask.dim();
        if (width, height) == (size.width, size.height) {
            return Ok(());
        }
        let (path, picture) = (path.display(), format!("{}×{}", size.width, size.height));
        let what = format!("{path}: the mask is {width}×{height} and the picture {picture}");
        Err(Failure::new(code::INPUT, what))
    }

    /// Refuses a picture that its output's format can't hold, which is the input's unless another one was asked for.
    fn check_size(&self, job: &Job, size: report::Size, input: Format) -> Result<(), Failure> {
        if self.args.files.format.is_none() {
            writable(&job.output)?;
        }
        let format = self.written_format(job).unwrap_or(input);
        let checked = format.check_size(size.width, size.height);
        checked.map_err(|error| Failure::writing(&error).at(&job.output))
    }

    /// Says before the work what it will take.
    fn tell(&mut self, job: &Job, place: &str, size: report::Size, memory: report::Memory) {
        self.terminal.note(&format!(
            "{place}{}, {} tiles of {} pixels{}, at most {}",
            Self::line(job, size),
            memory.tiles,
            memory.tile,
            if memory.rows { " row by row" } else { "" },
            megabytes(memory.bytes)
        ));
    }

    fn restore(
        &mut self,
        job: &Job,
        place: &str,
        picture: &Picture,
        entry: &mut report::Picture,
    ) -> Result<Array3<f32>, Failure> {
        let bar = self.terminal.bar(&format!("{place}{}", job.input.display()));
        let mut on_progress = |progress: Progress| {
            bar.set_position((progress.fraction() * 1000.0) as u64);
            Control::Continue
        };
        let pixels = picture.pixels.view();
        let mask = self.mask.as_ref().map(|mask| mask.view());
        let mut trouble = None;
        let restored = match &self.args.looks.preview {
            None if self.args.sampling.ensemble => {
                self.restorer.restore_ensemble(pixels, mask, &mut on_progress)
            }
            None => self.restorer.restore(pixels, mask, &mut on_progress),
            Some(folder) => {
                let mut on_step = |view: StepView<'_>| match write_step(folder, job, &view) {
                    Ok(path) => {
                        entry.also.push(path);
                        Control::Continue
                    }
                    Err(failure) => {
                        trouble = Some(failure);
                        Control::Stop
                    }
                };
                self.restorer.restore_with_steps(pixels, mask, &mut on_progress, &mut on_step)
            }
        };
        bar.finish_and_clear();
        match (restored, trouble) {
            (Ok(restored), _) => Ok(restored),
            (Err(_), Some(failure)) => Err(failure),
            (Err(error), None) => Err(match Failure::from(error) {
                failure if failure.code == code::INTERRUPTED => failure,
                failure => failure.at(&job.input),
            }),
        }
    }
}

/// The mask of a run, read once: it may come through standard input.
pub(super) fn mask_of(args: &Restore, process: u64) -> Result<Option<Array2<f32>>, Failure> {
    let Some(path) = &args.sampling.mask else { return Ok(None) };
    let picture = match args.engine.max_memory {
        None => read(path, &Limits::default())?,
        Some(most) => {
            let limits = Limits::default().with_memory(most.saturating_sub(process));
            let bytes = contents(path, &limits)?;
            rddm_image::decode(&bytes, &limits).map_err(|error| budget::beyond(error).at(path))?
        }
    };
    mask(&picture).map(Some)
}

/// What a picture marks: white is 1, and what is transparent nothing.
pub(super) fn mask(picture: &Picture) -> Result<Array2<f32>, Failure> {
    let mask = rddm_image::with_channels(picture.pixels.view(), 1)?.remove_axis(Axis(0));
    Ok(match &picture.alpha {
        Some(alpha) => mask * alpha,
        None => mask,
    })
}

/// What the names of the pictures after each step begin with.
pub(super) fn steps(folder: &Path, job: &Job) -> PathBuf {
    folder.join(job.below.with_file_name(deliver::named_after(&job.input, ".step-")))
}

fn write_step(folder: &Path, job: &Job, view: &StepView<'_>) -> Result<PathBuf, Failure> {
    let mut path = steps(folder, job).into_os_string();
    path.push(format!("{:02}.png", view.step + 1));
    let path = PathBuf::from(path);
    deliver::make_folder(&path)?;
    let step = Picture::new(view.picture.mapv(|value| (value + 1.0) / 2.0));
    rddm_image::write(&path, &step, &EncodeOptions::default())
        .map_err(|error| Failure::writing(&error))?;
    Ok(path)
}

fn read(path: &Path, limits: &Limits) -> Result<Picture, Failure> {
    if !is_stream(path) {
        return rddm_image::read(path, limits).map_err(|error| advised(error.kind(), error.into()));
    }
    decode(path, &contents(path, limits)?, limits)
}

fn decode(path: &Path, bytes: &[u8], limits: &Limits) -> Result<Picture, Failure> {
    rddm_image::decode(bytes, limits)
        .map_err(|error| advised(error.kind(), unreadable(path, error)))
}

/// Says what to do about a picture that costs more than is read unasked.
fn advised(kind: ErrorKind, failure: Failure) -> Failure {
    if kind != ErrorKind::Limit {
        return failure;
    }
    failure.with_next("say what it may take with --max-memory, by which a PNG file goes row by row")
}

/// All that comes through standard input or a pipe, cut where it is more than a file may have.
pub(super) fn contents(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let most = limits.file.min(limits.memory).saturating_add(1);
    let mut bytes = Vec::new();
    let read = streaming(path, || match path == Path::new(STREAM) {
        true => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)),
    });
    read.map_err(|error| unreadable(path, error))?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: impl std::fmt::Display) -> Failure {
    let name =
        if path == Path::new(STREAM) { "standard input".into() } else { path.to_string_lossy() };
    Failure::new(code::INPUT, format!("{name}: {error}"))
}
