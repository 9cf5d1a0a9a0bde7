use std::fmt;

/// Why a picture could not be restored.
///
/// Its text says what failed, where (the network, the engine, the row) and what to do next.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The engine is unknown, was not compiled in, or its library could not be loaded.
    Engine,
    /// The asked device is unknown to the engine, or is not there.
    Device,
    /// A network's bytes are not those that the manifest names. Nothing of them was parsed.
    Integrity,
    /// A network is not valid, or does not have the inputs and outputs that its manifest says.
    Network,
    /// The options contradict each other, or ask for what the networks cannot do, or the model needs
    /// a newer version.
    Options,
    /// The picture or the mask has a shape or a value that the model does not take.
    Input,
    /// The memory that was allowed is not enough even for the smallest tiles, or for the tile that was set, or there is none for
    /// the result.
    Memory,
    /// A network gave a value that is no number.
    NotFinite,
    /// The caller asked to stop.
    Cancelled,
    /// The caller's source of rows, or its sink, failed.
    Rows,
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    /// The same error, said to be in `place`.
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// The same error, of another kind.
    #[cfg(feature = "ort")]
    pub(crate) fn of(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn caused(
        kind: ErrorKind,
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, what: what.into(), source: Some(source.into()) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        // The chain belongs to the text: a message that only says that a library failed helps nobody.
        let mut next = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<rddm_core::Error> for Error {
    fn from(error: rddm_core::Error) -> Self {
        Self::new(ErrorKind::Options, error.to_string())
    }
}
