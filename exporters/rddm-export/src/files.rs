//! Files that are whole or absent.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// Writes `bytes` as `folder/name`: beside its place, then renamed. The folder is made if it is missing. Where a link has the
/// name, the file that it leads to is replaced.
///
/// # Errors
/// When the folder or the file cannot be written; a file that was there before is kept.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    fs::create_dir_all(folder).map_err(|error| Error::output(&path, error))?;
    rddm_image::write_bytes(&path, bytes, true).map_err(|error| Error::writing(&error))?;
    Ok(path)
}
