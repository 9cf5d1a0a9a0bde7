//! Test suites that cross crates, and what they share.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and report")]

use std::path::{Path, PathBuf};

use rddm_zoo::{Place, ResolveOptions, ResolvedModel};

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One of the project's commands, which `cargo test --workspace` builds with their own tests; none where it did not.
///
/// # Panics
/// When it is not there and `CI` is set, where nothing is skipped.
pub fn command(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let command = test.ancestors().nth(2).unwrap().join(name);
    if command.exists() {
        return Some(command);
    }
    let problem = format!("{} is not built; run cargo test --workspace", command.display());
    assert!(std::env::var_os("CI").is_none(), "{problem}");
    eprintln!("SKIPPED: {problem}");
    None
}

/// The command's name and its words, of a line `cargo run --release -p NAME -- WORDS`.
pub fn by_cargo(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("cargo run --release -p ")?.split_once(" -- ")
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
