//! The store: everything that was pulled, as ordinary files under one folder.
//!
//! ```text
//! blobs/sha256/ab/ab12…    a manifest or a network; the name is the digest of the bytes
//! models/derain.toml       which manifest the name means, and where it came from (a Record)
//! registries/1f….toml      the newest index of each registry, with its signature;
//!                          -unsigned: the one that was accepted without a look at it
//! partial/ab12….part       a download that has not ended; .tag: the entity tag that it had, and where
//! locks/                   locks between processes; empty files
//! ```
//!
//! There are no links, no case-sensitive names and no names longer than 64 characters and an
//! extension, so it works on every file system. Reading takes no lock and writes nothing.

mod blob;
mod durable;
mod lock;
mod partial;
mod record;
mod seen;
mod usage;

use std::path::{Path, PathBuf};

pub(crate) use blob::{CHUNK, Condition, hash_file, open_file, read_exact_blob};
pub use durable::discard_unfinished;
pub(crate) use durable::{
    folder_of, hold_folder, prepare, remove_leftovers, temporary, write as write_durably,
};
pub(crate) use lock::Mode;
pub(crate) use partial::{Partial, free_space, is_strong, part_path};
pub use record::Record;
pub(crate) use seen::{Seen, Slot};
pub use usage::{Collected, ModelUsage, Usage};

/// A store of models in a folder, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store in `root`. Nothing is read or written yet.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
