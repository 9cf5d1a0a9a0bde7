use serde::{Deserialize, Serialize};

use crate::{
    Digest, Error, ErrorKind, Location, Manifest, ModelId, SCHEMA, Text, Timestamp, Version,
    toml_text,
};

/// The models of a registry. Its signature covers, through the digests, every byte of every
/// manifest and every network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The schema, [`SCHEMA`].
    pub schema: u32,
    /// Rises with each publication, from 1; a client refuses one lower than it has seen.
    pub version: u64,
    /// When it was made. A clock that says an earlier time is wrong.
    pub created: Timestamp,
    /// When it stops being good, after `created`.
    pub expires: Timestamp,
    /// The models, at most 10 000, each name once.
    #[serde(default)]
    pub models: Vec<Entry>,
}

/// One model in an [`Index`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The model's name.
    pub id: ModelId,
    /// The model's version.
    pub version: Version,
    /// Where its manifest lies, inside the folder of the index.
    pub manifest: Location,
    /// The digest of the manifest.
    pub sha256: Digest,
    /// The manifest's size in bytes, 1 to [`Manifest::MAX_BYTES`].
    pub size: u64,
    /// What the model does.
    pub task: ModelId,
    /// One line for people.
    pub summary: Text,
}

impl Index {
    /// The most bytes that an index may have.
    pub const MAX_BYTES: usize = 8 << 20;

    /// Reads an index. Its signature is a matter of the caller, who has the bytes.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`], [`ErrorKind::Syntax`], [`ErrorKind::Schema`], [`ErrorKind::Value`]
    /// or [`ErrorKind::Inconsistent`]; the text names the key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let index: Self = toml_text::parse(text, Self::MAX_BYTES)?;
        index.check()?;
        Ok(index)
    }

    /// Writes the index as TOML.
    ///
    /// # Errors
    /// As [`Index::parse`], if its fields were changed to something that it may not say.
    pub fn to_toml(&self) -> Result<String, Error> {
        self.check()?;
        toml_text::write(self, Self::MAX_BYTES)
    }

    /// The entry of a model.
    pub fn entry(&self, id: &ModelId) -> Option<&Entry> {
        self.models.iter().find(|entry| entry.id == *id)
    }

    fn check(&self) -> Result<(), Error> {
        if self.schema != SCHEMA {
            return Err(Error::new(
                ErrorKind::Schema,
                format!("the schema is {SCHEMA}, not {}", self.schema),
            ));
        }
        if self.version == 0 || self.version > i64::MAX as u64 {
            return Err(Error::value("version", "the version is a number from 1"));
        }
        if self.expires <= self.created {
            return Err(Error::inconsistent("expires", "the index expires before it was made"));
        }
        if self.models.len() > 10_000 {
            return Err(Error::value("models", "there are at most 10000 models"));
        }
        let mut names = std::collections::HashSet::new();
        for entry in &self.models {
            let key = format!("models.{}", entry.id);
            if !names.insert(&entry.id) {
                return Err(Error::inconsistent(&key, "the model is listed twice"));
            }
            if !entry.manifest.is_inside() {
                return Err(Error::value(
                    &format!("{key}.manifest"),
                    "a manifest lies inside the folder of the index",
                ));
            }
            if !(1..=Manifest::MAX_BYTES as u64).contains(&entry.size) {
                return Err(Error::value(
                    &format!("{key}.size"),
                    format!("a manifest has 1 to {} bytes", Manifest::MAX_BYTES),
                ));
            }
        }
        Ok(())
    }
}
