//! Reading and hashing everything again.

use std::path::Path;

use rddm_manifest::{Manifest, ModelId, Network, Precision};

use crate::{
    Error, Http, Registry, Store, Trust,
    event::{Event, Observer},
    pull::file_name,
    resolve::locate_in_folder,
    store::{Condition, hash_file},
};

/// A model all of whose files are as its manifest says.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The manifest.
    pub manifest: Manifest,
    /// How many networks were hashed.
    pub files: usize,
    /// Their bytes.
    pub size: u64,
}

/// Hashes the manifest and all pulled networks of a model in the store.
///
/// # Errors
/// [`ErrorKind::NotPulled`](crate::ErrorKind::NotPulled), or
/// [`ErrorKind::Verification`](crate::ErrorKind::Verification) naming every bad file.
pub fn verify(id: &ModelId, store: &Store, observer: Observer<'_>) -> Result<Checked, Error> {
    let record = store.record(id)?.ok_or_else(|| {
        Error::new(
            crate::ErrorKind::NotPulled,
            format!("{id} is not in the store {}", store.root().display()),
        )
        .with_next(format!("rddm-zoo pull {id}"))
    })?;
    let manifest = store.manifest(&record)?;
    let check = |network: &Network| {
        let condition = store.check_blob(&network.sha256, network.size, &mut |_| {})?;
        Ok((condition, store.blob_path(&network.sha256).display().to_string()))
    };
    hash_all(manifest, &record.precisions, check, observer)
        .map_err(|error| error.with_next(format!("pull it again: rddm-zoo pull {id}")))
}

/// Hashes the manifest and all networks of a model in a registry that is a folder.
///
/// # Errors
/// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), or
/// [`ErrorKind::Verification`](crate::ErrorKind::Verification) naming every bad file.
pub fn verify_folder(
    id: &ModelId,
    folder: &Path,
    trust: &Trust,
    observer: Observer<'_>,
) -> Result<Checked, Error> {
    let registry = Registry::open_folder(folder, trust)?;
    let entry = registry.entry(id)?;
    let manifest = registry.manifest(entry, &Http::offline(), observer)?;
    let source = registry.manifest_source(entry)?;
    let check = |network: &Network| {
        let path = locate_in_folder(id, &source, folder, network)?;
        let condition = match hash_file(&path) {
            Ok(found) if found == (network.sha256, network.size) => Condition::Good,
            Ok(_) => Condition::Bad,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Condition::Missing,
            Err(error) => return Err(Error::file("read", &path, &error)),
        };
        Ok((condition, path.display().to_string()))
    };
    let precisions = manifest.precisions();
    hash_all(manifest, &precisions, check, observer)
}

fn hash_all(
    manifest: Manifest,
    precisions: &[Precision],
    check: impl Fn(&Network) -> Result<(Condition, String), Error>,
    observer: Observer<'_>,
) -> Result<Checked, Error> {
    let mut bad = Vec::new();
    let (mut files, mut size) = (0, 0);
    for network in
        manifest.networks.iter().filter(|network| precisions.contains(&network.precision))
    {
        let (condition, path) = check(network)?;
        match condition {
            Condition::Good => {
                observer(Event::Verified {
                    file: file_name(&network.url),
                    digest: network.sha256.to_string(),
                    size: network.size,
                    already: true,
                });
                files += 1;
                size += network.size;
            }
            Condition::Missing => bad.push(format!("{path} is missing")),
            Condition::Bad => bad.push(format!("{path} is not {}", network.sha256)),
        }
    }
    if bad.is_empty() {
        return Ok(Checked { manifest, files, size });
    }
    Err(Error::verification(format!("{}: {}", manifest.id, bad.join("; "))))
}
