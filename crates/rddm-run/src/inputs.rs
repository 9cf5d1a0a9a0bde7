//! From what was written on the command line to pairs of input and output.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rddm_image::Format;

use crate::failure::{Failure, code};

/// One picture to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
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
    /// The jobs, in the order of the inputs, folders sorted by name.
    ///
    /// # Errors
    /// Usage, where outputs and inputs would fall on each other; and inputs that are not there.
    pub(crate) fn jobs(&self) -> Result<Vec<Job>, Failure> {
        let mut found = Vec::new();
        for input in self.inputs {
            self.expand(input, &mut found)?;
        }
        if found.is_empty() && !self.may_be_empty {
            let hint = if self.recursive { "" } else { "; --recursive looks into folders in it" };
            return Err(Failure::new(
                code::INPUT,
                format!("there are no pictures in {}{hint}", shown(self.inputs)),
            ));
        }
        let many = |input: &PathBuf| list(input).is_some() || input.is_dir();
        let several = found.len() > 1 || self.inputs.iter().any(many);
        let jobs = found
            .into_iter()
            .map(|found| {
                let output = self.output(&found, several)?;
                Ok(Job { input: found.path, output })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        self.check(&jobs)?;
        Ok(jobs)
    }

    fn expand(&self, input: &Path, found: &mut Vec<Found>) -> Result<(), Failure> {
        if let Some(list) = list(input) {
            let failed = |error: std::io::Error| {
                let list = list.display();
                Failure::new(code::INPUT, format!("the list {list} can't be read: {error}"))
            };
            let text = std::fs::read(list).map_err(failed)?;
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

    fn expand_plain(&self, input: &Path, found: &mut Vec<Found>) -> Result<(), Failure> {
        if input != Path::new(STREAM) && input.is_dir() {
            return self.walk(input, Path::new(""), found);
        }
        let name = input.file_name().map(PathBuf::from).unwrap_or_default();
        found.push(Found { path: input.to_owned(), below: name });
        Ok(())
    }

    fn walk(&self, root: &Path, below: &Path, found: &mut Vec<Found>) -> Result<(), Failure> {
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
                found.push(Found { path: folder.clone(), below: below.to_owned() });
                return Ok(());
            }
            entries => entries.map_err(failed)?,
        };
        entries.sort_by_key(DirEntry::file_name);
        let stems = self.stems_of_outputs(root, &entries);
        for entry in entries {
            let below = below.join(entry.file_name());
            // Links to folders are not followed: they may lead back up.
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                let same = |folder: &&Path| {
                    let folders = (folder.canonicalize(), entry.path().canonicalize());
                    matches!(folders, (Ok(folder), Ok(entry)) if folder == entry)
                };
                if self.recursive && !self.not_into.iter().any(same) {
                    self.walk(root, &below, found)?;
                }
            } else if entry.path().is_file()
                && Format::from_path(entry.path()).is_some()
                && !is_resource_fork(&entry.path())
                && !self.is_earlier_output(&entry.path())
                && !is_comparison(&entry.path(), &stems)
                && !self.written.contains(&identity(&entry.path()))
            {
                found.push(Found { path: entry.path(), below });
            }
        }
        Ok(())
    }

    /// The names without extensions of pictures in a folder that gets the outputs.
    fn stems_of_outputs(&self, root: &Path, entries: &[DirEntry]) -> HashSet<OsString> {
        if self.output.is_none_or(|output| identity(output) != identity(root)) {
            return HashSet::new();
        }
        let pictures = entries.iter().map(|entry| PathBuf::from(entry.file_name()));
        let pictures = pictures.filter(|name| Format::from_path(name).is_some());
        pictures.filter_map(|name| name.file_stem().map(OsStr::to_owned)).collect()
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
        let mut name: OsString = input.file_stem().unwrap_or_default().to_owned();
        name.push(format!(".{}", self.word));
        let known = Format::from_path(input).is_some();
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
        match self.format {
            Some(format) if Format::from_path(&path) != Some(format) => {
                path.with_extension(format.extension())
            }
            _ => path,
        }
    }

    fn check(&self, jobs: &[Job]) -> Result<(), Failure> {
        let stream = Path::new(STREAM);
        if self.format.is_none() {
            jobs.iter().try_for_each(|job| writable(&job.output))?;
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
            if inputs.contains(&place) && !(own && self.overwrite) {
                let next = if own {
                    "add --overwrite to replace it, or name another output"
                } else {
                    "name another output"
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
        let is_step = |place: &Path, beginning: &Path| {
            let name = place.file_name().unwrap_or_default().as_encoded_bytes();
            let own = beginning.file_name().unwrap_or_default().as_encoded_bytes();
            place.parent() == beginning.parent()
                && name.strip_prefix(own).is_some_and(|rest| rest.ends_with(b".png"))
        };
        let mut beginnings = HashSet::new();
        for job in jobs {
            let beginning = identity(&steps(job));
            let met = taken.iter().find(|place| is_step(place, &beginning));
            if met.is_some() || !beginnings.insert(beginning.clone()) {
                return Err(falls(job, "steps", met.unwrap_or(&beginning)));
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

/// Whether it is what macOS keeps of a picture in a file beside it, `._NAME`, where the file system has no place for it (AppleDouble).
fn is_resource_fork(path: &Path) -> bool {
    const MAGIC: [u8; 4] = [0, 5, 22, 7];
    let mut begin = [0; 4];
    path.file_name().unwrap_or_default().as_encoded_bytes().starts_with(b"._")
        && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == MAGIC
}

/// Whether it is the comparison of a picture of one of these names.
fn is_comparison(path: &Path, stems: &HashSet<OsString>) -> bool {
    let stem = path.file_stem().map(Path::new).filter(|stem| {
        stem.extension() == Some(OsStr::new("compare"))
            && path.extension() == Some(OsStr::new("png"))
    });
    stem.and_then(Path::file_stem).is_some_and(|stem| stems.contains(stem))
}

/// Refuses the name of a kind of picture that is not written; another name takes the input's format.
pub(crate) fn writable(output: &Path) -> Result<(), Failure> {
    const OTHERS: [&str; 16] = [
        "avif", "dng", "exr", "gif", "heic", "heif", "ico", "jp2", "jxl", "pdf", "pgm", "ppm",
        "psd", "qoi", "svg", "tga",
    ];
    let extension = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if !OTHERS.contains(&extension.as_str()) {
        return Ok(());
    }
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

/// A picture, and its place below the folder that was named.
struct Found {
    path: PathBuf,
    below: PathBuf,
}

pub(crate) fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The same for all names of one file, as far as the file system tells.
pub(crate) fn identity(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
