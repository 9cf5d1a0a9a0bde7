//! Why weights could not be loaded.

use std::fmt::{self, Display, Formatter};

/// Weights that cannot be read or do not fit a network.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Error {
    kind: ErrorKind,
    place: String,
    problem: String,
    mismatch: Box<Mismatch>,
}

/// What is wrong with weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file cannot be opened or read.
    Unreadable,
    /// The bytes are no checkpoint, a damaged one, or one that claims more than it holds.
    Malformed,
    /// The file holds no network, or not the weights that were asked for.
    Absent,
    /// The weights are of another network: see [`Error::mismatch`].
    Mismatch,
}

/// Which tensors do not fit, by their official names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Tensors that the network has and the file does not.
    pub missing: Vec<String>,
    /// Tensors that the file has and the network does not.
    pub unexpected: Vec<String>,
    /// Tensors of another shape than the network's.
    pub wrong_shape: Vec<WrongShape>,
}

/// A tensor of another shape than the network's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongShape {
    /// The tensor's official name.
    pub name: String,
    /// The network's shape, in PyTorch's order.
    pub expected: Vec<usize>,
    /// The file's shape.
    pub found: Vec<usize>,
}

impl Error {
    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The tensors that do not fit; empty unless the kind is [`ErrorKind::Mismatch`].
    pub fn mismatch(&self) -> &Mismatch {
        &self.mismatch
    }

    pub(crate) fn new(
        kind: ErrorKind,
        place: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self { kind, place: place.into(), problem: problem.into(), mismatch: Box::default() }
    }

    pub(crate) fn misfit(place: &str, mismatch: Mismatch) -> Self {
        let problem = mismatch.to_string();
        Self {
            kind: ErrorKind::Mismatch,
            place: place.to_owned(),
            problem,
            mismatch: Box::new(mismatch),
        }
    }
}

impl Mismatch {
    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.wrong_shape.is_empty()
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the weights are of another network")?;
        list(f, "missing", &self.missing)?;
        list(f, "unexpected", &self.unexpected)?;
        list(f, "of another shape", &self.wrong_shape)?;
        f.write_str(
            "; give the network the dim, dim_mults and channels that the weights were trained with",
        )
    }
}

impl Display for WrongShape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} (network {:?}, file {:?})", self.name, self.expected, self.found)
    }
}

/// How many names a text shows of each list.
const SHOWN: usize = 4;

fn list<T: Display>(f: &mut Formatter<'_>, title: &str, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    write!(f, "; {title}: {}", shown.join(", "))?;
    match items.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
