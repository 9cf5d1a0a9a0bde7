use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::codecs::{self, Abilities};
use crate::{Error, ErrorKind, Format, Metadata, Picture, is_special, picture, raster, xmp};

/// How a picture is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// The format; without it, what the name ends with, else the picture's own, else PNG.
    pub format: Option<Format>,
    /// Quality of JPEG, 1 (worst) to 100. 92 by default.
    pub quality: u8,
    /// Whether a file that exists may be replaced. `true` by default.
    pub overwrite: bool,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self { format: None, quality: 92, overwrite: true }
    }
}

impl EncodeOptions {
    /// The same options with another format.
    #[must_use]
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// The format that a picture gets whose name says nothing: the one asked for, else its own, else PNG.
    pub fn format_of(&self, picture: &Picture) -> Format {
        self.format.or(picture.format).unwrap_or(Format::Png)
    }

    /// The same options with another quality of JPEG, cut to 1…100.
    #[must_use]
    pub fn with_quality(mut self, quality: u8) -> Self {
        self.quality = quality.clamp(1, 100);
        self
    }

    /// The same options, allowed or forbidden to replace a file.
    #[must_use]
    pub fn with_overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }
}

/// A picture as the contents of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoded {
    /// The file's contents.
    pub bytes: Vec<u8>,
    /// The format that was taken.
    pub format: Format,
    /// What the format could not hold.
    pub losses: Vec<Loss>,
}

/// A part of a picture that its new format can't hold, and so was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// The alpha channel.
    Alpha,
    /// Values were rounded from 16 bits to 8.
    Depth,
    /// The EXIF block.
    Exif,
    /// The ICC profile; also where the format holds grey as colour, which a profile of grey does not fit.
    Icc,
    /// The XMP packet.
    Xmp,
    /// What a PNG's `gAMA` or `cICP` says of its colours, where they are other than sRGB's: they look different without.
    Colours,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alpha => "the alpha channel",
            Self::Depth => "the lower 8 of 16 bits",
            Self::Exif => "the EXIF metadata",
            Self::Icc => "the ICC profile",
            Self::Xmp => "the XMP metadata",
            Self::Colours => "the meaning of the colours (gAMA, cICP)",
        })
    }
}

/// Writes a picture to a file: into a temporary one beside it, then renamed, so that a whole file
/// has that name or none. Where `path` is a link, the file that it leads to is replaced; a device or a pipe is written to.
///
/// # Errors
/// [`ErrorKind::Io`], [`ErrorKind::Exists`] where [`EncodeOptions::overwrite`] is off, and those of
/// [`encode`], each naming the file.
pub fn write(
    path: impl AsRef<Path>,
    picture: &Picture,
    options: &EncodeOptions,
) -> Result<Encoded, Error> {
    let path = path.as_ref();
    let mut options = options.clone();
    options.format = options.format.or_else(|| Format::from_path(path));
    let encoded = encode(picture, &options).map_err(|error| error.at(path))?;
    replace(path, &encoded.bytes, options.overwrite).map_err(|error| error.at(path))?;
    Ok(encoded)
}

/// Writes the contents of any file as [`write()`] does.
///
/// # Errors
/// [`ErrorKind::Io`], and [`ErrorKind::Exists`] where a file is there and `overwrite` is off.
pub fn write_bytes(path: impl AsRef<Path>, bytes: &[u8], overwrite: bool) -> Result<(), Error> {
    let path = path.as_ref();
    replace(path, bytes, overwrite).map_err(|error| error.at(path))
}

/// Encodes a picture. Values are clipped to `[0, 1]` and rounded to the nearest step.
///
/// # Errors
/// [`ErrorKind::Invalid`] where the picture can't be a file of this format.
pub fn encode(picture: &Picture, options: &EncodeOptions) -> Result<Encoded, Error> {
    let format = options.format_of(picture);
    let abilities = codecs::abilities(format);
    format.check_size(picture.width(), picture.height())?;
    let (raster, mut losses) = raster::from_picture(picture, abilities)?;
    if format != Format::Png && picture.metadata.has_other_colours() {
        losses.push(Loss::Colours);
    }
    let metadata = fitting(&picture.metadata, abilities, raster.colours(), &mut losses);
    let bytes = codecs::encode(format, &raster, &metadata, options).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("can't be written as {format}: {error}"))
            .because(error)
    })?;
    Ok(Encoded { bytes, format, losses })
}

