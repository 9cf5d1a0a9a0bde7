//! What a picture takes of the process's memory, and whether it is taken as a whole or row by row.

use rddm_image::{ErrorKind, Format, Header, Limits, Picture, RowReader, Unread};
use rddm_runtime::MemoryEstimate;
use rddm_zoo::ResolvedModel;

use super::batch::{Batch, contents};
use crate::args::Compare;
use crate::failure::{Failure, code};
use crate::inputs::{Job, is_stream};
use crate::{process, report};

/// The program with its engine and no network, and what its allocator keeps beside what is used.
const PROGRAM: u64 = 48_000_000;
/// By how much a process that had to be measured may be larger when it is started again.
const VARIES: u64 = 8_000_000;
/// The two codecs of a picture that goes through row by row, without rows and metadata.
const CODECS: u64 = 2_000_000;
/// Rows of the file that the codecs and the command hold, each as samples and as numbers.
const CODEC_ROWS: u64 = 10;
/// What looking at a file may take where hardly anything is allowed, so that a refusal can say how
/// much would be enough.
const LOOKING: u64 = 64_000_000;

/// How a picture is taken, and what the process takes for it.
pub(super) struct Plan {
    pub(super) way: Way,
    /// The format of the file that it is in.
    pub(super) format: Format,
    pub(super) size: report::Size,
    pub(super) memory: report::Memory,
    /// What else the file holds.
    pub(super) unread: Vec<Unread>,
}

/// How a picture is taken.
pub(super) enum Way {
    /// As a whole, from its file, which costs no more than these limits.
    Whole(Limits),
    /// As a whole, from what came through standard input or a pipe.
    Bytes(Vec<u8>, Limits),
    /// Row by row.
    Rows(Box<RowReader>),
}

/// The process before its first picture: program, engine, networks.
pub(super) fn of_process(model: &ResolvedModel) -> u64 {
    let least = least_of_process(model);
    process::resident().map_or(least, |measured| measured.max(least))
}

fn least_of_process(model: &ResolvedModel) -> u64 {
    let files: u64 = model.networks.iter().map(|network| network.bytes.len() as u64).sum();
    // Once as the file, once as what the engine read from it.
    PROGRAM + 2 * files
}

