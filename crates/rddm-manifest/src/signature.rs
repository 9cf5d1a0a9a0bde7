use std::{fmt, str::FromStr};

use crate::{Error, ErrorKind};

/// A public key of minisign (Ed25519) that indexes are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: minisign_verify::PublicKey,
    base64: String,
}

/// A detached signature as minisign writes it, in its prehashed form (`ED`).
#[derive(Clone)]
pub struct Signature(minisign_verify::Signature);

impl PublicKey {
    /// Checks that `signature` was made by this key over `bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::Signature`].
    pub fn verify(&self, bytes: &[u8], signature: &Signature) -> Result<(), Error> {
        self.key.verify(bytes, &signature.0, false).map_err(|error| {
            let what = match error {
                minisign_verify::Error::UnexpectedKeyId => "it was signed by another key",
                minisign_verify::Error::InvalidSignature => {
                    "the signature does not fit: the text was changed after it was signed"
                }
                _ => "the signature is not of a kind that is accepted (minisign, prehashed)",
            };
            Error::new(ErrorKind::Signature, what)
        })
    }

    /// The key as minisign shows it: 56 characters of base64.
    pub fn as_base64(&self) -> &str {
        &self.base64
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    /// Reads a key: either the 56 characters alone or the two lines of a `.pub` file.
    fn from_str(text: &str) -> Result<Self, Error> {
        let base64 = match text.trim().split_once('\n') {
            Some((comment, key)) if comment.starts_with("untrusted comment:") => key.trim(),
            _ => text.trim(),
        };
        match minisign_verify::PublicKey::from_base64(base64) {
            Ok(key) => Ok(Self { key, base64: base64.to_owned() }),
            Err(_) => Err(Error::new(
                ErrorKind::Key,
                "a public key is 56 characters of base64 as minisign writes them, or a file with them",
            )),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.base64).finish()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.base64)
    }
}

impl Signature {
    /// The most bytes that a signature file may have.
    pub const MAX_BYTES: usize = 4096;

    /// Reads the text of a `.minisig` file.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] or [`ErrorKind::Signature`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > Self::MAX_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a signature has at most {} bytes", Self::MAX_BYTES),
            ));
        }
        match minisign_verify::Signature::decode(text) {
            Ok(signature) => Ok(Self(signature)),
            Err(_) => Err(Error::new(ErrorKind::Signature, "this is not a minisign signature")),
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature")
    }
}
