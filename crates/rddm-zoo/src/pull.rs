//! Pulling: from a registry into the store.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rddm_manifest::{Digest, Location, Manifest, ModelId, Network, Precision, Version};

use crate::{
    Access, Error, ErrorKind, LockedModel, Place, Record, Registry, Store,
    download::{Wanted, bring, verified},
    event::{Event, Observer},
    place::Source,
    registry::{parse_manifest, read_small},
    store::{Condition, Mode},
};

/// How models are pulled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PullOptions {
    /// Only the networks of this precision; all of them if `None`.
    pub precision: Option<Precision>,
    /// How many files are transferred at once, at least 1.
    pub jobs: usize,
    /// Other folders or URLs that have the registry's networks, at the same paths or by digest; they are tried
    /// after the registry itself. One that is not there is passed over.
    pub mirrors: Vec<Place>,
    /// The runtime that will run the models.
    pub runtime: Version,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { precision: None, jobs: 4, mirrors: Vec::new(), runtime: crate::runtime_version() }
    }
}

/// A model that is in the store now.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// Its manifest.
    pub manifest: Manifest,
    /// The manifest's digest.
    pub sha256: Digest,
    /// Whether all of it was there already.
    pub already: bool,
}

/// Brings a model of `registry` into `store`: manifest, networks, and at last the name.
///
/// # Errors
/// Of every [`ErrorKind`]. The name keeps its old meaning, and what was transferred and found
/// good stays for the next attempt.
pub fn pull(
    id: &ModelId,
    registry: &Registry,
    store: &Store,
    access: &Access<'_>,
    options: &PullOptions,
    observer: Observer<'_>,
) -> Result<Pulled, Error> {
    let entry = registry.entry(id)?;
    let (text, manifest) = registry.manifest_bytes(entry, access.http, observer)?;
    check_runtime(&manifest, options.runtime)?;
    let networks = select(&manifest, options.precision)?;
    observer(Event::Model {
        model: id.to_string(),
        version: manifest.version.to_string(),
        files: networks.len(),
        size: networks.iter().map(|network| network.size).sum(),
        license: manifest.license.to_string(),
    });
    let mut wanted = Vec::new();
    for network in networks {
        wanted.push(Wanted {
            file: file_name(&network.url),
            digest: network.sha256,
            size: network.size,
            sources: sources(registry, &entry.manifest, network, &options.mirrors)?,
        });
    }
    let precisions = options.precision.map_or_else(|| manifest.precisions(), |one| vec![one]);
    let record = Record {
        schema: 1,
        id: id.clone(),
        version: manifest.version,
        sha256: entry.sha256,
        size: text.len() as u64,
        precisions,
        registry: registry.place().full().to_string(),
        index_version: registry.index().version,
        signed_by: registry.signed_by().map(str::to_owned),
        pulled: access.now,
    };
    let (place, key) = (record.registry.clone(), record.signed_by.clone());
    // What is found there stays from now on. A store that can't be locked can't be written either.
    let lock = store.lock(Mode::Shared, || observer(Event::waiting_for_store()));
    let before = store.record(id).ok().flatten();
    let already = before.as_ref().is_some_and(|before| before.has(&record))
        && is_there(store, &text, &wanted, observer)?;
    // In an order in which a name never means what is not there.
    let written = lock.and_then(|_lock| {
        // What was seen counts also if the transfer fails.
        store.remember(registry, access.trust)?;
        if !already {
            bring_all(store, &wanted, access, options.jobs, observer)?;
        }
        store.add_bytes(&text)?;
        store.save_record(record, before.as_ref())
    });
    match written {
        // All is there and good; that it was looked at again is all that could not be noted.
        Err(error) if already && error.kind() == ErrorKind::Store => {}
        result => {
            result?;
            // Of what a lock brought back nobody knows who had signed it.
            let other = |before: &Record| {
                before.registry != place || before.signed_by.is_some() && before.signed_by != key
            };
            if let Some(Record { registry, signed_by, .. }) = before.filter(other) {
                observer(Event::Replaced { model: id.to_string(), registry, signed_by });
            }
        }
    }
    observer(Event::Pulled {
        model: id.to_string(),
        version: manifest.version.to_string(),
        already,
    });
    Ok(Pulled { manifest, sha256: entry.sha256, already })
}

/// Gives a name its locked meaning again where the store still has manifest and networks of an earlier pull;
/// says whether it has.
///
/// # Errors
/// [`ErrorKind::Store`], or of a manifest that this program cannot use.
pub fn pull_back(
    locked: &LockedModel,
    precision: Option<Precision>,
    store: &Store,
    observer: Observer<'_>,
) -> Result<bool, Error> {
    let id = &locked.id;
    let Some(before) = store.record(id)? else { return Ok(false) };
    let _lock = store.lock(Mode::Shared, || observer(Event::waiting_for_store()))?;
    let path = store.blob_path(&locked.sha256);
    let text = read_small(&path, Manifest::MAX_BYTES)?;
    let Some(text) = text.filter(|text| Digest::of(text) == locked.sha256) else {
        return Ok(false);
    };
    let manifest = parse_manifest(&text, &path.display().to_string(), id)?;
    check_runtime(&manifest, crate::runtime_version())?;
    for network in select(&manifest, precision)? {
        if store.check_blob(&network.sha256, network.size, &mut |_| {})? != Condition::Good {
            return Ok(false);
        }
    }
    let record = Record {
        version: manifest.version,
        sha256: locked.sha256,
        size: text.len() as u64,
        precisions: precision.map_or_else(|| manifest.precisions(), |one| vec![one]),
        // The lock file vouches for it; who signed the index of then is not known any more.
        signed_by: None,
        ..before.clone()
    };
    store.save_record(record, Some(&before))?;
    let version = manifest.version.to_string();
    observer(Event::Pulled { model: id.to_string(), version, already: true });
    Ok(true)
}

