use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// A line for people: 1 to 1000 characters, no control characters (so no line breaks and no
/// terminal escapes) and none that change the direction or hide other characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// The most characters that a text may have.
    pub const MAX_CHARS: usize = 1000;

    /// The line itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Zero-width characters, bidirectional controls, line and paragraph separators, the byte order
/// mark and the tag block: a line with them does not look like what it is.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// What others wrote, to be shown in an error: at most 500 characters, without those that a [`Text`] cannot have.
pub fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() || is_deceptive(c) { ' ' } else { c };
    text.chars().map(shown).take(500).collect()
}

impl FromStr for Text {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |why: String| Err(Error::new(ErrorKind::Value, why));
        if text.trim().is_empty() {
            return refused("the text is empty".to_owned());
        }
        if text.chars().count() > Self::MAX_CHARS {
            return refused(format!("the text has more than {} characters", Self::MAX_CHARS));
        }
        match text.chars().find(|&c| c.is_control() || is_deceptive(c)) {
            Some(c) => {
                refused(format!("the text has the control character U+{:04X}", u32::from(c)))
            }
            None => Ok(Self(text.to_owned())),
        }
    }
}

text_form!(Text);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
