use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rddm_manifest::{Digest, Manifest, ModelId, Precision, Role, Version, printable};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    registry::read_small,
    store::{folder_of, hold_folder, write_durably},
};

/// `rddm.lock`: the exact models that a repository was made with, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    /// The schema, 1.
    pub schema: u32,
    /// The models in alphabetical order.
    #[serde(default)]
    pub models: Vec<LockedModel>,
}

/// One model of a [`LockFile`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedModel {
    /// The model.
    pub id: ModelId,
    /// Its version, for people.
    pub version: Version,
    /// The digest of its manifest, which names the digests of the networks.
    pub sha256: Digest,
    /// The networks, for people and for other tools.
    pub networks: Vec<LockedNetwork>,
}

/// One network of a [`LockedModel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedNetwork {
    /// What it predicts.
    pub role: Role,
    /// What its weights are stored in.
    pub precision: Precision,
    /// The file's digest.
    pub sha256: Digest,
}

impl LockFile {
    /// The file's usual name.
    pub const NAME: &'static str = "rddm.lock";

    /// Reads a lock file; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) if it is not one.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let Some(bytes) = read_small(path, 1 << 20)? else { return Ok(None) };
        let wrong = |why: &str| Error::input(format!("{}: {why}", path.display()));
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("not a text"))?;
        let file: Self =
            toml::from_str(text).map_err(|error| wrong(&printable(error.message())))?;
        if file.schema != 1 {
            return Err(wrong(&format!("schema {} is not known to this version", file.schema)));
        }
        let mut ids = BTreeSet::new();
        if let Some(model) = file.models.iter().find(|model| !ids.insert(&model.id)) {
            return Err(wrong(&format!("{} is locked twice", model.id))
                .with_next("remove the entry that is not meant, such as a merge leaves"));
        }
        Ok(Some(file))
    }

    /// Reads a lock file, or begins one, changes it and writes it, whole or not at all; one process
    /// after the other. A link stays one.
    ///
    /// # Errors
    /// As of [`LockFile::read`], and [`ErrorKind::Store`](crate::ErrorKind::Store).
    pub fn update(path: &Path, change: impl FnOnce(&mut Self)) -> Result<(), Error> {
        let path = &linked(path);
        let _held = hold_folder(path);
        let mut file = Self::read(path)?.unwrap_or_default();
        change(&mut file);
        file.write(path)
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|error| Error::usage(error.to_string()))?;
        let head = "# The exact models that this project uses. Written by `rddm-zoo lock`; pulled by `rddm-zoo pull --locked`.\n";
        write_durably(path, format!("{head}{text}").as_bytes())
    }

    /// Sets the lock of a model.
    pub fn set(&mut self, manifest: &Manifest, sha256: Digest) {
        let networks = manifest
            .networks
            .iter()
            .map(|network| LockedNetwork {
                role: network.role,
                precision: network.precision,
                sha256: network.sha256,
            })
            .collect();
        self.models.retain(|model| model.id != manifest.id);
        self.models.push(LockedModel {
            id: manifest.id.clone(),
            version: manifest.version,
            sha256,
            networks,
        });
        self.models.sort_by(|one, other| one.id.cmp(&other.id));
    }

    /// The lock of a model.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if it has none.
    pub fn get(&self, id: &ModelId) -> Result<&LockedModel, Error> {
        self.models.iter().find(|model| model.id == *id).ok_or_else(|| {
            Error::not_found(format!("{id} is not locked"))
                .with_next(format!("lock it: rddm-zoo lock {id}"))
        })
    }
}

/// The file that a path means: the one that a link leads to, which may not be there yet.
fn linked(path: &Path) -> PathBuf {
    let leads = || fs::read_link(path).map(|target| folder_of(path).join(target));
    path.canonicalize().or_else(|_| leads()).unwrap_or_else(|_| path.to_owned())
}

impl LockedModel {
    /// Checks that `found` is the locked manifest; `place` is what has it.
    ///
    /// # Errors
    /// [`ErrorKind::Verification`](crate::ErrorKind::Verification).
    pub fn check(&self, found: &Digest, place: &str) -> Result<(), Error> {
        if *found == self.sha256 {
            return Ok(());
        }
        let what = format!(
            "{place} has {} as {found}, and the lock file wants {} {}",
            self.id, self.version, self.sha256
        );
        Err(Error::verification(what).with_next(format!(
            "to take the new one, lock it again: rddm-zoo lock {}; the old one may be in a bundle that `rddm-zoo export` wrote",
            self.id
        )))
    }
}

impl Default for LockFile {
    fn default() -> Self {
        Self { schema: 1, models: Vec::new() }
    }
}
