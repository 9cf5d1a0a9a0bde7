use std::fmt;

/// Why a manifest, an index or one of their words was refused.
///
/// Its text says what is wrong, where (file, then key), and what to do when that is not obvious.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    place: String,
    what: String,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is larger than its kind of file may be; it was not parsed.
    TooLarge,
    /// The text is not valid TOML or UTF-8, lacks a required key, or has an unknown or a doubled one.
    Syntax,
    /// The text says a schema that this version does not know.
    Schema,
    /// A single value is outside what its key allows.
    Value,
    /// Values are fine alone and contradict each other.
    Inconsistent,
    /// A digest is not 64 lower-case hexadecimal digits.
    Digest,
    /// A model's name is not allowed.
    Id,
    /// A signature is malformed, was made by another key, or does not fit the bytes.
    Signature,
    /// A public key is malformed.
    Key,
}

impl Error {
    /// What kind of mistake it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error, said to be in `place` (a file or a URL).
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.place = match self.place.as_str() {
            "" => place.to_owned(),
            inner => format!("{place}: {inner}"),
        };
        self
    }

    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, place: String::new(), what: what.into() }
    }

    pub(crate) fn value(key: &str, what: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Value, place: key.to_owned(), what: what.into() }
    }

    pub(crate) fn inconsistent(key: &str, what: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Inconsistent, place: key.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}
