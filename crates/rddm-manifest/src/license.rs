use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// An SPDX licence expression, such as `MIT OR Apache-2.0`, with no other white space than blanks. Its
/// words and brackets are checked, not whether SPDX lists the licence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct License(String);

impl License {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for License {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || {
            let what = "a licence is an SPDX expression of at most 200 characters, as in `MIT OR Apache-2.0`";
            Error::new(ErrorKind::Value, what)
        };
        if text.len() > 200 {
            return Err(refused());
        }
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let mut depth = 0_usize;
        let mut operand_next = true;
        for word in spaced.split(' ').filter(|word| !word.is_empty()) {
            match (word, operand_next) {
                ("(", true) => depth += 1,
                (")", false) => depth = depth.checked_sub(1).ok_or_else(refused)?,
                ("AND" | "OR" | "WITH", false) => operand_next = true,
                ("AND" | "OR" | "WITH" | "(" | ")", _) | (_, false) => return Err(refused()),
                (name, true) => {
                    if !name.bytes().all(|b| {
                        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b':')
                    }) {
                        return Err(refused());
                    }
                    operand_next = false;
                }
            }
        }
        if depth != 0 || operand_next {
            return Err(refused());
        }
        Ok(Self(text.to_owned()))
    }
}

text_form!(License);

impl fmt::Display for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
