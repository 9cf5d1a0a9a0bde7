//! Test suites that cross crates, and what they share.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use rddm_zoo::{Place, ResolveOptions, ResolvedModel};

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A model as the checkout publishes it.
///
/// # Panics
/// When the checkout's registry does not have it, whole and signed.
pub fn published(name: &str) -> ResolvedModel {
    let mut options = ResolveOptions::default();
    options.registry = Some(Place::Folder(root().join("manifests")));
    rddm_zoo::resolve(&name.parse().unwrap(), &options).unwrap()
}