/// Whether manifest and networks are in the store and good; says so of each network if all are.
fn is_there(
    store: &Store,
    manifest: &[u8],
    wanted: &[Wanted],
    observer: Observer<'_>,
) -> Result<bool, Error> {
    let digest = Digest::of(manifest);
    let size = manifest.len() as u64;
    if store.check_blob(&digest, size, &mut |_| {})? != Condition::Good {
        return Ok(false);
    }
    for file in wanted {
        if store.check_blob(&file.digest, file.size, &mut |_| {})? != Condition::Good {
            return Ok(false);
        }
    }
    for file in wanted {
        observer(verified(file, true));
    }
    Ok(true)
}

/// # Errors
/// [`ErrorKind::TooOld`] if `runtime` is older than the model needs.
pub(crate) fn check_runtime(manifest: &Manifest, runtime: Version) -> Result<(), Error> {
    check_least(&manifest.id, manifest.least_runtime, runtime)
}

/// # Errors
/// [`ErrorKind::TooOld`] if `runtime` is older than `least`.
pub(crate) fn check_least(id: &ModelId, least: Version, runtime: Version) -> Result<(), Error> {
    if least <= runtime {
        return Ok(());
    }
    let what = format!("{id} needs version {least} of this program, and this is {runtime}");
    Err(Error::new(ErrorKind::TooOld, what).with_next("install a newer version of rddm"))
}

/// The networks of one precision, or all.
pub(crate) fn select(
    manifest: &Manifest,
    precision: Option<Precision>,
) -> Result<Vec<&Network>, Error> {
    let Some(precision) = precision else { return Ok(manifest.networks.iter().collect()) };
    let networks = manifest.networks_of(precision);
    if networks.is_empty() {
        let names = manifest
            .precisions()
            .iter()
            .map(|precision| precision.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let what = format!("{} has no networks of precision {precision}", manifest.id);
        return Err(Error::not_found(what).with_next(format!("it has {names}")));
    }
    Ok(networks)
}

/// The last part of a place, which people know a file by.
pub(crate) fn file_name(location: &Location) -> String {
    let path = location.as_str().split('?').next().unwrap_or_default();
    path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path).to_owned()
}

/// Where a network may be had: where the manifest says, by digest beside the index, the same two
/// in each mirror of the registry, and the mirrors of the manifest.
fn sources(
    registry: &Registry,
    manifest: &Location,
    network: &Network,
    mirrors: &[Place],
) -> Result<Vec<Source>, Error> {
    let hex = network.sha256.hex();
    let of = |place: &Place| {
        let listed = place.file(manifest.as_str())?.join(&network.url)?;
        let by_digest = place.file(&format!("blobs/sha256/{}/{hex}", &hex[..2]))?;
        Ok::<_, Error>(match &listed {
            // A bundle has its blobs by digest, and a checkout has no such folder.
            Source::File(path) if !path.exists() => [by_digest, listed],
            _ => [listed, by_digest],
        })
    };
    let mut sources = of(registry.place())?.to_vec();
    let origin = registry.place().file(manifest.as_str())?;
    // A mirror that is not there, or that must not be asked, is one fewer.
    sources.extend(mirrors.iter().filter_map(|place| of(place).ok()).flatten());
    sources.extend(network.mirrors.iter().filter_map(|mirror| origin.join(mirror).ok()));
    let mut unique: Vec<Source> = Vec::new();
    for source in sources {
        if !unique.contains(&source) {
            unique.push(source);
        }
    }
    // A file that is not there is no place to look at, as long as there are others.
    let exists = |source: &Source| !matches!(source, Source::File(path) if !path.exists());
    if unique.iter().any(exists) {
        unique.retain(exists);
    }
    Ok(unique)
}

/// Brings all files, several at once; the first failure stops further ones from being begun.
fn bring_all(
    store: &Store,
    wanted: &[Wanted],
    access: &Access<'_>,
    jobs: usize,
    observer: Observer<'_>,
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let has_failed = || failed.lock().is_ok_and(|failed| failed.is_some());
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, wanted.len().max(1)) {
            scope.spawn(|| {
                while let Some(file) =
                    wanted.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !has_failed())
                {
                    if let Err(error) = bring(store, file, access.http, observer)
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.get_or_insert(error);
                    }
                }
            });
        }
    });
    match failed.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(error),
        Err(_) => Err(Error::new(ErrorKind::Store, "a transfer ended unexpectedly")),
    }
}
