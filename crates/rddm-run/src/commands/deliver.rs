//! A restored picture on its way out: metadata, file or stream, comparison.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ndarray::Array3;
use rddm_image::{EncodeOptions, Format, Metadata, Picture, Unread};
use rddm_runtime::Restorer;
use rddm_zoo::ResolvedModel;

use super::batch::Batch;
use super::compare;
use crate::args::Compare;
use crate::failure::{Failure, code};
use crate::inputs::{Job, STREAM, identity};
use crate::interrupt::streaming;
use crate::report;
use crate::terminal::Terminal;

/// Writes the restored pixels, to the job's output and where else it was asked for.
pub(super) fn picture(
    batch: &mut Batch<'_>,
    job: &Job,
    input: &Picture,
    pixels: Array3<f32>,
    entry: &mut report::Picture,
) -> Result<(), Failure> {
    let made = Made {
        model: batch.model,
        restorer: batch.restorer,
        strength: batch.args.sampling.strength,
        ensemble: batch.args.sampling.ensemble,
    };
    let made = Some(made).filter(|_| !batch.args.files.strip);
    let mut options = EncodeOptions::default().with_quality(batch.args.files.quality);
    options.format = batch.written_format(job);
    let format = options.format_of(input);
    let (output, unsigned) = finished(input, pixels, made, format);
    // First, so that there is no output without the comparison that was asked for.
    if let Some(kind) = batch.args.looks.compare {
        let path = comparison(job, batch.model.manifest.id.as_str(), kind);
        make_folder(&path)?;
        match kind {
            Compare::Picture => compare::picture(&path, input, &output)?,
            Compare::Html => compare::page(&path, &job.input, input, &output)?,
        }
        entry.also.push(path);
    }
    let encoded = if job.output == Path::new(STREAM) {
        let encoded = rddm_image::encode(&output, &options)
            .map_err(|error| Failure::writing(&error).at(&job.output))?;
        streaming(&job.output, || batch.terminal.raw(&encoded.bytes))?;
        encoded
    } else {
        make_folder(&job.output)?;
        streaming(&job.output, || rddm_image::write(&job.output, &output, &options))
            .map_err(|error| Failure::writing(&error))?
    };
    for loss in &encoded.losses {
        let (output, format) = (job.output.display(), encoded.format);
        batch.terminal.note(&format!("note: {output}: {format} can't hold {loss}: left out"));
    }
    entry.losses = encoded.losses.iter().map(ToString::to_string).collect();
    if let Some(reason) = unsigned {
        left_unsigned(batch, job, reason, entry);
    }
    left_behind(batch, job, &input.unread, entry);
    Ok(())
}

/// Refuses a picture that is to go where the report goes.
pub(super) fn check_stream(terminal: &Terminal, streams: bool) -> Result<(), Failure> {
    if !(streams && terminal.json()) {
        return Ok(());
    }
    let what = "picture and report can't both go to standard output: name a file with --output";
    Err(Failure::usage(what))
}

/// Refuses to write over a file of which nobody would have the further pictures then.
pub(super) fn check_kept(job: &Job, unread: &[Unread]) -> Result<(), Failure> {
    let Some(pictures) = unread.iter().find(|unread| unread.is_picture()) else { return Ok(()) };
    if identity(&job.input) != identity(&job.output) {
        return Ok(());
    }
    let problem = format!("{}: {pictures} would be lost", job.input.display());
    Err(Failure::usage(problem)
        .with_next("name another output: the first picture alone is restored"))
}

/// What an output does not say where [`finished`] gives a reason.
pub(super) const PARAMETERS: &str = "the restoration's parameters";
/// Why nothing is added to some XMP metadata.
pub(super) const OTHER_FORM: &str =
    "the XMP metadata has another program's form; a restoration that it tells of is an earlier one";

/// Says that the output does not tell how it was made.
pub(super) fn left_unsigned(
    batch: &mut Batch<'_>,
    job: &Job,
    reason: &str,
    entry: &mut report::Picture,
) {
    let output = job.output.display();
    batch.terminal.note(&format!("note: {output}: {PARAMETERS} are left out: {reason}"));
    entry.losses.push(PARAMETERS.to_owned());
}

