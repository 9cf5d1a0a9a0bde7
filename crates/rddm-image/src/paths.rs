//! What lies at a path where pictures are looked for or written.

use std::fs;
use std::path::Path;

/// Whether a device, a pipe or a socket is at `path`: what no file may take the place of, and what can't be read again. False where
/// nothing is, or what can't be looked at.
#[must_use]
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir())
}

/// Whether a folder is a program's own by its name, such as `.thumbnails`, `@eaDir` or `__MACOSX`: what is in it is nobody's pictures.
#[must_use]
pub fn is_helper(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || name.starts_with(b"@") || name == b"__MACOSX"
}
