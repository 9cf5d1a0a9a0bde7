//! What was last seen of each registry: its index, kept for use without network, and thereby the
//! version below which no further index is accepted.

use std::{fs, path::PathBuf};

use rddm_manifest::{Digest, Index};
use serde::{Deserialize, Serialize};

use super::{Store, durable};
use crate::{Error, Place};

/// An index as it was last seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: Option<String>,
    pub(crate) index: Index,
}

/// The file: index and signature in one, so that they cannot be of different times.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenFile {
    schema: u32,
    registry: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    index: String,
}

/// Room for an index whose every line break and quotation mark is escaped.
const MAX_BYTES: u64 = 2 * Index::MAX_BYTES as u64 + 16 * 1024;

impl Store {
    fn seen_path(&self, registry: &str) -> PathBuf {
        let name = &Digest::of(registry.as_bytes()).hex()[..32];
        self.root().join("registries").join(format!("{name}.toml"))
    }

    /// The index that was last seen at `place`. The caller checks its signature again.
    pub(crate) fn seen(&self, place: &Place) -> Option<Seen> {
        let path = self.seen_path(&place.full().to_string());
        if fs::metadata(&path).ok()?.len() > MAX_BYTES {
            return None;
        }
        let file: SeenFile = toml::from_str(&fs::read_to_string(&path).ok()?).ok()?;
        let index = Index::parse(&file.index).ok()?;
        Some(Seen { bytes: file.index.into_bytes(), signature: file.signature, index })
    }

    pub(crate) fn save_seen(
        &self,
        place: &Place,
        bytes: &[u8],
        signature: Option<&str>,
    ) -> Result<(), Error> {
        let registry = place.full().to_string();
        let path = self.seen_path(&registry);
        let file = SeenFile {
            schema: 1,
            registry,
            signature: signature.map(str::to_owned),
            index: String::from_utf8_lossy(bytes).into_owned(),
        };
        let text = toml::to_string(&file).map_err(|error| Error::usage(error.to_string()))?;
        durable::write(&path, text.as_bytes())
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