/// The blocks that a file of so many channels of colour can hold.
fn fitting(
    metadata: &Metadata,
    abilities: &Abilities,
    colours: usize,
    losses: &mut Vec<Loss>,
) -> Metadata {
    let fits = metadata.icc.as_ref().is_some_and(|profile| picture::fits(profile, colours));
    let packet = metadata.xmp.as_ref().map(|packet| {
        if packet.len() > abilities.xmp { xmp::without_padding(packet) } else { packet.clone() }
    });
    let mut keep = |block: &Option<Vec<u8>>, longest: usize, loss: Loss| {
        let kept = block.clone().filter(|bytes| bytes.len() <= longest);
        if block.is_some() && kept.is_none() {
            losses.push(loss);
        }
        kept
    };
    Metadata {
        exif: keep(&metadata.exif, abilities.exif, Loss::Exif),
        icc: keep(&metadata.icc, if fits { abilities.icc } else { 0 }, Loss::Icc),
        xmp: keep(&packet, abilities.xmp, Loss::Xmp),
        png: metadata.png.clone(),
        resolution: metadata.resolution,
    }
}

fn replace(path: &Path, bytes: &[u8], overwrite: bool) -> Result<(), Error> {
    if overwrite && is_special(path) {
        return OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut special| special.write_all(bytes))
            .map_err(io);
    }
    let place = place(path)?;
    let mut part = part(&place)?;
    part.file.write_all(bytes).map_err(io)?;
    persist(part, &place, overwrite)
}

/// Where the file lies that `path` names: a link stays one, and what it leads to is replaced, or made where nothing is there yet.
pub(crate) fn place(path: &Path) -> Result<PathBuf, Error> {
    /// As many as Linux follows.
    const LINKS: usize = 40;
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        let Ok(led) = fs::read_link(&place) else { return Ok(place) };
        place = place.parent().unwrap_or(Path::new("")).join(led);
    }
    Err(Error::new(ErrorKind::Io, "is a link that leads in a circle: name another output"))
}

/// The temporary files that are not whole yet.
static PARTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn parts() -> MutexGuard<'static, Vec<PathBuf>> {
    PARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of what is being written, for a process that ends without waiting for it. None is begun while the
/// result is held, which is to be till the end.
#[must_use = "files are begun again when it is dropped"]
pub fn abandon() -> impl Sized {
    let parts = parts();
    for part in parts.iter() {
        // Nobody is left to be told when this fails.
        let _ = fs::remove_file(part);
    }
    parts
}

/// A temporary file, removed when it is dropped.
pub(crate) struct Part {
    pub(crate) file: NamedTempFile,
    /// Dropped after the file.
    listed: Listed,
}

struct Listed(PathBuf);

impl Drop for Listed {
    fn drop(&mut self) {
        parts().retain(|part| *part != self.0);
    }
}

/// A temporary file beside the place.
pub(crate) fn part(path: &Path) -> Result<Part, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rddm-").suffix(".part");
    #[cfg(unix)]
    {
        // The process's mask takes its bits from these; a temporary file's are private otherwise. What is private that it is to
        // replace, it is from the beginning.
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path).map_or(0o666, |replaced| replaced.permissions().mode());
        builder.permissions(fs::Permissions::from_mode(mode & 0o666));
    }
    let mut parts = parts();
    let file = builder.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(io)?;
    parts.push(file.path().to_owned());
    Ok(Part { listed: Listed(file.path().to_owned()), file })
}

/// Gives a temporary file that is whole its name.
pub(crate) fn persist(part: Part, path: &Path, overwrite: bool) -> Result<(), Error> {
    let Part { file, listed: _listed } = part;
    file.as_file().sync_all().map_err(io)?;
    if overwrite {
        // What was private stays so, and what was open, which the process's mask may have closed; and whose it was, where that is
        // allowed.
        #[cfg(unix)]
        if let Ok(replaced) = fs::metadata(path) {
            use std::os::unix::fs::{MetadataExt as _, fchown};
            let _ = fchown(file.as_file(), Some(replaced.uid()), Some(replaced.gid()));
            file.as_file().set_permissions(replaced.permissions()).map_err(io)?;
        }
        file.persist(path).map_err(|error| io(error.error))?;
        return Ok(());
    }
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::new(ErrorKind::Exists, "exists already and was not replaced"))
        }
        Err(error) => Err(io(error.error)),
    }
}

pub(crate) fn io(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("can't be written: {error}")).because(error)
}
