//! What ends a run, and the exit code that says so.

use std::path::Path;

/// Something that failed: an exit code, what and where, and what to do next.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) what: String,
    pub(crate) next: Option<String>,
}

/// The exit codes that all commands of the project share.
pub(crate) mod code {
    pub(crate) const UNEXPECTED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const INPUT: u8 = 3;
    pub(crate) const MODEL: u8 = 4;
    pub(crate) const VERIFICATION: u8 = 5;
    pub(crate) const NETWORK: u8 = 6;
    pub(crate) const DISK: u8 = 7;
    pub(crate) const ENGINE: u8 = 8;
    pub(crate) const SOME_FAILED: u8 = 9;
    pub(crate) const INTERRUPTED: u8 = 130;
}

impl Failure {
    pub(crate) fn new(code: u8, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), next: None }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(code::USAGE, what)
    }

    pub(crate) fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The same failure, said to be about a file.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.what = format!("{}: {}", path.display(), self.what);
        self
    }

    /// A picture that can't be written.
    pub(crate) fn writing(error: &rddm_image::Error) -> Self {
        match error.kind() {
            rddm_image::ErrorKind::Io | rddm_image::ErrorKind::Exists => {
                Self::new(code::DISK, error.to_string())
            }
            // More pixels than the format has, which another one may hold.
            rddm_image::ErrorKind::Invalid => Self::usage(error.to_string()),
            _ => Self::new(code::UNEXPECTED, error.to_string()),
        }
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(
            code::INTERRUPTED,
            "interrupted; what was finished is whole, the rest was not begun",
        )
    }
}

/// Options that are none. What clap says in several parts, its problem first, becomes a line.
impl From<&clap::Error> for Failure {
    fn from(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let problem = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
        let line = problem.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::usage(line).with_next("rddm-run --help names the options")
    }
}

/// A picture that can't be read.
impl From<rddm_image::Error> for Failure {
    fn from(error: rddm_image::Error) -> Self {
        Self::new(code::INPUT, error.to_string())
    }
}

impl From<rddm_metrics::Error> for Failure {
    fn from(error: rddm_metrics::Error) -> Self {
        Self::new(code::INPUT, error.to_string())
    }
}

impl From<rddm_zoo::Error> for Failure {
    fn from(error: rddm_zoo::Error) -> Self {
        let next = error.next().map(str::to_owned);
        Self { code: error.exit_code(), what: error.to_string(), next }
    }
}

impl From<rddm_runtime::Error> for Failure {
    fn from(error: rddm_runtime::Error) -> Self {
        use rddm_runtime::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::Engine | Kind::Device | Kind::Network | Kind::NotFinite => code::ENGINE,
            Kind::Integrity => code::VERIFICATION,
            Kind::Options | Kind::Memory => code::USAGE,
            Kind::Input => code::INPUT,
            Kind::Cancelled => return Self::interrupted(),
            _ => code::UNEXPECTED,
        };
        Self::new(code, error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(code::UNEXPECTED, error.to_string())
    }
}
