//! From what was written on the command line to pairs of input and output.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use rddm_image::{Format, is_helper};
use rddm_manifest::ModelId;

use crate::failure::{Failure, code};

/// One picture to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
    /// The input's place below the folder that was named.
    pub(crate) below: PathBuf,
}

/// Standard input and output.
pub(crate) const STREAM: &str = "-";

/// Where something is written, by its job.
pub(crate) type Places<'a> = &'a dyn Fn(&Job) -> PathBuf;

/// What the jobs are made from.
pub(crate) struct Plan<'a> {
    pub(crate) inputs: &'a [PathBuf],
    pub(crate) output: Option<&'a Path>,
    /// The word between a picture's name and its extension.
    pub(crate) word: &'a str,
    pub(crate) format: Option<Format>,
    pub(crate) recursive: bool,
    pub(crate) overwrite: bool,
    pub(crate) skip_existing: bool,
    /// The models of this machine, whose outputs are no photographs.
    pub(crate) models: Vec<ModelId>,
    /// Files that are read beside the pictures, and what each is called.
    pub(crate) beside: Vec<(&'a str, &'a Path)>,
    /// What else is written for a picture: its comparison.
    pub(crate) comparison: Option<Places<'a>>,
    /// What the pictures after each step begin their names with.
    pub(crate) steps: Option<Places<'a>>,
    /// Folders in which nothing is looked for, since they get what is written.
    pub(crate) not_into: Vec<&'a Path>,
    /// Files that are no inputs, since they were written: what [`identity`] says of them.
    pub(crate) written: HashSet<PathBuf>,
    /// Whether folders without pictures are no error, since some may come.
    pub(crate) may_be_empty: bool,
}

