//! What was last seen of each registry: its index, kept for use without network, and thereby the
//! version below which no further index is accepted.

use std::{fs, path::PathBuf};

use rddm_manifest::{Digest, Index};

use super::{Store, durable};
use crate::{Error, Place};

/// An index as it was last seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: Option<String>,
    pub(crate) index: Index,
}

impl Store {
    fn registry_folder(&self, place: &Place) -> PathBuf {
        let name = place.full().to_string();
        self.root().join("registries").join(&Digest::of(name.as_bytes()).hex()[..32])
    }

    /// The index that was last seen at `place`. The caller checks its signature again.
    pub(crate) fn seen(&self, place: &Place) -> Option<Seen> {
        let folder = self.registry_folder(place);
        let path = folder.join("index.toml");
        if fs::metadata(&path).ok()?.len() > Index::MAX_BYTES as u64 {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let index = Index::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
        let signature = fs::read_to_string(folder.join("index.toml.minisig")).ok();
        Some(Seen { bytes, signature, index })
    }

    pub(crate) fn save_seen(
        &self,
        place: &Place,
        bytes: &[u8],
        signature: Option<&str>,
    ) -> Result<(), Error> {
        let folder = self.registry_folder(place);
        if let Some(signature) = signature {
            durable::write(&folder.join("index.toml.minisig"), signature.as_bytes())?;
        }
        durable::write(&folder.join("index.toml"), bytes)
    }

    /// Forgets what was seen of all registries.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn forget_registries(&self) -> Result<(), Error> {
        let folder = self.root().join("registries");
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::store("remove", &folder, &error))
            }
            _ => Ok(()),
        }
    }
}
