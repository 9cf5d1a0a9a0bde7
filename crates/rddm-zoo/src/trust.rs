use std::fs;
use std::io::Read as _;

use rddm_manifest::{Error as ManifestError, PublicKey, Signature};

use crate::Error;

/// Whose signature an index must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// One of the two keys of this project's zoo, which the program carries.
    #[default]
    Pinned,
    /// One of these keys.
    Keys(Vec<PublicKey>),
    /// None: whoever can change the registry can change what runs. Sizes and digests are checked
    /// all the same.
    Unsigned,
}

/// The keys of this project's zoo: the one that signs, and the one that will when the first is
/// retired or lost.
const PINNED: [&str; 2] = [
    "RWQDtTSFWcwzTFydSyjlVEhGExyxY4eSWghRRIi1wrJFDNLPy2uMvS7X",
    "RWSxFRbnuR/DNm9jotZyg0WKi/zx/vBueiGSPU/AV7TqzeFiuCalP8lW",
];

impl Trust {
    /// What the options of a command ask for: the pinned keys where no key is given, else those given, each as a key or as
    /// the file of one.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input) for a key that is none and a file that cannot be read.
    pub fn given(keys: &[String], allow_unsigned: bool) -> Result<Self, Error> {
        if allow_unsigned {
            return Ok(Self::Unsigned);
        }
        if keys.is_empty() {
            return Ok(Self::Pinned);
        }
        keys.iter().map(|key| public_key(key)).collect::<Result<_, _>>().map(Self::Keys)
    }

    /// The keys that are accepted; empty for [`Trust::Unsigned`].
    pub fn keys(&self) -> Vec<PublicKey> {
        match self {
            Self::Pinned => PINNED.iter().filter_map(|key| key.parse().ok()).collect(),
            Self::Keys(keys) => keys.clone(),
            Self::Unsigned => Vec::new(),
        }
    }

    /// The options by which a command gets this trust, each after a blank.
    pub(crate) fn options(&self) -> String {
        match self {
            Self::Pinned => String::new(),
            Self::Keys(keys) => keys.iter().map(|key| format!(" --key {key}")).collect(),
            Self::Unsigned => " --allow-unsigned".to_owned(),
        }
    }

    /// Checks `signature` over `bytes` and returns the key that made it; `None` for
    /// [`Trust::Unsigned`], which looks at no signature.
    pub(crate) fn check(
        &self,
        place: &str,
        bytes: &[u8],
        signature: Option<&str>,
    ) -> Result<Option<PublicKey>, Error> {
        if *self == Self::Unsigned {
            return Ok(None);
        }
        let Some(text) = signature else {
            return Err(Error::verification(format!(
                "{place} is not signed: it has no index.toml.minisig beside it"
            ))
            .with_next("only if you trust the place itself, add --allow-unsigned"));
        };
        let signature = Signature::parse(text)
            .map_err(|error| Error::manifest(&format!("{place}.minisig"), error))?;
        let mut refused: Option<ManifestError> = None;
        for key in self.keys() {
            match key.verify(bytes, &signature) {
                Ok(()) => return Ok(Some(key)),
                // A key that made the signature says more than the keys that did not.
                Err(error) if refused.is_none() || error.to_string().contains("changed") => {
                    refused = Some(error)
                }
                Err(_) => {}
            }
        }
        Err(match refused {
            Some(error) => Error::manifest(place, error),
            None => Error::usage("no key was given to check the index with"),
        })
    }
}

fn public_key(key: &str) -> Result<PublicKey, Error> {
    /// More than a key's file has.
    const MOST: u64 = 4096;
    if let Ok(key) = key.parse() {
        return Ok(key);
    }
    let mut text = String::new();
    fs::File::open(key)
        .and_then(|file| file.take(MOST).read_to_string(&mut text))
        .map_err(|error| Error::input(format!("{key} is neither a key nor a file: {error}")))?;
    text.parse().map_err(|error: ManifestError| Error::input(format!("{key}: {error}")))
}

/// Checks the signature of an index that the store has kept.
pub(crate) fn check_seen(trust: &Trust, seen: &crate::store::Seen) -> Result<(), Error> {
    trust.check("the index in the store", &seen.bytes, seen.signature.as_deref()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_pinned_keys_are_keys() {
        assert_eq!(Trust::Pinned.keys().len(), PINNED.len());
    }
}