impl Plan<'_> {
    /// The jobs, in the order of the inputs, folders sorted by name; and what is to be said of inputs that were left out.
    ///
    /// # Errors
    /// Usage, where outputs and inputs would fall on each other; and inputs that are not there.
    pub(crate) fn jobs(&self) -> Result<(Vec<Job>, Vec<String>), Failure> {
        let mut finds = Finds::default();
        for input in self.inputs {
            self.expand(input, &mut finds)?;
        }
        let Finds { pictures: found, links, others, helpers, mut notes } = finds;
        if found.is_empty() && !self.may_be_empty {
            let hint = match (others.first(), self.recursive) {
                (Some(other), _) => format!(" that are read: convert {}", other.display()),
                (None, true) => String::new(),
                (None, false) => "; --recursive looks into folders in it".to_owned(),
            };
            return Err(Failure::new(
                code::INPUT,
                format!("there are no pictures in {}{hint}", shown(self.inputs)),
            ));
        }
        if links > 0 {
            notes.push(format!("note: links to folders or to nothing: {links} left out"));
        }
        for (what, paths) in
            [("files of kinds that are not read", others), ("programs' own folders", helpers)]
        {
            if let Some(first) = paths.first() {
                let (first, count) = (first.display(), paths.len());
                notes.push(format!("note: {what}, such as {first}: {count} left out"));
            }
        }
        let many = |input: &PathBuf| list(input).is_some() || input.is_dir();
        let several = found.len() > 1 || self.inputs.iter().any(many);
        let jobs = found
            .into_iter()
            .map(|found| {
                let output = self.output(&found, several)?;
                Ok(Job { input: found.path, output, below: found.below })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let jobs = self.distinct(jobs, &mut notes);
        self.check(&jobs)?;
        Ok((jobs, notes))
    }

    /// Leaves out what was named twice, and what is the output of another input, as in the glob of an earlier run, where that loses
    /// nothing: it has an output's name, or stays as it is.
    fn distinct(&self, jobs: Vec<Job>, notes: &mut Vec<String>) -> Vec<Job> {
        let placed = |job: Job| {
            let places = [identity(&job.input), identity(&job.output)];
            (job, places)
        };
        let jobs: Vec<(Job, [PathBuf; 2])> = jobs.into_iter().map(placed).collect();
        let comparison = self.comparison.filter(|_| self.output.is_none());
        let mut outputs = HashSet::new();
        for (job, [input, output]) in &jobs {
            outputs.extend(Some(output.clone()).filter(|output| output != input));
            outputs.extend(comparison.map(|comparison| identity(&comparison(job))));
        }
        let (mut distinct, mut seen) = (Vec::new(), HashSet::new());
        let (mut made, mut twice) = (Vec::new(), 0);
        for (job, places) in jobs {
            let harmless = self.skip_existing || self.is_earlier_output(&job.input);
            if harmless && outputs.contains(&places[0]) {
                made.push(job.input);
            } else if job.input == Path::new(STREAM) || seen.insert(places) {
                distinct.push(job);
            } else {
                twice += 1;
            }
        }
        if let Some(first) = made.first() {
            let (first, count) = (first.display(), made.len());
            let what = format!("note: outputs of other inputs, such as {first}: {count} left out");
            notes.push(what);
        }
        if twice > 0 {
            notes.push(format!("note: inputs that are named twice: {twice} left out"));
        }
        distinct
    }

    fn expand(&self, input: &Path, found: &mut Finds) -> Result<(), Failure> {
        if let Some(list) = list(input) {
            let failed = |error: std::io::Error| {
                let list = list.display();
                Failure::new(code::INPUT, format!("the list {list} can't be read: {error}"))
            };
            let text = match list == Path::new(STREAM) {
                true => std::io::stdin().lock().bytes().collect(),
                false => std::fs::read(list),
            };
            let text = text.map_err(failed)?;
            // Some editors begin a file with a mark of its encoding.
            let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
            let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
            for line in lines.filter(|line| !line.is_empty()) {
                self.expand_plain(&named(line).map_err(failed)?, found)?;
            }
            return Ok(());
        }
        self.expand_plain(input, found)
    }

    fn expand_plain(&self, input: &Path, found: &mut Finds) -> Result<(), Failure> {
        if input != Path::new(STREAM) && input.is_dir() {
            // As in a glob that is repeated; alone, or to be replaced, it is meant.
            if self.inputs.len() > 1 && !self.overwrite && self.gets_outputs(input) {
                let input = input.display();
                found.notes.push(format!("note: {input} gets what is written: left out"));
                return Ok(());
            }
            return self.walk(input, Path::new(""), found);
        }
        let name = input.file_name().map(PathBuf::from).unwrap_or_default();
        found.pictures.push(Found { path: input.to_owned(), below: name });
        Ok(())
    }

    /// Whether it is one of the folders in which nothing is looked for.
    fn gets_outputs(&self, folder: &Path) -> bool {
        self.not_into.iter().any(|other| {
            let folders = (other.canonicalize(), folder.canonicalize());
            matches!(folders, (Ok(other), Ok(folder)) if other == folder)
        })
    }

    fn walk(&self, root: &Path, below: &Path, found: &mut Finds) -> Result<(), Failure> {
        let folder = root.join(below);
        let failed = |error: std::io::Error| {
            Failure::new(
                code::INPUT,
                format!("the folder {} can't be read: {error}", folder.display()),
            )
        };
        let entries =
            std::fs::read_dir(&folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
        let mut entries = match entries {
            Err(_) if below != Path::new("") => {
                // It fails when its turn comes, and the others have theirs.
                found.pictures.push(Found { path: folder.clone(), below: below.to_owned() });
                return Ok(());
            }
            entries => entries.map_err(failed)?,
        };
        entries.sort_by_key(DirEntry::file_name);
        let stems = stems(&entries);
        let in_place = self.output.is_some_and(|output| identity(output) == identity(root));
        let is_output = |path: &Path| match self.output {
            None => self.is_output_of_a_model(path, &stems),
            Some(_) => in_place && is_comparison(path, &stems),
        };
        for entry in entries {
            let below = below.join(entry.file_name());
            // Links to folders are not followed: they may lead back up.
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                if self.recursive && is_helper(&entry.path()) {
                    found.helpers.push(entry.path());
                } else if self.recursive && !self.gets_outputs(&entry.path()) {
                    self.walk(root, &below, found)?;
                }
            } else if kind.is_symlink() && self.is_passed(&entry.path()) {
                found.links += 1;
            } else if is_picture_file(&entry.path())
                && !self.is_earlier_output(&entry.path())
                && !is_output(&entry.path())
                && !self.is_no_input(&identity(&entry.path()))
            {
                found.pictures.push(Found { path: entry.path(), below });
            } else if other_kind(&entry.path()).is_some() && !is_resource_fork(&entry.path()) {
                found.others.push(entry.path());
            }
        }
        Ok(())
    }

    /// Whether a link in a folder leads to a folder that would be looked into, or is named as a picture and leads to nothing.
    fn is_passed(&self, link: &Path) -> bool {
        match link.metadata() {
            Ok(data) => self.recursive && data.is_dir(),
            Err(_) => Format::from_path(link).is_some(),
        }
    }

    /// Whether it was written by this run, or is read beside the pictures, as the mask is.
    fn is_no_input(&self, place: &Path) -> bool {
        self.written.contains(place) || self.beside.iter().any(|(_, path)| identity(path) == *place)
    }

    /// Whether a file in a folder is what a run without `--output`, with any model, wrote beside a picture of these names.
    fn is_output_of_a_model(&self, path: &Path, stems: &HashSet<OsString>) -> bool {
        let stem = path.file_stem().map(Path::new).unwrap_or(path);
        let compares = stem.extension() == Some(OsStr::new("compare"))
            && path.extension() == Some(OsStr::new("png"));
        let stem = if compares { stem.file_stem().map(Path::new).unwrap_or(stem) } else { stem };
        let (Some(picture), Some(word)) = (stem.file_stem(), stem.extension()) else {
            return false;
        };
        stems.contains(picture)
            && (compares || self.models.iter().any(|model| word == model.as_str()))
    }

    /// Whether a file in a folder is what an earlier run without `--output` wrote beside its input.
    fn is_earlier_output(&self, path: &Path) -> bool {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let ours = |stem: &str| stem.ends_with(&format!(".{}", self.word));
        self.output.is_none() && (ours(&stem) || stem.strip_suffix(".compare").is_some_and(ours))
    }

    fn output(&self, found: &Found, several: bool) -> Result<PathBuf, Failure> {
        let stream = Path::new(STREAM);
        let is_stream = found.path == stream;
        match self.output {
            None if is_stream => Ok(stream.to_owned()),
            None => Ok(self.beside(&found.path)),
            Some(output) if output == stream && several => Err(Failure::usage(
                "several pictures can't go to standard output: name a folder with --output",
            )),
            Some(output) if output != stream && (several || is_folder(output)) => {
                if is_stream {
                    return Err(Failure::usage(
                        "a picture from standard input has no name to take in a folder: name a file with --output",
                    ));
                }
                if output.is_file() {
                    return Err(Failure::usage(format!(
                        "{} is a file, and several pictures need a folder",
                        output.display()
                    )));
                }
                Ok(self.with_format(output.join(&found.below)))
            }
            Some(output) => Ok(output.to_owned()),
        }
    }

    /// `photo.png` becomes `photo.derain.png`.
    fn beside(&self, input: &Path) -> PathBuf {
        let known = Format::from_path(input).is_some();
        // Of `scan.1`, the end is a part of the name.
        let name = if known { input.file_stem() } else { input.file_name() };
        let mut name = name.unwrap_or_default().to_owned();
        name.push(format!(".{}", self.word));
        match (self.format, input.extension()) {
            (Some(format), _) => name.push(format!(".{}", format.extension())),
            (None, Some(extension)) if known => {
                name.push(".");
                name.push(extension);
            }
            _ => name.push(".png"),
        }
        input.with_file_name(name)
    }

    fn with_format(&self, path: PathBuf) -> PathBuf {
        let Some(format) = self.format else { return path };
        match Format::from_path(&path) {
            Some(own) if own == format => path,
            Some(_) => path.with_extension(format.extension()),
            None => {
                let mut name = path.into_os_string();
                name.push(format!(".{}", format.extension()));
                name.into()
            }
        }
    }

    fn check(&self, jobs: &[Job]) -> Result<(), Failure> {
        let stream = Path::new(STREAM);
        // In a folder, each has its turn.
        let mut named = jobs.iter().filter(|job| self.output == Some(job.output.as_path()));
        if self.format.is_none() {
            named.try_for_each(|job| writable(&job.output))?;
        }
        let read = jobs.iter().map(|job| job.input.as_path());
        let read = read.chain(self.beside.iter().map(|(_, path)| *path));
        if read.filter(|path| *path == stream).count() > 1 {
            return Err(Failure::usage("standard input can be read once"));
        }
        let inputs: HashSet<PathBuf> = jobs.iter().map(|job| identity(&job.input)).collect();
        let beside: Vec<(&str, PathBuf)> =
            self.beside.iter().map(|(name, path)| (*name, identity(path))).collect();
        let mut outputs: HashMap<PathBuf, &Job> = HashMap::new();
        for job in jobs.iter().filter(|job| job.output != stream) {
            let place = identity(&job.output);
            if let Some(other) = outputs.insert(place.clone(), job) {
                return Err(Failure::usage(format!(
                    "{} and {} would both be written to {}: name another folder, or restore them one by one",
                    other.input.display(),
                    job.input.display(),
                    job.output.display()
                )));
            }
            // Over its own input where that is allowed; over another one's never.
            let own = place == identity(&job.input);
            if own && self.overwrite && self.skip_existing {
                let problem =
                    format!("the output {} exists, since it is the input", job.output.display());
                return Err(Failure::usage(problem).with_next(
                    "leave out --skip-existing, which would skip it, or name another output",
                ));
            }
            if inputs.contains(&place) && !(own && self.overwrite) {
                let next = match (own, self.skip_existing) {
                    (true, false) => "add --overwrite to replace it, or name another output",
                    _ => "name another output",
                };
                return Err(Failure::usage(format!(
                    "the output {} is one of the inputs",
                    job.output.display()
                ))
                .with_next(next));
            }
            if let Some((name, _)) = beside.iter().find(|(_, path)| *path == place) {
                let problem = format!("the output {} is the {name}", job.output.display());
                return Err(Failure::usage(problem).with_next("name another output"));
            }
        }
        let taken: HashSet<PathBuf> = inputs
            .into_iter()
            .chain(beside.into_iter().map(|(_, path)| path))
            .chain(outputs.into_keys())
            .collect();
        self.check_comparisons(jobs, &taken)?;
        self.check_steps(jobs, &taken)
    }

    /// Comparisons fall neither on each other nor on what is read or restored.
    fn check_comparisons(&self, jobs: &[Job], taken: &HashSet<PathBuf>) -> Result<(), Failure> {
        let Some(comparison) = self.comparison else { return Ok(()) };
        let mut places = taken.clone();
        for job in jobs {
            let path = comparison(job);
            if !places.insert(identity(&path)) {
                return Err(falls(job, "comparison", &path));
            }
        }
        Ok(())
    }

    /// Nor do the pictures after each step, however many they are.
    fn check_steps(&self, jobs: &[Job], taken: &HashSet<PathBuf>) -> Result<(), Failure> {
        let Some(steps) = self.steps else { return Ok(()) };
        let name =
            |place: &Path| place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Of many pictures, hardly one is named so.
        let named = taken.iter().filter(|place| name(place).contains(".step-"));
        let named: Vec<&PathBuf> = named.collect();
        let is_step = |place: &Path, beginning: &Path| {
            place.parent() == beginning.parent()
                && name(place)
                    .strip_prefix(&name(beginning))
                    .is_some_and(|rest| rest.ends_with(".png"))
        };
        let mut beginnings = HashSet::new();
        for job in jobs {
            let beginning = identity(&steps(job));
            let met = named.iter().find(|place| is_step(place, &beginning));
            if met.is_some() || !beginnings.insert(beginning.clone()) {
                return Err(falls(job, "steps", met.map_or(&beginning, |place| place)));
            }
        }
        Ok(())
    }
}

/// The list that an input names: `@FILE`.
#[cfg(unix)]
pub(crate) fn list(input: &Path) -> Option<&Path> {
    use std::os::unix::ffi::OsStrExt as _;
    let name = input.as_os_str().as_bytes().strip_prefix(b"@")?;
    Some(Path::new(OsStr::from_bytes(name)))
}

/// The list that an input names: `@FILE`.
#[cfg(not(unix))]
pub(crate) fn list(input: &Path) -> Option<&Path> {
    input.to_str()?.strip_prefix('@').map(Path::new)
}

/// The file that a line of a list names, in whatever encoding its name is.
#[cfg(unix)]
fn named(line: &[u8]) -> std::io::Result<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(OsStr::from_bytes(line).into())
}

