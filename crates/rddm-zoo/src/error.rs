use std::{fmt, io, path::Path};

/// Why the zoo could not do what it was asked for.
///
/// Its text says what failed and where (file, URL, model); [`Error::next`] says what to do about it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    next: Option<String>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for contradicts itself.
    Usage,
    /// A file that was given (a zoo's folder, a key, a lock file) is missing or wrong.
    Input,
    /// There is no such model, variant or registry.
    NotFound,
    /// The model is known and its files are not on this machine.
    NotPulled,
    /// The model needs a newer version of this program.
    TooOld,
    /// Bytes, sizes, signatures or dates are not what they have to be.
    Verification,
    /// A server could not be reached or did not behave, or the network must not be used.
    Network,
    /// The store cannot be read or written.
    Store,
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do next, one sentence, where there is something to do.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// The exit code that this project's commands end with.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Usage => 2,
            ErrorKind::Input => 3,
            ErrorKind::NotFound | ErrorKind::NotPulled | ErrorKind::TooOld => 4,
            ErrorKind::Verification => 5,
            ErrorKind::Network => 6,
            ErrorKind::Store => 7,
        }
    }

    /// An error of this kind; `what` says what failed and where.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), next: None }
    }

    /// An error of [`ErrorKind::Usage`].
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, what)
    }

    /// An error of [`ErrorKind::Input`].
    pub fn input(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, what)
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, what)
    }

    pub(crate) fn verification(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Verification, what)
    }

    pub(crate) fn network(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Network, what)
    }

    /// A failed operation on a file of the store.
    pub(crate) fn store(doing: &str, path: &Path, error: &io::Error) -> Self {
        let failed =
            Self::new(ErrorKind::Store, format!("cannot {doing} {}: {error}", path.display()));
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                failed.with_next("make room (`rddm-zoo gc`, `rddm-zoo du`) and run it again: it goes on where it stopped")
            }
            io::ErrorKind::PermissionDenied if doing == "read" => failed
                .with_next("make it readable for this user, or name another store with --home or RDDM_HOME"),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                failed.with_next("name a store that can be written with --home or RDDM_HOME")
            }
            _ => failed,
        }
    }

    /// A failed operation on a file that the user named.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::input(format!("cannot {doing} {}: {error}", path.display()))
    }

    /// A text that was refused; `place` is its file or URL.
    pub(crate) fn manifest(place: &str, error: rddm_manifest::Error) -> Self {
        use rddm_manifest::ErrorKind as Kind;
        let kind = error.kind();
        let refused = Self::verification(error.within(place).to_string());
        match kind {
            Kind::Schema => refused.with_next("a newer rddm-zoo may be able to read it"),
            Kind::Signature => refused.with_next(
                "do not use it; if this zoo has a key of its own that you trust, name it with --key",
            ),
            _ => refused,
        }
    }

    /// The same error, with what to do next.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}
