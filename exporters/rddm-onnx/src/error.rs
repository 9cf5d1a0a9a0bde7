//! Why a network cannot be written as an ONNX file, or its weights not be read from one.

use std::fmt;

/// A network that cannot be exported, an export that would not be a valid file, or a file of another network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

/// What went wrong, for callers that decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The description of the export contradicts itself or the forward pass.
    Specification,
    /// burn could not record the forward pass.
    Capture,
    /// An operation, or one of its options, has no lowering.
    Unsupported,
    /// Something that an ONNX graph must fix (an operation, a constant, an option) changes with the size of the input.
    DependsOnSize,
    /// The finished graph breaks a rule of the format: a fault of this crate.
    Invalid,
    /// A file does not hold the weights that were asked for.
    Weights,
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn specification(text: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Specification, text: text.into() }
    }

    pub(crate) fn capture(text: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Capture, text: text.into() }
    }

    pub(crate) fn unsupported(text: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unsupported, text: text.into() }
    }

    pub(crate) fn depends_on_size(text: impl Into<String>) -> Self {
        Self { kind: ErrorKind::DependsOnSize, text: text.into() }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Invalid, text: text.into() }
    }

    pub(crate) fn weights(text: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Weights, text: text.into() }
    }

    /// The same error with the place it was met at.
    pub(crate) fn at(self, place: &str) -> Self {
        Self { text: format!("{} ({place})", self.text), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