/// The file that a line of a list names.
#[cfg(not(unix))]
fn named(line: &[u8]) -> std::io::Result<PathBuf> {
    let line = std::str::from_utf8(line);
    Ok(line.map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?.into())
}

/// Whether a file in a folder, or what a link there leads to, is named as a picture and is no resource fork.
pub(crate) fn is_picture_file(path: &Path) -> bool {
    path.is_file() && Format::from_path(path).is_some() && !is_resource_fork(path)
}

/// Whether it is what macOS keeps of a picture in a file beside it, `._NAME`, where the file system has no place for it (AppleDouble).
fn is_resource_fork(path: &Path) -> bool {
    const MAGIC: [u8; 4] = [0, 5, 22, 7];
    let mut begin = [0; 4];
    path.file_name().unwrap_or_default().as_encoded_bytes().starts_with(b"._")
        && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == MAGIC
}

/// The names without extensions of the pictures among the files of a folder.
fn stems(entries: &[DirEntry]) -> HashSet<OsString> {
    let pictures = entries.iter().map(|entry| PathBuf::from(entry.file_name()));
    let pictures = pictures.filter(|name| Format::from_path(name).is_some());
    pictures.filter_map(|name| name.file_stem().map(OsStr::to_owned)).collect()
}

/// Whether it is the comparison of a picture of one of these names.
fn is_comparison(path: &Path, stems: &HashSet<OsString>) -> bool {
    let stem = path.file_stem().map(Path::new).filter(|stem| {
        stem.extension() == Some(OsStr::new("compare"))
            && path.extension() == Some(OsStr::new("png"))
    });
    stem.and_then(Path::file_stem).is_some_and(|stem| stems.contains(stem))
}

