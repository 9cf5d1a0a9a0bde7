//! What the store holds, and what of it nobody needs any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rddm_manifest::{Digest, ModelId};

use super::{Condition, Mode, Store, durable};
use crate::{Error, ErrorKind, Event, Observer};

/// The bytes of a store.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Usage {
    /// The models, in alphabetical order.
    pub models: Vec<ModelUsage>,
    /// Why further models are not among them: each has a record or a manifest that cannot be read.
    #[serde(skip)]
    pub failed: Vec<Error>,
    /// All blobs together; a blob that several models share counts once.
    pub blobs: u64,
    /// Blobs that no model needs; `None` if a model has failed, since it may need them.
    pub unneeded: Option<u64>,
    /// Downloads that have not ended.
    pub partial: u64,
}

/// The bytes of one model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ModelUsage {
    /// The model.
    pub id: ModelId,
    /// Its manifest and its networks that are there.
    pub bytes: u64,
}

/// What [`Store::collect`] or [`Store::remove`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Downloads that have not ended are left alone by [`Store::remove`].
const NEVER: Duration = Duration::from_secs(u64::MAX);

impl Store {
    /// Adds up what is in the store.
    ///
    /// # Errors
    /// If its folders cannot be read.
    pub fn usage(&self) -> Result<Usage, Error> {
        let sizes = self.blobs()?;
        let mut usage =
            Usage { blobs: sizes.values().map(|(_, bytes)| bytes).sum(), ..Usage::default() };
        let mut all_needed = BTreeSet::new();
        for id in self.models()? {
            let needed = match self.needs(&id) {
                Ok(needed) => needed,
                Err(error) => {
                    usage.failed.push(error);
                    continue;
                }
            };
            let bytes =
                needed.iter().filter_map(|digest| sizes.get(digest)).map(|(_, bytes)| bytes).sum();
            usage.models.push(ModelUsage { id, bytes });
            all_needed.extend(needed);
        }
        let unneeded = sizes.iter().filter(|(digest, _)| !all_needed.contains(*digest));
        let unneeded = unneeded.map(|(_, (_, bytes))| bytes).sum();
        usage.unneeded = usage.failed.is_empty().then_some(unneeded);
        usage.partial = files(&self.root().join("partial"))?.iter().map(|(_, bytes)| bytes).sum();
        Ok(usage)
    }

    /// Removes blobs that no model needs, downloads that nobody went on with for `age`, and what
    /// crashed processes left. No pull can run meanwhile. With `dry_run` it only counts.
    ///
    /// # Errors
    /// If the store cannot be read or written, or a model's record is damaged: then nothing is
    /// removed, since what it needs is not known.
    pub fn collect(
        &self,
        age: Duration,
        dry_run: bool,
        observer: Observer<'_>,
    ) -> Result<Collected, Error> {
        if !self.root().is_dir() {
            return Ok(Collected::default());
        }
        let _lock = self.lock(Mode::Exclusive, || observer(Event::waiting_for_store()))?;
        let needed = self.needed_without(&[])?;
        self.sweep(&needed, age, dry_run)
    }

    /// Removes models with the blobs that no other model needs, and what crashed processes left.
    /// No pull can run meanwhile.
    ///
    /// # Errors
    /// If the store cannot be read or written, or the record of another model is damaged: then
    /// nothing is removed, since what that one needs is not known.
    pub fn remove(&self, ids: &[ModelId], observer: Observer<'_>) -> Result<Collected, Error> {
        let _lock = self.lock(Mode::Exclusive, || observer(Event::waiting_for_store()))?;
        let needed = self.needed_without(ids)?;
        for id in ids {
            self.forget(id)?;
        }
        self.sweep(&needed, NEVER, false)
    }

