use std::{
    io::{self, Read},
    path::Path,
};

use rddm_manifest::{Entry, Index, Manifest, ModelId, Timestamp};

use crate::{
    Error, Http, Place, Store, Trust,
    event::{Event, Observer},
    place::{INDEX, SIGNATURE, Source},
    pull::check_least,
    store::{Slot, open_file},
};

/// What a registry is opened with.
#[derive(Debug)]
pub struct Access<'a> {
    /// Whose signature its index must have.
    pub trust: &'a Trust,
    /// How servers are talked to.
    pub http: &'a Http,
    /// The time, for the index's expiry.
    pub now: Timestamp,
    /// Whether an index that has expired is accepted.
    pub allow_expired: bool,
}

/// A registry whose index was read and found good.
#[derive(Debug, Clone)]
pub struct Registry {
    place: Place,
    index: Index,
    bytes: Vec<u8>,
    signature: Option<String>,
    signed_by: Option<String>,
    clock_trusted: bool,
}

/// How much earlier than the index a clock may be and still be believed, in seconds.
pub(crate) const SKEW: u64 = 24 * 3600;

impl Registry {
    /// Reads the index of the registry at `place`; checks its signature, its dates, and that it is
    /// not older than one that `store` has seen at this place or that the program carries.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if a folder has no index;
    /// [`ErrorKind::Network`](crate::ErrorKind::Network); and
    /// [`ErrorKind::Verification`](crate::ErrorKind::Verification).
    pub fn open(
        place: &Place,
        access: &Access<'_>,
        store: Option<&Store>,
        observer: Observer<'_>,
    ) -> Result<Self, Error> {
        let mut registry = match Self::read(place, access, observer) {
            // Between the two requests a new index may have been published: once more.
            Err(error)
                if matches!(place, Place::Url(_))
                    && error.kind() == crate::ErrorKind::Verification =>
            {
                Self::read(place, access, observer)?
            }
            result => result?,
        };
        // A clock before the index was made is wrong, as on a board without a battery, and cannot
        // say whether the index has expired.
        registry.clock_trusted = access.now.unix() + SKEW >= registry.index.created.unix();
        registry.check_dates(access)?;
        registry.check_rollback(access.trust, store)?;
        observer(Event::Index {
            registry: place.to_string(),
            version: registry.index.version,
            models: registry.index.models.len(),
            signed_by: registry.signed_by.clone(),
            clock_trusted: registry.clock_trusted,
        });
        Ok(registry)
    }

    /// Reads the index of a folder for use at once: its signature is checked, and neither its
    /// expiry nor its version, since nobody can withhold a newer one from its owner.
    ///
    /// # Errors
    /// As of [`Registry::open`], but of no network.
    pub fn open_folder(folder: &Path, trust: &Trust) -> Result<Self, Error> {
        let access = Access {
            trust,
            http: &Http::offline(),
            now: Timestamp::from_unix(0),
            allow_expired: true,
        };
        Self::read(&Place::Folder(folder.to_owned()), &access, &|_| {})
    }

    /// The index that was last seen at `place`, or that the program carries: for looking up names
    /// without network.
    ///
    /// # Errors
    /// If there is none whose signature is good.
    pub fn remembered(place: Option<&Place>, store: &Store, trust: &Trust) -> Result<Self, Error> {
        if let Some(place) = place {
            // What was accepted unsigned is only for those who accept such again.
            let mut seen = None;
            if *trust == Trust::Unsigned {
                seen = store.seen(place, Slot::Unsigned)?;
            }
            if seen.is_none() {
                seen = store.seen(place, Slot::Signed)?;
            }
            if let Some(seen) = seen {
                let signed_by = trust.check(
                    "the index in the store",
                    &seen.bytes,
                    seen.signature.as_deref(),
                )?;
                return Ok(Self {
                    place: place.clone(),
                    index: seen.index,
                    bytes: seen.bytes,
                    signature: seen.signature,
                    signed_by: signed_by.map(|key| key.to_string()),
                    clock_trusted: true,
                });
            }
            let what = format!("nothing is known of {place} without network");
            return Err(Error::network(what).with_next(format!(
                "pull from it once with the network: rddm-zoo pull NAME --registry {place}{}",
                trust.options()
            )));
        }
        crate::carried::registry()
    }

