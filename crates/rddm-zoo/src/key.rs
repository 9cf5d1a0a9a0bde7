use std::{fmt, io::Cursor};

use minisign::{PublicKey as MinisignPublic, SecretKey, SecretKeyBox};
use rddm_manifest::PublicKey;

use crate::Error;

/// The secret half of a key pair, which signs indexes. It is not shown by `Debug`.
pub struct SigningKey {
    secret: SecretKey,
    public: PublicKey,
}

/// The two files of a new key pair, as minisign writes them.
#[derive(Clone)]
pub struct KeyPair {
    /// The public half, which readers of the zoo are given.
    pub public: String,
    /// The secret half.
    pub secret: String,
}

impl KeyPair {
    /// Makes a key pair. With a password the secret half is encrypted.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn generate(password: Option<&str>) -> Result<Self, Error> {
        let failed =
            |error: minisign::PError| Error::input(format!("cannot make a key pair: {error}"));
        let pair = match password {
            Some(password) => {
                minisign::KeyPair::generate_encrypted_keypair(Some(password.to_owned()))
            }
            None => minisign::KeyPair::generate_unencrypted_keypair(),
        };
        let pair = pair.map_err(failed)?;
        let public = pair.pk.to_box().map_err(failed)?.into_string();
        let secret = pair.sk.to_box(Some("rddm-zoo secret key")).map_err(failed)?.into_string();
        Ok(Self { public, secret })
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads the text of a secret key's file; `password` opens an encrypted one.
    ///
    /// # Errors
    /// [`ErrorKind::Input`](crate::ErrorKind::Input). The text is not repeated in the error.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, Error> {
        let refused = |why: &str| {
            Error::input(format!("this is not a secret key of minisign that can be used: {why}"))
        };
        // Known to the crate by prompting, which a library must not do.
        let encrypted = SecretKeyBox::from_string(text)
            .map_err(|_| refused("its form"))?
            .into_unencrypted_secret_key();
        let secret = match (encrypted, password) {
            (Ok(secret), _) => secret,
            (Err(_), Some(password)) => SecretKeyBox::from_string(text)
                .and_then(|text| text.into_secret_key(Some(password.to_owned())))
                .map_err(|_| refused("its form, or the password is wrong"))?,
            (Err(_), None) => {
                return Err(refused("its form, or it is encrypted and wants a password"));
            }
        };
        let public = MinisignPublic::from_secret_key(&secret)
            .map_err(|_| refused("it has no public half"))?;
        let public = public
            .to_base64()
            .parse()
            .map_err(|error| Error::manifest("the key's public half", error))?;
        Ok(Self { secret, public })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `bytes`; the result is the text of a `.minisig` file. `comment` is signed too.
    pub(crate) fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, Error> {
        minisign::sign(
            None,
            &self.secret,
            Cursor::new(bytes),
            Some(comment),
            Some("signature of a zoo's index"),
        )
        .map(|signature| signature.into_string())
        .map_err(|error| Error::input(format!("cannot sign: {error}")))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}
