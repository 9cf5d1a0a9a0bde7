//! What can go wrong in a training.

use std::io;
use std::path::Path;

/// An error of a training: what failed, where, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: Kind,
    text: String,
}

/// What an [`Error`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The recipe cannot be read or asks for what cannot be.
    Recipe,
    /// A file that was given is missing or cannot be read, or a picture does not fit its pair.
    Data,
    /// A run's folder cannot be read or written, or does not fit the recipe.
    Run,
    /// An engine did not run a network.
    Engine,
    /// The automatic choice of the objective chose nothing.
    Undecided,
    /// The training left the numbers: a loss, a weight or a restored picture that is not finite.
    Diverged,
}

impl Error {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(crate) fn run(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::new(Kind::Run, format!("{}: {error}", path.display()))
    }

    pub(crate) fn data(path: &Path, error: impl std::fmt::Display) -> Self {
        Self::new(Kind::Data, format!("{}: {error}", path.display()))
    }

    /// A training that left the numbers after `step` optimiser steps.
    pub(crate) fn diverged(what: &str, step: usize) -> Self {
        Self::new(Kind::Diverged, format!("{what} at step {step}; try a lower training.rate"))
    }

    /// An engine that did not run a network; `text` says which and why.
    pub fn engine(text: impl Into<String>) -> Self {
        Self::new(Kind::Engine, text)
    }

    /// A picture or mask that a network does not take; `text` says why.
    pub fn unfit(text: impl Into<String>) -> Self {
        Self::new(Kind::Data, text)
    }

    /// The same error, said to be about `name`.
    pub(crate) fn of(self, name: &str) -> Self {
        Self { text: format!("{name}: {}", self.text), ..self }
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::new(Kind::Run, error.to_string())
    }
}
