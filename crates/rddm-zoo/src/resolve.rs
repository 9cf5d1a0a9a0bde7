//! From a name to a model that can be run.

use std::{io, path::PathBuf};

use rddm_manifest::{Digest, Manifest, ModelId, Network, Precision, Role, Version};

use crate::{
    Error, ErrorKind, Http, Place, Registry, Store, Trust,
    place::Source,
    pull::{check_runtime, select},
    store::read_exact_blob,
};

/// Where a model is looked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResolveOptions {
    /// The store, if there is one.
    pub home: Option<PathBuf>,
    /// The registry, if one is named or found.
    pub registry: Option<Place>,
    /// Whose signature a registry's index must have.
    pub trust: Trust,
    /// The networks' precision; the widest that is there if `None`.
    pub precision: Option<Precision>,
    /// The runtime that will run the model.
    pub runtime: Version,
}

impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            home: None,
            registry: None,
            trust: Trust::Pinned,
            precision: None,
            runtime: crate::runtime_version(),
        }
    }
}

/// A model and its networks, read and hashed.
#[derive(Debug, Clone)]
pub struct ResolvedModel {
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest's digest.
    pub sha256: Digest,
    /// The networks of one precision: the joint one, or residual before noise.
    pub networks: Vec<ResolvedNetwork>,
    /// Where it was found.
    pub origin: Origin,
}

/// One network of a [`ResolvedModel`].
#[derive(Debug, Clone)]
pub struct ResolvedNetwork {
    /// What it predicts.
    pub role: Role,
    /// What its weights are stored in.
    pub precision: Precision,
    /// Where its file is.
    pub path: PathBuf,
    /// The file's bytes, which have the digest that the manifest names.
    pub bytes: Vec<u8>,
}

/// Where a model was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the store, pulled from this registry.
    Store {
        /// The registry that it was pulled from.
        registry: String,
    },
    /// In a registry that is a folder.
    Folder(PathBuf),
}

/// Finds a model: in the store, else in the registry if that is a folder. It never uses the
/// network, writes nothing, and hashes every byte that it returns.
///
/// # Errors
/// [`ErrorKind::NotPulled`] if the registry is a URL and the store lacks the model;
/// [`ErrorKind::NotFound`] if nothing has it, and says how to name a registry;
/// [`ErrorKind::Verification`] if any byte is wrong; [`ErrorKind::Store`] if it cannot be read.
pub fn resolve(id: &ModelId, options: &ResolveOptions) -> Result<ResolvedModel, Error> {
    if let Some(home) = &options.home {
        let store = Store::open(home);
        if let Some(record) = store.record(id)? {
            let manifest = store.manifest(&record)?;
            let precision = choose(&manifest, options.precision, &record.precisions)?;
            let locate = |network: &Network| Ok(store.blob_path(&network.sha256));
            let networks =
                read(&manifest, precision, locate, &format!("pull it again: rddm-zoo pull {id}"))?;
            check_runtime(&manifest, options.runtime)?;
            return Ok(ResolvedModel {
                manifest,
                sha256: record.sha256,
                networks,
                origin: Origin::Store { registry: record.registry },
            });
        }
    }
    match &options.registry {
        Some(Place::Folder(folder)) => {
            let registry = Registry::open_folder(folder, &options.trust)?;
            let entry = registry.entry(id)?;
            let manifest = registry.manifest(entry, &Http::offline(), &|_| {})?;
            check_runtime(&manifest, options.runtime)?;
            let precision = choose(&manifest, options.precision, &manifest.precisions())?;
            let source = registry.manifest_source(entry)?;
            let locate = |network: &Network| locate_in_folder(id, &source, folder, network);
            let networks =
                read(&manifest, precision, locate, "the registry is damaged; nothing was run")?;
            Ok(ResolvedModel {
                manifest,
                sha256: entry.sha256,
                networks,
                origin: Origin::Folder(folder.clone()),
            })
        }
        Some(Place::Url(url)) => {
            let what =
                format!("{id} is not on this machine, and {url} is not asked while a model is run");
            Err(Error::new(ErrorKind::NotPulled, what).with_next(format!(
                "pull it first: rddm-zoo pull {id} --registry {url}{}",
                options.trust.options()
            )))
        }
        None => {
            let known = crate::carried::registry()
                .ok()
                .filter(|carried| carried.index().entry(id).is_some());
            let what = match known {
                Some(_) => format!(
                    "{id} is a model of the zoo and not on this machine, and no registry was named"
                ),
                None => format!(
                    "there is no model named {id} on this machine, and no registry was named"
                ),
            };
            Err(Error::not_found(what).with_next(format!(
                "name a registry, a folder or URL that holds index.toml: --registry or RDDM_REGISTRY; from a URL, pull it first: rddm-zoo pull {id} --registry URL{}",
                options.trust.options()
            )))
        }
    }
}

