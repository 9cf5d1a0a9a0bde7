//! Files that are whole or absent.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::Error;

/// Writes `bytes` as `folder/name`: beside its place, then renamed. The folder is made if it is missing.
///
/// # Errors
/// When the folder or the file cannot be written; a file that was there before is kept.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    let failed = |error: std::io::Error| Error::output(&path, error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new().tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    #[cfg(unix)]
    {
        // A temporary file is its owner's alone; a network is for everybody whom the folder is for.
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644)).map_err(failed)?;
    }
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(path)
}