/// Says what else the input holds, of which the output has nothing.
pub(super) fn left_behind(
    batch: &mut Batch<'_>,
    job: &Job,
    unread: &[Unread],
    entry: &mut report::Picture,
) {
    for unread in unread {
        let input = job.input.display();
        batch.terminal.note(&format!("note: {input}: {unread} are not in the output"));
        entry.losses.push(unread.to_string());
    }
}

/// Makes the folders that a file lies in.
pub(super) fn make_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(code::DISK, format!("the folder {} can't be made: {error}", folder.display()))
    })
}

/// A file's name with another end than its extension.
pub(super) fn named_after(path: &Path, end: &str) -> OsString {
    let stem = path.file_stem().filter(|_| path != Path::new(STREAM));
    let mut name = stem.unwrap_or(OsStr::new("picture")).to_owned();
    name.push(end);
    name
}

/// How a picture was restored.
pub(super) struct Made<'a> {
    pub(super) model: &'a ResolvedModel,
    pub(super) restorer: &'a Restorer,
    pub(super) strength: f32,
    pub(super) ensemble: bool,
}

/// The restored pixels with what the input had beside its own, and with how they were made; without
/// `made`, neither says anything of itself. Where how they were made can't be told beside what the input says, that is left out,
/// and the reason is given; not where the format has no metadata at all.
pub(super) fn finished(
    input: &Picture,
    pixels: Array3<f32>,
    made: Option<Made<'_>>,
    format: Format,
) -> (Picture, Option<&'static str>) {
    let mut unsigned = None;
    let mut output = Picture::new(pixels);
    output.alpha.clone_from(&input.alpha);
    output.depth = input.depth;
    output.format = input.format;
    if let Some(made) = made {
        output.metadata = input.metadata.clone();
        if !made.sign(&mut output.metadata) {
            unsigned = Some(OTHER_FORM);
        } else if input.metadata.xmp_fits(format) && !output.metadata.xmp_fits(format) {
            output.metadata.xmp.clone_from(&input.metadata.xmp);
            unsigned = Some("they would make the XMP metadata too long for the format");
        }
    }
    (output, unsigned.filter(|_| format != Format::Bmp))
}

impl Made<'_> {
    /// Gives whether it could be added.
    pub(super) fn sign(&self, metadata: &mut Metadata) -> bool {
        let (manifest, sampler) = (&self.model.manifest, self.restorer.sampler());
        let precision = self.model.networks.first().map(|network| network.precision.to_string());
        metadata.add_properties(
            "rddm",
            "urn:rddm-zoo:restoration:1",
            &[
                ("Model", manifest.id.as_str()),
                ("ModelVersion", &manifest.version.to_string()),
                ("ManifestSha256", &self.model.sha256.hex()),
                ("Steps", &sampler.steps.to_string()),
                ("Seed", &self.restorer.seed().to_string()),
                ("Eta", &sampler.eta.to_string()),
                ("Strength", &self.strength.to_string()),
                ("Ensemble", &self.ensemble.to_string()),
                ("Mirror", &self.restorer.mirror().to_string()),
                ("Confirm", &self.restorer.confirm().to_string()),
                ("Objective", &sampler.objective.to_string()),
                ("Method", &sampler.method.to_string()),
                ("Schedule", &report::Schedule::from(&sampler.schedule).to_string()),
                ("Precision", &precision.unwrap_or_default()),
                ("Engine", self.restorer.engine()),
                ("Program", concat!("rddm-run ", env!("CARGO_PKG_VERSION"))),
            ],
        )
    }
}

/// Beside the output: `photo.derain.png` has `photo.derain.compare.png`.
pub(super) fn comparison(job: &Job, word: &str, kind: Compare) -> PathBuf {
    let extension = match kind {
        Compare::Picture => "png",
        Compare::Html => "html",
    };
    if job.output == Path::new(STREAM) {
        let end = format!(".{word}.compare.{extension}");
        return named_after(&job.input, &end).into();
    }
    job.output.with_file_name(named_after(&job.output, &format!(".compare.{extension}")))
}
