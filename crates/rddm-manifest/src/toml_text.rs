//! What all files of the zoo have in common: a size that is looked at before parsing, UTF-8, and
//! a schema that is looked at before anything else is.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, ErrorKind, SCHEMA, printable};

/// Parses `text` of at most `limit` bytes. Depth is bounded by the TOML parser itself.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, limit: usize) -> Result<T, Error> {
    let Probe { schema } = probe(text, limit)?;
    match schema {
        Some(toml::Value::Integer(schema)) if schema == i64::from(SCHEMA) => {}
        Some(toml::Value::Integer(schema)) => {
            let what = format!(
                "schema {schema} is not known to this version, which reads schema {SCHEMA}; a newer version may read it"
            );
            return Err(Error::new(ErrorKind::Schema, what));
        }
        _ => {
            return Err(Error::new(
                ErrorKind::Schema,
                format!("the key `schema` is missing; it says `schema = {SCHEMA}`"),
            ));
        }
    }
    toml::from_str(text).map_err(syntax)
}

/// The few keys of `T` in `text` of at most `limit` bytes, whatever else it has.
pub(crate) fn probe<T: DeserializeOwned>(text: &str, limit: usize) -> Result<T, Error> {
    check_size(text, limit)?;
    toml::from_str(text).map_err(syntax)
}

/// Writes `value` as TOML of at most `limit` bytes.
pub(crate) fn write<T: Serialize>(value: &T, limit: usize) -> Result<String, Error> {
    let text =
        toml::to_string(value).map_err(|error| Error::new(ErrorKind::Syntax, error.to_string()))?;
    check_size(&text, limit)?;
    Ok(text)
}

fn check_size(text: &str, limit: usize) -> Result<(), Error> {
    if text.len() <= limit {
        return Ok(());
    }
    let what = format!("the text has {} bytes, and at most {limit} are allowed", text.len());
    Err(Error::new(ErrorKind::TooLarge, what))
}

#[derive(Deserialize)]
struct Probe {
    schema: Option<toml::Value>,
}

/// The parser's message, without the excerpt of the text: that may hold anything.
fn syntax(error: toml::de::Error) -> Error {
    Error::new(ErrorKind::Syntax, printable(error.message()))
}