/// The names that [`resolve`] can be asked for, in alphabetical order: those of the store and, if the
/// registry is a folder, those of its index. A folder may lack the files of some.
///
/// # Errors
/// [`ErrorKind::Verification`] if the index is not signed as it must be, [`ErrorKind::Store`] or
/// [`ErrorKind::NotFound`] if store or index cannot be read.
pub fn available(options: &ResolveOptions) -> Result<Vec<ModelId>, Error> {
    let mut names = match &options.home {
        Some(home) => Store::open(home).models()?,
        None => Vec::new(),
    };
    if let Some(Place::Folder(folder)) = &options.registry {
        let registry = Registry::open_folder(folder, &options.trust)?;
        names.extend(registry.index().models.iter().map(|entry| entry.id.clone()));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn choose(
    manifest: &Manifest,
    asked: Option<Precision>,
    there: &[Precision],
) -> Result<Precision, Error> {
    if let Some(asked) = asked {
        select(manifest, Some(asked))?;
        if !there.contains(&asked) {
            let what = format!("the {asked} networks of {} were not pulled", manifest.id);
            let next = format!("rddm-zoo pull {} --precision {asked}", manifest.id);
            return Err(Error::new(ErrorKind::NotPulled, what).with_next(next));
        }
        return Ok(asked);
    }
    there.iter().min().copied().ok_or_else(|| {
        Error::new(ErrorKind::NotPulled, format!("no networks of {} were pulled", manifest.id))
            .with_next(format!("rddm-zoo pull {}", manifest.id))
    })
}

fn read(
    manifest: &Manifest,
    precision: Precision,
    locate: impl Fn(&Network) -> Result<PathBuf, Error>,
    next: &str,
) -> Result<Vec<ResolvedNetwork>, Error> {
    let mut networks = Vec::new();
    for network in manifest.networks_of(precision) {
        let path = locate(network)?;
        let bytes = match read_exact_blob(&path, &network.sha256, network.size) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let what = format!(
                    "{} is not the file that the manifest of {} names ({})",
                    path.display(),
                    manifest.id,
                    network.sha256
                );
                return Err(Error::verification(what).with_next(next));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = format!(
                    "the {} network of {} is missing: {}",
                    network.role,
                    manifest.id,
                    path.display()
                );
                return Err(Error::verification(what).with_next(next));
            }
            Err(error) => return Err(Error::store("read", &path, &error)),
        };
        networks.push(ResolvedNetwork { role: network.role, precision, path, bytes });
    }
    Ok(networks)
}

pub(crate) fn locate_in_folder(
    id: &ModelId,
    manifest: &Source,
    folder: &std::path::Path,
    network: &Network,
) -> Result<PathBuf, Error> {
    let hex = network.sha256.hex();
    let by_digest = folder.join("blobs").join("sha256").join(&hex[..2]).join(&hex);
    match manifest.join(&network.url)? {
        Source::File(path) if path.exists() || !by_digest.exists() => Ok(path),
        _ if by_digest.exists() => Ok(by_digest),
        Source::File(path) => Ok(path),
        Source::Url(url) => {
            let what = format!(
                "the {} network of {id} is at {url}, which is not asked while a model is run",
                network.role
            );
            Err(Error::new(ErrorKind::NotPulled, what).with_next(format!(
                "pull it first: rddm-zoo pull {id} --registry {}",
                folder.display()
            )))
        }
    }
}