impl Batch<'_> {
    /// Decides how a picture is taken so that the process stays below `most` bytes, and sets the
    /// restorer to it.
    ///
    /// # Errors
    /// Usage, with the least memory that would do.
    pub(super) fn plan(&mut self, job: &Job, most: u64) -> Result<Plan, Failure> {
        let spare = most.saturating_sub(self.process);
        let mut limits = Limits::default().with_memory(spare.max(LOOKING));
        limits.file = limits.memory;
        limits.metadata = limits.metadata.min(limits.memory / 16);
        let Opened { header, bytes, rows } = self.open(job, &limits)?;
        let ([height, width], format) = (header.upright(), header.format);
        let size = report::Size { width, height };
        let unread = header.unread.clone();

        let whole = self.needs_of_whole(&header, job);
        if let Some(estimate) = self.cut(size, spare, &whole)? {
            let memory = self.memory(&estimate, &whole, false);
            let way = match bytes {
                Some(bytes) => Way::Bytes(bytes, limits),
                None => Way::Whole(limits),
            };
            return Ok(Plan { way, format, size, memory, unread });
        }
        let reader = match rows {
            Ok(reader) => reader,
            Err(reason) => {
                return Err(self.too_little(size, most, &whole, Some(reason))?.at(&job.input));
            }
        };
        let by_rows = needs_of_rows(&reader);
        match self.cut(size, spare, &by_rows)? {
            Some(estimate) => {
                let memory = self.memory(&estimate, &by_rows, true);
                Ok(Plan { way: Way::Rows(reader), format, size, memory, unread })
            }
            None => Err(self.too_little(size, most, &by_rows, None)?.at(&job.input)),
        }
    }

    /// What the process takes for a picture that is there already, with nothing said to be too much.
    pub(super) fn memory_of(
        &mut self,
        picture: &Picture,
        job: &Job,
    ) -> Result<report::Memory, Failure> {
        let mut header = Header::new(picture.width(), picture.height(), picture.pixels.dim().0);
        header.alpha = picture.alpha.is_some();
        header.depth = picture.depth;
        header.format = picture.format.unwrap_or(header.format);
        let needs = self.needs_of_whole(&header, job);
        let estimate = self.estimate([header.height, header.width])?;
        Ok(self.memory(&estimate, &needs, false))
    }

    /// What the restorer takes for a picture of `[height, width]`.
    fn estimate(&self, size: [usize; 2]) -> Result<MemoryEstimate, rddm_runtime::Error> {
        match self.args.looks.preview {
            Some(_) => self.restorer.memory_estimate_with_steps(size),
            None => self.restorer.memory_estimate(size),
        }
    }

    fn memory(&self, estimate: &MemoryEstimate, needs: &Needs, rows: bool) -> report::Memory {
        let bytes = self.process + needs.with(estimate);
        report::Memory { bytes, tile: estimate.tile, tiles: estimate.tiles, rows }
    }

    /// Looks at a file without decoding it.
    fn open(&self, job: &Job, limits: &Limits) -> Result<Opened, Failure> {
        if is_stream(&job.input) {
            let bytes = contents(&job.input, limits)?;
            let header = rddm_image::header(&bytes, limits).map_err(beyond_whole)?;
            let rows = Err("standard input and pipes are read as a whole");
            return Ok(Opened { header, bytes: Some(bytes), rows });
        }
        match RowReader::open(&job.input, &limits.clone().with_file(u64::MAX)) {
            Ok(reader) => {
                let header = reader.header().clone();
                let rows = self.reason_for_whole(job).map_or_else(|| Ok(Box::new(reader)), Err);
                Ok(Opened { header, bytes: None, rows })
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                let header = rddm_image::read_header(&job.input, limits).map_err(beyond_whole)?;
                let rows = Err(
                    "only a PNG file that is neither interlaced nor turned, with its metadata before its pixels, is read row by row",
                );
                Ok(Opened { header, bytes: None, rows })
            }
            Err(error) => Err(beyond(error)),
        }
    }

    /// The format that was asked for; the input's otherwise.
    pub(super) fn written_format(&self, job: &Job) -> Option<Format> {
        self.args.files.format.or_else(|| Format::from_path(&job.output))
    }

    /// Why a picture can't go through row by row, whatever its file is.
    fn reason_for_whole(&self, job: &Job) -> Option<&'static str> {
        let args = self.args;
        let format = self.written_format(job);
        if is_stream(&job.output) {
            Some("standard output, pipes and devices are written as a whole")
        } else if format.is_some_and(|format| format != Format::Png) {
            Some("only PNG files are written row by row")
        } else if args.looks.compare.is_some() || args.looks.preview.is_some() {
            Some("--compare and --preview take the picture as a whole")
        } else if args.sampling.mask.is_some() {
            Some("a mask is taken as a whole")
        } else {
            None
        }
    }

    /// The fastest cut of a picture that stays below `spare` bytes with all that it needs; the
    /// restorer is set to it.
    fn cut(
        &mut self,
        size: report::Size,
        spare: u64,
        needs: &Needs,
    ) -> Result<Option<MemoryEstimate>, Failure> {
        if needs.otherwise > spare {
            return Ok(None);
        }
        let mut room = spare.saturating_sub(needs.held);
        loop {
            self.restorer.set_max_memory(Some(room));
            match self.estimate([size.height, size.width]) {
                Ok(estimate) if needs.with(&estimate) <= spare => return Ok(Some(estimate)),
                Ok(estimate) => room = estimate.bytes.saturating_sub(1),
                Err(error) if error.kind() == rddm_runtime::ErrorKind::Memory => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The memory for a picture that is in memory from its file to its output.
    fn needs_of_whole(&self, header: &Header, job: &Job) -> Needs {
        const FLOAT: u64 = size_of::<f32>() as u64;
        let (values, sample) = (header.values(), header.sample_bytes());
        let (planes, looks) = (values.saturating_mul(FLOAT), &self.args.looks);
        // Input and the restored picture; with steps, that which is written and its file; of several forms, their sum.
        let shown = if looks.preview.is_some() { 2 } else { 0 };
        let summed = u64::from(self.args.sampling.ensemble);
        let held = planes.saturating_mul(2 + shown + summed);
        let format = self.written_format(job).unwrap_or(header.format);
        // Samples and the file that is made of them.
        let file = header.values_in(format).saturating_mul(2 * sample);
        let compared = match looks.compare {
            None => 0,
            Some(Compare::Picture) => 2 * planes.saturating_add(file),
            Some(Compare::Html) => 3 * planes.saturating_add(file),
        };
        let written = held.saturating_add(file).saturating_add(compared);
        Needs { held, delayed: 0, otherwise: header.read_bytes().max(written) }
    }

    fn too_little(
        &self,
        size: report::Size,
        most: u64,
        needs: &Needs,
        reason: Option<&str>,
    ) -> Result<Failure, Failure> {
        let sides = [size.height, size.width];
        let least = match self.args.looks.preview {
            Some(_) => self.restorer.least_memory_with_steps(sides)?,
            None => self.restorer.least_memory(sides)?,
        };
        let measured = self.process > least_of_process(self.model);
        let process = self.process + if measured { VARIES } else { 0 };
        let enough = megabytes(process.saturating_add(needs.with(&least)));
        let as_whole = if reason.is_some() { " as a whole" } else { "" };
        let threads = match self.restorer.threads() {
            1 => "one thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let what = format!(
            "{}×{} pixels{as_whole} need at least {enough} with {threads}, and {} are allowed",
            size.width,
            size.height,
            megabytes(most)
        );
        let next = match reason {
            Some(reason) => format!(
                "allow {enough}, or go from PNG to PNG, which is done row by row ({reason})"
            ),
            None => format!("allow {enough}, or ask for fewer --threads or --steps"),
        };
        Ok(Failure::new(code::USAGE, what).with_next(next))
    }
}

/// A file that was looked at.
struct Opened {
    header: Header,
    /// What came through standard input or a pipe.
    bytes: Option<Vec<u8>>,
    /// Its rows, or why it can't go through row by row.
    rows: Result<Box<RowReader>, &'static str>,
}

/// The memory for a picture beside that of the process and the restorer.
struct Needs {
    /// While it is restored.
    held: u64,
    /// For each row that was read and not yet written.
    delayed: u64,
    /// All that is needed at once before and after.
    otherwise: u64,
}

impl Needs {
    fn with(&self, estimate: &MemoryEstimate) -> u64 {
        let delayed = self.delayed.saturating_mul(estimate.delay as u64);
        let restoring = self.held.saturating_add(delayed).saturating_add(estimate.bytes);
        restoring.max(self.otherwise)
    }
}

/// The memory for a picture that goes from file to file row by row.
fn needs_of_rows(reader: &RowReader) -> Needs {
    let (header, metadata) = (reader.header(), reader.metadata());
    let blocks = [&metadata.exif, &metadata.icc, &metadata.xmp];
    let blocks: usize = blocks.iter().map(|block| block.as_ref().map_or(0, Vec::len)).sum();
    let row = header.values_in_row() as u64 * (header.sample_bytes() + size_of::<f32>() as u64);
    // The blocks as they are in the file, as they are kept, and on their way out.
    let held = CODECS + CODEC_ROWS * row + 4 * blocks as u64;
    let delayed = if header.alpha { (header.width * size_of::<u16>()) as u64 } else { 0 };
    Needs { held, delayed, otherwise: 0 }
}

/// A file that costs more than is left for it is a matter of the options.
pub(super) fn beyond(error: rddm_image::Error) -> Failure {
    let limit = error.kind() == ErrorKind::Limit;
    let mut failure = Failure::from(error);
    if limit {
        failure.code = code::USAGE;
        failure.next = Some("allow more with --max-memory".to_owned());
    }
    failure
}

/// The same of a file that is no PNG file which goes row by row.
fn beyond_whole(error: rddm_image::Error) -> Failure {
    let mut failure = beyond(error);
    if let Some(next) = &mut failure.next {
        next.push_str(", or go from PNG to PNG, which is done row by row");
    }
    failure
}

pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}
