use alloc::string::String;
use core::fmt;

/// What failed, where, and what to do next, as one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A schedule that can't be computed: no time steps, a ratio or a scale out of range, sums that fall.
    InvalidSchedule,
    /// A sampler that can't run: a number of steps, an `η` or a method that does not fit.
    InvalidSampler,
    /// An average of weights that can't be kept: a decay or an interval out of range.
    InvalidAverage,
    /// A name that is none of the known ones.
    UnknownName,
    /// A slice, an output or a noise draw that is missing or has the wrong length.
    ShapeMismatch,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// The kind, for callers that decide by it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl core::error::Error for Error {}

/// Implements `FromStr`, `Display` and `NAMES` for an enum of names.
macro_rules! names {
    ($type:ident, $what:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            /// All variants, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that texts and files use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl core::str::FromStr for $type {
            type Err = crate::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(crate::Error::new(
                        crate::ErrorKind::UnknownName,
                        alloc::format!(
                            concat!("unknown ", $what, " \"{}\"; known are ", "{}"),
                            text.chars().take(40).collect::<alloc::string::String>(),
                            [$($name),+].join(", "),
                        ),
                    )),
                }
            }
        }
    };
}
pub(crate) use names;
