use std::{fmt, io::Cursor};

use ct_codecs::{Base64, Decoder};
use minisign::{PublicKey as MinisignPublic, SecretKey, SecretKeyBox};
use rddm_manifest::{PublicKey, Signature};

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
        let text = || SecretKeyBox::from_string(text).map_err(|_| refused("its form"));
        let secret = match (text()?.into_unencrypted_secret_key(), password) {
            (Ok(secret), _) => secret,
            (Err(_), password) => match (without_checksum(&text()?.into_string()), password) {
                (Some(secret), _) => secret,
                (None, Some(password)) => text()?
                    .into_secret_key(Some(password.to_owned()))
                    .map_err(|_| refused("its form, or the password is wrong"))?,
                // The crate would ask on the terminal, which a library must not do.
                (None, None) => {
                    return Err(refused("its form, or it is encrypted and wants a password")
                        .with_next("give the password in RDDM_SIGNING_PASSWORD"));
                }
            },
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
        let untrusted = Some("signature of a zoo's index");
        let signature =
            minisign::sign(None, &self.secret, Cursor::new(bytes), Some(comment), untrusted)
                .map_err(|error| Error::input(format!("cannot sign: {error}")))?
                .into_string();
        // A key whose halves do not belong together would sign something that nobody accepts.
        Signature::parse(&signature)
            .and_then(|signature| self.public.verify(bytes, &signature))
            .map_err(|error| Error::input(format!("the key does not sign: {error}")))?;
        Ok(signature)
    }
}

/// A key without a password whose checksum is left empty, as the minisign of C writes it and the
/// crate refuses it.
fn without_checksum(text: &str) -> Option<SecretKey> {
    const SIZE: usize = 158;
    let bytes = Base64::decode_to_vec(text.lines().nth(1)?.trim(), None).ok()?;
    let unencrypted = bytes.len() == SIZE && bytes[2..4] == [0, 0];
    let empty = unencrypted && bytes[SIZE - 32..].iter().all(|&byte| byte == 0);
    empty.then(|| SecretKey::from_bytes(&bytes).ok()).flatten()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ct_codecs::Encoder;

    use super::*;

    fn signs(text: &str, password: Option<&str>) -> bool {
        SigningKey::parse(text, password).is_ok_and(|key| key.sign(b"index", "comment").is_ok())
    }

    #[test]
    fn keys_with_and_without_password_and_checksum_sign() {
        let pair = KeyPair::generate(None).unwrap();
        assert!(signs(&pair.secret, None));
        let (comment, key) = pair.secret.trim_end().split_once('\n').unwrap();
        let mut bytes = Base64::decode_to_vec(key, None).unwrap();
        bytes[126..].fill(0);
        let emptied = format!("{comment}\n{}\n", Base64::encode_to_string(&bytes).unwrap());
        assert!(signs(&emptied, None));
        bytes[70] ^= 1;
        let damaged = format!("{comment}\n{}\n", Base64::encode_to_string(&bytes).unwrap());
        assert!(!signs(&damaged, None));
        assert!(!signs(comment, None) && !signs("", None));
    }
}
