//! Why an export failed.

use std::path::Path;

/// An export that failed.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file that was to be exported cannot be read or is not what it should be.
    Input,
    /// What was asked for does not go together.
    Usage,
    /// The network has no form as an ONNX file.
    Export,
    /// A file could not be written.
    Output,
}

impl Error {
    /// What failed.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The command's exit code for it.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Export => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Input => 3,
            ErrorKind::Output => 7,
        }
    }

    pub(crate) fn input(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self { kind: ErrorKind::Input, text: format!("{}: {problem}", path.display()) }
    }

    pub(crate) fn output(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self { kind: ErrorKind::Output, text: format!("{}: {problem}", path.display()) }
    }

    /// The same; the error names the file.
    pub(crate) fn writing(error: &rddm_image::Error) -> Self {
        Self { kind: ErrorKind::Output, text: error.to_string() }
    }

    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Usage, text: problem.into() }
    }
}

impl From<rddm_onnx::Error> for Error {
    fn from(error: rddm_onnx::Error) -> Self {
        Self { kind: ErrorKind::Export, text: error.to_string() }
    }
}

impl From<rddm_networks::checkpoint::Error> for Error {
    fn from(error: rddm_networks::checkpoint::Error) -> Self {
        Self { kind: ErrorKind::Input, text: error.to_string() }
    }
}

impl From<rddm_manifest::Error> for Error {
    fn from(error: rddm_manifest::Error) -> Self {
        Self { kind: ErrorKind::Usage, text: error.to_string() }
    }
}
