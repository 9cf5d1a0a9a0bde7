use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// Where a file of the registry lies: a path relative to the text that names it, or a whole
/// `https:` or `http:` URL.
///
/// A relative path is made of names of `A-Z a-z 0-9 . _ + -` that do not begin with a dot,
/// joined by `/`; it may begin with one `../`, so it reaches the registry's own parent folder and
/// nothing above it. There are no percent signs, so nothing is hidden from these rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location(String);

impl Location {
    /// The path or URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a path relative to the text that names it.
    pub fn is_relative(&self) -> bool {
        !is_whole(&self.0)
    }

    /// Whether it is a relative path that stays inside the folder of the text that names it.
    pub fn is_inside(&self) -> bool {
        self.is_relative() && !self.0.starts_with("../")
    }
}

const MAX_BYTES: usize = 2000;

fn is_whole(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.ends_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-'))
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |why: &str| {
            let shown: String = text.chars().take(100).flat_map(char::escape_default).collect();
            Err(Error::new(ErrorKind::Value, format!("`{shown}` cannot be a file's place: {why}")))
        };
        if text.len() > MAX_BYTES {
            return refused("it is too long");
        }
        if is_whole(text) {
            if !text.bytes().all(|b| b.is_ascii_graphic())
                || text.contains(['\\', '"', '<', '>', '`'])
            {
                return refused("a URL is printable ASCII without spaces, quotes and backslashes");
            }
            let rest = text.split_once("://").map_or("", |(_, rest)| rest);
            let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
            if authority.is_empty() || authority.contains('@') {
                return refused("a URL has a host, and no user or password");
            }
            if rest.contains('#') {
                return refused("a URL has no fragment");
            }
            return Ok(Self(text.to_owned()));
        }
        let path = text.strip_prefix("../").unwrap_or(text);
        if !path.split('/').all(is_name) {
            return refused(
                "it is a relative path of plain names (at most one `../`, at its beginning), or a URL of http or https",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

text_form!(Location);

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
