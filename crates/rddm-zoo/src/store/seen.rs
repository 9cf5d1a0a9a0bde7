//! What was last seen of each registry: its index, kept for use without network, and thereby the
//! version below which no further index is accepted. An index that was accepted without a look at its
//! signature has a place of its own: it must not make that version forgotten.

use std::{fs, io, path::PathBuf};

use rddm_manifest::{Digest, Index, printable};
use serde::{Deserialize, Serialize};

use super::{Store, durable, open_file};
use crate::{Error, Place, Registry, Trust};

/// Which of the two indexes that are kept of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The one whose signature was good.
    Signed,
    /// The one whose signature nobody looked at.
    Unsigned,
}

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
    fn seen_path(&self, registry: &str, slot: Slot) -> PathBuf {
        let name = &Digest::of(registry.as_bytes()).hex()[..32];
        let end = match slot {
            Slot::Signed => "",
            Slot::Unsigned => "-unsigned",
        };
        self.root().join("registries").join(format!("{name}{end}.toml"))
    }

    /// The index that was last seen at `place`, if one was. The caller checks its signature again: earlier
    /// versions had one slot, and put unsigned indexes there too.
    ///
    /// # Errors
    /// If what is remembered cannot be read: it may be of an index that no older one must replace.
    pub(crate) fn seen(&self, place: &Place, slot: Slot) -> Result<Option<Seen>, Error> {
        let name = place.full().to_string();
        let path = self.seen_path(&name, slot);
        let wrong = |why: &str| {
            let what = format!(
                "what the store remembers of {place} is damaged, or of a newer program: {}: {why}",
                path.display()
            );
            Error::verification(what).with_next(
                "run the newer program; or forget all registries, if you trust them to be no older than before: rddm-zoo gc --forget-registries",
            )
        };
        let text = match open_file(&path) {
            Ok((_, size)) if size > MAX_BYTES => return Err(wrong("the file is too large")),
            Ok((file, _)) => io::read_to_string(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        let text = text.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => wrong(&error.to_string()),
            _ => Error::store("read", &path, &error),
        })?;
        let file: SeenFile =
            toml::from_str(&text).map_err(|error| wrong(&printable(error.message())))?;
        if file.schema != 1 || file.registry != name {
            return Err(wrong("it is not one of this registry and schema 1"));
        }
        let index = Index::parse(&file.index).map_err(|error| wrong(&error.to_string()))?;
        Ok(Some(Seen { bytes: file.index.into_bytes(), signature: file.signature, index }))
    }

    /// Remembers the index of a registry that was opened with `trust`, so that no older one is accepted from now
    /// on. A newer one that is as good, which another process may have seen in the meantime, stays.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn remember(&self, registry: &Registry, trust: &Trust) -> Result<(), Error> {
        let place = registry.place();
        let slot = if registry.signed_by().is_some() { Slot::Signed } else { Slot::Unsigned };
        let newer = |seen: Seen| {
            seen.index.version > registry.index().version
                && trust.check("", &seen.bytes, seen.signature.as_deref()).is_ok()
        };
        let _lock = self.lock_notes()?;
        if slot == Slot::Signed && self.seen(place, slot)?.is_some_and(newer) {
            return Ok(());
        }
        let name = place.full().to_string();
        let path = self.seen_path(&name, slot);
        let file = SeenFile {
            schema: 1,
            registry: name,
            signature: registry.signature().map(str::to_owned),
            index: String::from_utf8_lossy(registry.bytes()).into_owned(),
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
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::store("remove", &folder, &error))
            }
            _ => Ok(()),
        }
    }
}