    /// The digests that all models but `ids` need.
    ///
    /// # Errors
    /// Naming every damaged model.
    fn needed_without(&self, ids: &[ModelId]) -> Result<BTreeSet<Digest>, Error> {
        let mut needed = BTreeSet::new();
        let (mut damaged, mut reasons) = (Vec::new(), Vec::new());
        for id in self.models()?.into_iter().filter(|id| !ids.contains(id)) {
            match self.needs(&id) {
                Ok(digests) => needed.extend(digests),
                Err(error) if error.kind() == ErrorKind::Verification => {
                    damaged.push(id.to_string());
                    reasons.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        if damaged.is_empty() {
            return Ok(needed);
        }
        let names = damaged.join(" ");
        let what = format!(
            "nothing was removed: which files {} need{} is not known: {}",
            damaged.join(", "),
            if damaged.len() == 1 { "s" } else { "" },
            reasons.join("; ")
        );
        Err(Error::verification(what).with_next(format!(
            "first pull again: rddm-zoo pull {names}; or remove too: rddm-zoo rm {names}"
        )))
    }

    /// Removes what is not needed. The caller holds the store's lock.
    fn sweep(
        &self,
        needed: &BTreeSet<Digest>,
        age: Duration,
        dry_run: bool,
    ) -> Result<Collected, Error> {
        let mut waste: Vec<(PathBuf, u64)> = self
            .blobs()?
            .into_iter()
            .filter(|(digest, _)| !needed.contains(digest))
            .map(|(_, file)| file)
            .collect();
        let old = |path: &Path| {
            let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed >= age))
        };
        waste
            .extend(files(&self.root().join("partial"))?.into_iter().filter(|(path, _)| old(path)));
        for folder in self.folders()? {
            let left = |path: &Path| path.file_name().is_some_and(durable::is_temporary);
            waste.extend(files(&folder)?.into_iter().filter(|(path, _)| left(path)));
        }
        let locks = files(&self.root().join("locks"))?;
        let stale = locks.into_iter().filter(|(path, _)| {
            path.file_name().is_some_and(|name| name != "store" && name != "notes")
        });
        let mut collected = Collected::default();
        for (path, bytes) in waste {
            collected.files += 1;
            collected.bytes += bytes;
            if !dry_run {
                durable::remove(&path)?;
            }
        }
        // Empty files, not worth counting; nobody can hold a blob's, because the store is locked.
        for (path, _) in stale.filter(|_| !dry_run) {
            durable::remove(&path)?;
        }
        Ok(collected)
    }

    /// The blobs whose bytes are not what their names say, or cannot be read, and what to do about each.
    ///
    /// # Errors
    /// If the store's folders cannot be read.
    pub fn bad_blobs(&self) -> Result<Vec<(PathBuf, Error)>, Error> {
        let mut bad = Vec::new();
        for (digest, (path, size)) in self.blobs()? {
            let error = match self.check_blob(&digest, size, &mut |_| {}) {
                Ok(Condition::Bad) => {
                    let what = format!("{} is not what its name says", path.display());
                    Error::verification(what)
                        .with_next("remove it: rddm-zoo gc; or pull its model again")
                }
                Ok(_) => continue,
                Err(error) => error,
            };
            bad.push((path, error));
        }
        Ok(bad)
    }

    /// The digests of a model's manifest and of all its networks.
    fn needs(&self, id: &ModelId) -> Result<BTreeSet<Digest>, Error> {
        let Some(record) = self.record(id)? else { return Ok(BTreeSet::new()) };
        let manifest = self.manifest(&record)?;
        let networks = manifest.networks.iter().map(|network| network.sha256);
        Ok(networks.chain([record.sha256]).collect())
    }

    fn blobs(&self) -> Result<BTreeMap<Digest, (PathBuf, u64)>, Error> {
        let mut blobs = BTreeMap::new();
        for folder in self.blob_folders()? {
            for (path, bytes) in files(&folder)? {
                let digest = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .and_then(|name| name.parse::<Digest>().ok());
                blobs.extend(digest.map(|digest| (digest, (path, bytes))));
            }
        }
        Ok(blobs)
    }

    fn blob_folders(&self) -> Result<Vec<PathBuf>, Error> {
        folders(&self.root().join("blobs").join("sha256"))
    }

    /// The folders in which files are written beside their places.
    fn folders(&self) -> Result<Vec<PathBuf>, Error> {
        let mut all = self.blob_folders()?;
        all.extend(["registries", "models"].map(|folder| self.root().join(folder)));
        Ok(all)
    }
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    let failed = |error: io::Error| Error::store("read", folder, &error);
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<_>>().map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>, Error> {
    let sized = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((entry.path(), metadata.len()))
    };
    Ok(entries(folder)?.into_iter().filter_map(sized).collect())
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(entries(folder)?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect())
}
