use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a picture could not be read or written.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    path: Option<PathBuf>,
    text: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file system refused: no such file, no permission, disk full.
    Io,
    /// The output exists and was not to be replaced.
    Exists,
    /// The contents are in no format that is known here.
    UnknownFormat,
    /// The format is known, but this variant of it is not supported.
    Unsupported,
    /// The contents are broken or end early.
    Corrupt,
    /// The picture is larger than the [`Limits`](crate::Limits) allow.
    Limit,
    /// The picture in memory can't be a file: no pixels, odd channels, planes of different size, a
    /// value that is NaN, or a side longer than the format allows.
    Invalid,
}

impl Error {
    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file that it is about, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, path: None, text: text.into(), source: None }
    }

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.to_path_buf());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.text)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
