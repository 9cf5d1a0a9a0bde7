//! What a zoo of restoration networks says about its models: manifests, the index over them,
//! digests and signatures. Everything here is parsed once, at the border; a value of one of these
//! types needs no further checks.
//!
//! A tour:
//! - [`Manifest`] is one model and *everything needed to run it as it was measured*:
//!   [`Network`]s, [`Sampler`], [`Picture`] rules, [`TrainingData`] and its terms,
//!   [`Provenance`] and [`Accuracy`]. [`Manifest::parse`] reads it, [`Manifest::to_toml`] writes it.
//! - [`Index`] lists the models of a registry with the digest of each manifest; a
//!   [`PublicKey`] checks its signature ([`Signature`], minisign).
//! - [`Draft`] and [`Evaluation`] are the two files under `zoo/<model>/` that a manifest is
//!   made from: what only the model's maker knows, and what an evaluation measured.
//! - [`Digest`], [`ModelId`], [`Version`], [`Location`], [`License`], [`Text`] and [`Timestamp`]
//!   are the words of these texts. None of them can be built from an invalid string.
//!
//! ```
//! use rddm_manifest::{Digest, ModelId};
//!
//! let id: ModelId = "lol-derain".parse()?;
//! assert_eq!(id.as_str(), "lol-derain");
//! assert!("../etc/passwd".parse::<ModelId>().is_err());
//! assert!("ABCD".parse::<Digest>().is_err());
//! # Ok::<(), rddm_manifest::Error>(())
//! ```
//!
//! The crate does no input or output: it is given texts and bytes.

#![forbid(unsafe_code)]

#[macro_use]
mod text_form;

mod digest;
mod draft;
mod error;
mod evaluation;
mod id;
mod index;
mod license;
mod location;
mod manifest;
mod network;
mod picture;
mod sampler;
mod signature;
mod text;
mod time;
mod toml_text;
mod version;

pub use digest::{Digest, Hasher};
pub use draft::{Draft, DraftNetwork};
pub use error::{Error, ErrorKind};
pub use evaluation::{Evaluation, Row};
pub use id::ModelId;
pub use index::{Entry, Index};
pub use license::License;
pub use location::Location;
pub use manifest::{Accuracy, Manifest, Provenance, TrainingData};
pub use network::{Network, Precision, Role};
pub use picture::{Padding, Picture};
pub use sampler::{Coefficients, Method, MirrorMean, Objective, Sampler, Shape, TimeEncoding};
pub use signature::{PublicKey, Signature};
pub use text::{Text, printable};
pub use time::Timestamp;
pub use version::Version;

/// The schema that this version reads and writes, of manifests, drafts and indexes alike.
pub const SCHEMA: u32 = 1;
