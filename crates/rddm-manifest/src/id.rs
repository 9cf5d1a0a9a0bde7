use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// A model's name: `[a-z0-9][a-z0-9._-]{0,63}`, and none of the names that a file system or the
/// registry itself keeps for other things (`con`, `nul`, `com1`, …, `index`). It can be a file's
/// name on every system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelId(String);

impl ModelId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names that Windows gives to devices, with any extension, and the registry's own file.
const RESERVED: [&str; 5] = ["con", "prn", "aux", "nul", "index"];

impl FromStr for ModelId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            let shown: String = text.chars().take(64).flat_map(char::escape_default).collect();
            Err(Error::new(ErrorKind::Id, format!("`{shown}` cannot be a model's name: {why}")))
        };
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > 64 {
            return refused("it has between 1 and 64 characters");
        }
        if !bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')) {
            return refused("it is made of a-z, 0-9, `.`, `_` and `-`");
        }
        if !bytes[0].is_ascii_alphanumeric() {
            return refused("it begins with a letter or a digit");
        }
        if text.ends_with('.') || text.contains("..") {
            return refused("it has no `..` and no `.` at its end");
        }
        let stem = text.split('.').next().unwrap_or(text);
        let port =
            |name: &str| matches!(stem.strip_prefix(name).map(str::as_bytes), Some([b'0'..=b'9']));
        if RESERVED.contains(&stem) || port("com") || port("lpt") {
            return refused("the name is reserved");
        }
        Ok(Self(text.to_owned()))
    }
}

text_form!(ModelId);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
