//! A bundle: a registry as a plain folder, to be carried to a machine without network. It has the
//! signed index as it is, so the other machine checks the same signature, and blobs by digest.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use rddm_manifest::ModelId;

use crate::{
    Error, ErrorKind, Place, Record, Store, Trust,
    event::{Event, Observer},
    place::{INDEX, SIGNATURE},
    pull::file_name,
    registry::read_small,
    store::{Condition, Seen, Slot, hash_file, temporary, write_durably},
    trust,
};

/// Writes models of the store as a registry into `folder`, which is made if it does not exist.
/// Returns the bytes of their networks. A folder that has a bundle of the same index is added to.
///
/// # Errors
/// [`ErrorKind::NotPulled`] if a model or one of its networks is not in the store;
/// [`ErrorKind::Usage`] if the models came from different indexes;
/// [`ErrorKind::Verification`] if a stored file is bad; [`ErrorKind::Store`].
pub fn export(
    ids: &[ModelId],
    store: &Store,
    folder: &Path,
    trust: &Trust,
    observer: Observer<'_>,
) -> Result<u64, Error> {
    let mut bytes = 0;
    for id in ids {
        bytes += export_one(id, store, folder, trust, observer)?;
    }
    Ok(bytes)
}

fn export_one(
    id: &ModelId,
    store: &Store,
    folder: &Path,
    trust: &Trust,
    observer: Observer<'_>,
) -> Result<u64, Error> {
    let pull_first = |what: String| {
        Error::new(ErrorKind::NotPulled, what).with_next(format!("rddm-zoo pull {id}"))
    };
    let record =
        store.record(id)?.ok_or_else(|| pull_first(format!("{id} is not in the store")))?;
    let text = store.manifest_text(&record)?;
    let manifest = store.manifest(&record)?;
    let place: Place = record.registry.parse()?;
    let seen = listing(&record, &place, store, trust)?.ok_or_else(|| {
        pull_first(format!("the store has no index of {place} that lists this version of {id}"))
    })?;
    let entry =
        seen.index.entry(id).ok_or_else(|| pull_first(format!("{id} is not in the index")))?;

    let index = folder.join(INDEX);
    match read_small(&index, rddm_manifest::Index::MAX_BYTES)? {
        Some(there) if there != seen.bytes => {
            let what = format!("{} has a bundle of another index", folder.display());
            return Err(Error::usage(what)
                .with_next("export into a new folder, models of one registry at a time"));
        }
        Some(_) => {}
        None => {
            if let Some(signature) = &seen.signature {
                write_durably(&folder.join(SIGNATURE), signature.as_bytes())?;
            }
            write_durably(&index, &seen.bytes)?;
        }
    }
    let mut bytes = 0;
    for network in &manifest.networks {
        let file = file_name(&network.url);
        match store.check_blob(&network.sha256, network.size, &mut |_| {})? {
            Condition::Good => {}
            Condition::Missing => {
                return Err(pull_first(format!("{file} of {id} is not in the store")));
            }
            Condition::Bad => {
                let what = format!("{} is damaged", store.blob_path(&network.sha256).display());
                return Err(Error::verification(what)
                    .with_next(format!("pull it again: rddm-zoo pull {id}")));
            }
        }
        let hex = network.sha256.hex();
        let target = folder.join("blobs").join("sha256").join(&hex[..2]).join(&hex);
        copy(&store.blob_path(&network.sha256), &target, (network.sha256, network.size))?;
        observer(Event::Verified {
            file,
            digest: network.sha256.to_string(),
            size: network.size,
            already: false,
        });
        bytes += network.size;
    }
    // The manifest last: a model whose manifest is there is whole.
    write_durably(&folder.join(entry.manifest.as_str()), text.as_bytes())?;
    Ok(bytes)
}

/// The index in the store that lists what `record` means: the signed one if it does and is good.
fn listing(
    record: &Record,
    place: &Place,
    store: &Store,
    trust: &Trust,
) -> Result<Option<Seen>, Error> {
    let mut refused = None;
    for slot in [Slot::Signed, Slot::Unsigned] {
        let Some(seen) = store.seen(place, slot)? else { continue };
        if seen.index.entry(&record.id).is_none_or(|entry| entry.sha256 != record.sha256) {
            continue;
        }
        match trust::check_seen(trust, &seen) {
            Ok(()) => return Ok(Some(seen)),
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    refused.map_or(Ok(None), Err)
}

/// Copies a blob beside its place, hashes the copy, and renames it.
fn copy(from: &Path, to: &Path, expected: (rddm_manifest::Digest, u64)) -> Result<(), Error> {
    if hash_file(to).is_ok_and(|found| found == expected) {
        return Ok(());
    }
    let failed = |error: io::Error| Error::store("write", to, &error);
    let above = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(above).map_err(failed)?;
    let temporary = temporary(above).map_err(failed)?;
    // Into the open file: an interrupt may have removed the name, and it must not come again.
    let mut source = File::open(from).map_err(|error| Error::store("read", from, &error))?;
    io::copy(&mut source, &mut temporary.as_file()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    if hash_file(temporary.path()).map_err(failed)? != expected {
        return Err(Error::verification(format!("{} changed while it was copied", from.display())));
    }
    temporary.persist(to).map_err(failed)
}