    pub(crate) fn from_parts(
        place: Place,
        bytes: Vec<u8>,
        signature: Option<String>,
        trust: &Trust,
    ) -> Result<Self, Error> {
        let name = match &place {
            Place::Folder(folder) => folder.join(INDEX).display().to_string(),
            Place::Url(url) => format!("{url}{INDEX}"),
        };
        // The signature comes first: nothing is parsed that nobody answers for.
        let signed_by = trust.check(&name, &bytes, signature.as_deref())?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Error::verification(format!("{name}: not a text")))?;
        let index = Index::parse(text).map_err(|error| Error::manifest(&name, error))?;
        Ok(Self {
            place,
            index,
            bytes,
            signature,
            signed_by: signed_by.map(|key| key.to_string()),
            clock_trusted: true,
        })
    }

    fn read(place: &Place, access: &Access<'_>, observer: Observer<'_>) -> Result<Self, Error> {
        let limit = rddm_manifest::Signature::MAX_BYTES;
        let (bytes, signature) = match place {
            Place::Folder(folder) => {
                let path = folder.join(INDEX);
                let bytes = read_small(&path, Index::MAX_BYTES)?.ok_or_else(|| {
                    Error::not_found(format!(
                        "{} is no registry: it has no index.toml",
                        folder.display()
                    ))
                    .with_next("name a registry, a folder or URL, with --registry or RDDM_REGISTRY")
                })?;
                (bytes, read_small(&folder.join(SIGNATURE), limit)?)
            }
            Place::Url(url) => {
                let join = |name: &str| {
                    url.join(name).map_err(|error| Error::network(format!("{url}{name}: {error}")))
                };
                let bytes = access.http.small(&join(INDEX)?, Index::MAX_BYTES, observer)?;
                let signature = join(SIGNATURE)?;
                (bytes, access.http.small_or_absent(&signature, limit, observer)?)
            }
        };
        let signature = match signature.map(String::from_utf8) {
            Some(Ok(text)) => Some(text),
            Some(Err(_)) => {
                return Err(Error::verification(format!("{place}: the signature is not a text")));
            }
            None => None,
        };
        Self::from_parts(place.clone(), bytes, signature, access.trust)
    }

    fn check_dates(&self, access: &Access<'_>) -> Result<(), Error> {
        if access.now > self.index.expires && !access.allow_expired {
            let what = format!(
                "the index of {} expired on {}: somebody may keep back a newer one",
                self.place, self.index.expires
            );
            return Err(Error::verification(what)
                .with_next("ask whoever runs the registry to publish again, or add --allow-expired if you know why it is old"));
        }
        Ok(())
    }

    fn check_rollback(&self, trust: &Trust, store: Option<&Store>) -> Result<(), Error> {
        let older = |seen: &Index, bytes: &[u8], place: &str| {
            let same = seen.version == self.index.version && bytes == self.bytes;
            if seen.version < self.index.version || same {
                return Ok(());
            }
            let what = if seen.version == self.index.version {
                format!(
                    "the index of {} is another one of the same version {} than {place}",
                    self.place, seen.version
                )
            } else {
                format!(
                    "the index of {} has version {}, and {place} had {}: somebody may have put back an old one",
                    self.place, self.index.version, seen.version
                )
            };
            let next = "if the registry really was set back, remove what is remembered of it with `rddm-zoo gc --forget-registries`";
            Err(Error::verification(what).with_next(next))
        };
        if *trust == Trust::Unsigned {
            return Ok(());
        }
        if let (Trust::Pinned, Place::Url(_), Ok(carried)) =
            (trust, &self.place, crate::carried::registry())
            && carried.index.version > self.index.version
        {
            older(&carried.index, &carried.bytes, "the one that this program carries")?;
        }
        let seen = store.map(|store| store.seen(&self.place, Slot::Signed)).transpose()?.flatten();
        match seen {
            // What was accepted unsigned before says nothing about signed ones.
            Some(seen) if trust.check("", &seen.bytes, seen.signature.as_deref()).is_ok() => {
                older(&seen.index, &seen.bytes, "the one seen before")
            }
            _ => Ok(()),
        }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The public key that signed it; `None` if unsigned ones were allowed.
    pub fn signed_by(&self) -> Option<&str> {
        self.signed_by.as_deref()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn signature(&self) -> Option<&str> {
        self.signature.as_deref()
    }

    /// The entry of a model.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), with names that are like it.
    pub fn entry(&self, id: &ModelId) -> Result<&Entry, Error> {
        self.index.entry(id).ok_or_else(|| {
            let like = crate::search::nearest(
                id.as_str(),
                self.index.models.iter().map(|entry| entry.id.as_str()),
            );
            let what = format!("{} has no model named {id}", self.place);
            match like {
                Some(name) => Error::not_found(what).with_next(format!("did you mean {name}?")),
                None => Error::not_found(what).with_next("`rddm-zoo list` shows its models"),
            }
        })
    }

    /// Reads the manifest of an entry and checks its size and digest.
    ///
    /// # Errors
    /// [`ErrorKind::Network`](crate::ErrorKind::Network),
    /// [`ErrorKind::Verification`](crate::ErrorKind::Verification), or
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if a folder lacks it.
    pub fn manifest(
        &self,
        entry: &Entry,
        http: &Http,
        observer: Observer<'_>,
    ) -> Result<Manifest, Error> {
        self.manifest_bytes(entry, http, observer).map(|(_, manifest)| manifest)
    }

    pub(crate) fn manifest_bytes(
        &self,
        entry: &Entry,
        http: &Http,
        observer: Observer<'_>,
    ) -> Result<(Vec<u8>, Manifest), Error> {
        let source = self.manifest_source(entry)?;
        let bytes = match &source {
            Source::File(path) => read_small(path, Manifest::MAX_BYTES)?.ok_or_else(|| {
                let manifest = format!("the manifest of {}", entry.id);
                crate::carried::lacks(&self.place, &manifest).unwrap_or_else(|| {
                    let what = format!("{manifest} is missing: {}", path.display());
                    let next =
                        "the registry is incomplete; name another with --registry or RDDM_REGISTRY";
                    Error::not_found(what).with_next(next)
                })
            })?,
            Source::Url(url) => http.small(url, Manifest::MAX_BYTES, observer)?,
        };
        let found = rddm_manifest::Digest::of(&bytes);
        if bytes.len() as u64 != entry.size || found != entry.sha256 {
            let what = format!(
                "{source} is not the manifest that the index names: {found} instead of {}",
                entry.sha256
            );
            return Err(Error::verification(what)
                .with_next("the registry is damaged or half updated; try again later"));
        }
        let manifest = parse_manifest(&bytes, &source.to_string(), &entry.id)?;
        if manifest.version != entry.version {
            let what = format!(
                "{source} is of version {}, and the index says {}",
                manifest.version, entry.version
            );
            return Err(Error::verification(what));
        }
        Ok((bytes, manifest))
    }

    pub(crate) fn manifest_source(&self, entry: &Entry) -> Result<Source, Error> {
        self.place.file(entry.manifest.as_str())
    }
}

pub(crate) fn parse_manifest(bytes: &[u8], place: &str, id: &ModelId) -> Result<Manifest, Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::verification(format!("{place}: not a text")))?;
    let manifest = manifest_of(text, place, id)?;
    if manifest.id != *id {
        return Err(Error::verification(format!(
            "{place} is the manifest of {}, not of {id}",
            manifest.id
        )));
    }
    Ok(manifest)
}

/// Reads the manifest of `id`. One that says itself that it needs a newer program is not called damaged.
pub(crate) fn manifest_of(text: &str, place: &str, id: &ModelId) -> Result<Manifest, Error> {
    Manifest::parse(text).map_err(|error| {
        let newer = Manifest::least_runtime_of(text)
            .and_then(|least| check_least(id, least, crate::runtime_version()).err());
        newer.unwrap_or_else(|| Error::manifest(place, error))
    })
}

/// Reads a small ordinary file; `None` if it does not exist.
pub(crate) fn read_small(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    let failed = |error: io::Error| Error::file("read", path, &error);
    let file = match open_file(path) {
        Ok((file, _)) => file,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        let what = format!("{} has more than the {limit} bytes that it may have", path.display());
        return Err(Error::verification(what));
    }
    Ok(Some(bytes))
}