/// The extension of a kind of picture that is neither read nor written.
fn other_kind(path: &Path) -> Option<String> {
    const OTHERS: [&str; 24] = [
        "arw", "avif", "cr2", "cr3", "dng", "exr", "gif", "heic", "heif", "ico", "jp2", "jxl",
        "nef", "orf", "pdf", "pgm", "ppm", "psd", "qoi", "raf", "rw2", "svg", "tga", "xcf",
    ];
    let extension = path.extension()?.to_string_lossy().to_lowercase();
    OTHERS.contains(&extension.as_str()).then_some(extension)
}

/// Refuses the name of a kind of picture that is not written; another name takes the input's format.
pub(crate) fn writable(output: &Path) -> Result<(), Failure> {
    let Some(extension) = other_kind(output) else { return Ok(()) };
    let problem = format!("{}: .{extension} is not written", output.display());
    Err(Failure::usage(problem)
        .with_next("name a .png, .jpg, .webp, .tiff or .bmp file, or a --format"))
}

fn falls(job: &Job, what: &str, place: &Path) -> Failure {
    let (input, place) = (job.input.display(), place.display());
    Failure::usage(format!(
        "the {what} of {input} would fall on {place}, which another picture needs"
    ))
    .with_next("restore the pictures one by one, or into another folder")
}

/// What the inputs come to.
#[derive(Default)]
struct Finds {
    pictures: Vec<Found>,
    /// Links that were not followed.
    links: usize,
    /// Files of kinds that are not read.
    others: Vec<PathBuf>,
    /// Folders that programs keep for themselves.
    helpers: Vec<PathBuf>,
    notes: Vec<String>,
}

/// A picture, and its place below the folder that was named.
struct Found {
    path: PathBuf,
    below: PathBuf,
}

/// Whether it is standard input or output, a pipe or a device: no file that can be read again.
pub(crate) fn is_stream(path: &Path) -> bool {
    path == Path::new(STREAM) || rddm_image::is_special(path)
}

pub(crate) fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The same for all names of one file, as far as the file system tells; folders that are not there are taken as they will be made.
pub(crate) fn identity(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let here = Path::new(".").canonicalize().unwrap_or_default();
    path.components().fold(here, |mut place, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                place.pop();
            }
            part => place.push(part),
        }
        place.canonicalize().unwrap_or(place)
    })
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
