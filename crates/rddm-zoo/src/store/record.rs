//! Names of models: each is a small file that says which manifest it means.

use std::{
    fs,
    io::{self, Read as _},
    path::PathBuf,
};

use rddm_manifest::{Digest, Entry, Manifest, ModelId, Precision, Timestamp, Version, printable};
use serde::{Deserialize, Serialize};

use super::{Store, blob, durable};
use crate::{
    Error,
    registry::{manifest_of, parse_manifest},
};

/// A model that was pulled: which manifest its name means, and where that came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The schema of this file, 1.
    pub schema: u32,
    /// The model's name, which the file has too.
    pub id: ModelId,
    /// The model's version.
    pub version: Version,
    /// The manifest's digest.
    pub sha256: Digest,
    /// The manifest's size in bytes.
    pub size: u64,
    /// The precisions whose networks were pulled.
    pub precisions: Vec<Precision>,
    /// The registry that it came from, a folder or URL.
    pub registry: String,
    /// The version of the registry's index.
    pub index_version: u64,
    /// The public key that had signed the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// When it was pulled.
    pub pulled: Timestamp,
}

impl Record {
    /// Whether it is of the same manifest as `other`, and of no fewer precisions.
    pub(crate) fn has(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
            && other.precisions.iter().all(|precision| self.precisions.contains(precision))
    }
}

const MAX_BYTES: u64 = 16 * 1024;

impl Store {
    fn record_path(&self, id: &ModelId) -> PathBuf {
        self.root().join("models").join(format!("{id}.toml"))
    }

    /// The record of a model, if it was pulled.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a record.
    pub fn record(&self, id: &ModelId) -> Result<Option<Record>, Error> {
        let path = self.record_path(id);
        let wrong = |why: &str| {
            Error::verification(format!("the record of {id} is damaged: {}: {why}", path.display()))
                .with_next(pull_again(id))
        };
        let mut text = String::new();
        let read = blob::open_file(&path).and_then(|(file, size)| {
            if size > MAX_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too large"));
            }
            file.take(MAX_BYTES).read_to_string(&mut text)
        });
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
                ) =>
            {
                return Err(wrong(&error.to_string()));
            }
            Err(error) => return Err(Error::store("read", &path, &error)),
        }
        let record: Record =
            toml::from_str(&text).map_err(|error| wrong(&printable(error.message())))?;
        if record.schema != 1 || record.id != *id {
            return Err(wrong("it is not one of this model and schema 1"));
        }
        Ok(Some(record))
    }

    /// The names of all models that were pulled, in alphabetical order.
    ///
    /// # Errors
    /// If the store's folder cannot be read.
    pub fn models(&self) -> Result<Vec<ModelId>, Error> {
        let folder = self.root().join("models");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::store("read", &folder, &error)),
        };
        let mut models = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| Error::store("read", &folder, &error))?;
            let name = entry.file_name();
            models.extend(
                name.to_str()
                    .and_then(|name| name.strip_suffix(".toml"))
                    .and_then(|id| id.parse().ok()),
            );
        }
        models.sort();
        Ok(models)
    }

    /// The manifest that a record means. Its bytes are hashed.
    ///
    /// # Errors
    /// If it is missing, was changed, or cannot be read.
    pub fn manifest(&self, record: &Record) -> Result<Manifest, Error> {
        let text = self.manifest_text(record)?;
        let path = self.blob_path(&record.sha256);
        let place = format!("the manifest of {}: {}", record.id, path.display());
        manifest_of(&text, &place, &record.id)
    }

    /// The manifest that an entry of an index names, if the store has it and it is good.
    pub fn listed(&self, entry: &Entry) -> Option<Manifest> {
        let path = self.blob_path(&entry.sha256);
        let bytes = blob::read_exact_blob(&path, &entry.sha256, entry.size).ok().flatten()?;
        parse_manifest(&bytes, &path.display().to_string(), &entry.id).ok()
    }

    pub(crate) fn manifest_text(&self, record: &Record) -> Result<String, Error> {
        let path = self.blob_path(&record.sha256);
        let damaged = |why: &str| {
            Error::verification(format!("the manifest of {} {why}: {}", record.id, path.display()))
                .with_next(pull_again(&record.id))
        };
        if record.size > Manifest::MAX_BYTES as u64 {
            return Err(damaged("is too large"));
        }
        match blob::read_exact_blob(&path, &record.sha256, record.size) {
            Ok(Some(bytes)) => String::from_utf8(bytes).map_err(|_| damaged("is not text")),
            Ok(None) => Err(damaged("was changed")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(damaged("is missing")),
            Err(error) => Err(Error::store("read", &path, &error)),
        }
    }

    /// Writes the record of a pull that found `before`. What another process has pulled since counts
    /// too: other precisions of the same manifest, and a model of a newer index of the registry.
    pub(crate) fn save_record(
        &self,
        mut record: Record,
        before: Option<&Record>,
    ) -> Result<(), Error> {
        let _lock = self.lock_notes()?;
        if let Some(there) = self.record(&record.id).ok().flatten() {
            if there.sha256 == record.sha256 {
                record.precisions.extend(there.precisions);
                record.precisions.sort();
                record.precisions.dedup();
            } else if Some(&there) != before
                && there.registry == record.registry
                && there.index_version > record.index_version
            {
                return Ok(());
            }
        }
        let text = toml::to_string(&record).map_err(|error| Error::usage(error.to_string()))?;
        durable::write(&self.record_path(&record.id), text.as_bytes())
    }

    /// Forgets a model's name, which may be absent. Its files stay.
    pub(super) fn forget(&self, id: &ModelId) -> Result<(), Error> {
        durable::remove(&self.record_path(id))
    }
}

/// What to do about a model whose record or manifest is damaged.
fn pull_again(id: &ModelId) -> String {
    format!("pull it again: rddm-zoo pull {id}; or remove it: rddm-zoo rm {id}")
}
