//! Writing so that after a crash or a cut of power a file is either whole or absent.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::NamedTempFile;

use crate::Error;

/// What the names of temporary files begin with.
const PREFIX: &str = ".new-";

/// Writes a whole file beside its place, flushes it to the disk and renames it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    prepare(path, bytes)?.persist()
}

/// A whole file beside its place, on the disk, that has not got its name yet.
pub(crate) struct Prepared {
    temporary: Temporary,
    path: PathBuf,
}

impl Prepared {
    pub(crate) fn persist(self) -> Result<(), Error> {
        let Self { temporary, path } = self;
        temporary.persist(&path).map_err(|error| Error::store("write", &path, &error))?;
        sync_folder(folder_of(&path))
    }
}

/// Writes a whole file beside its place and flushes it to the disk.
pub(crate) fn prepare(path: &Path, bytes: &[u8]) -> Result<Prepared, Error> {
    let failed = |error: io::Error| Error::store("write", path, &error);
    let folder = folder_of(path);
    create_folder(folder)?;
    let temporary = temporary(folder).map_err(failed)?;
    temporary.as_file().write_all(bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    Ok(Prepared { temporary, path: path.to_owned() })
}

/// The temporary files of this process that have not got their names yet.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of what is being written. It is for a handler that ends the process
/// right after: whoever wants to begin or to end a file waits from now on, so that none is left and
/// none is missed by its writer.
pub fn discard_unfinished() {
    let unfinished = unfinished();
    for path in unfinished.iter() {
        // The process ends in any case; one that cannot be removed stays, as after a kill.
        let _ = fs::remove_file(path);
    }
    std::mem::forget(unfinished);
}

/// A temporary file that an interrupt removes.
pub(crate) struct Temporary {
    file: NamedTempFile,
    _noted: Noted,
}

/// A path among the unfinished, until it is dropped.
struct Noted(PathBuf);

impl Drop for Noted {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
    }
}

impl Temporary {
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Gives the file its name. An interrupt waits for that, or comes first and it does not happen.
    pub(crate) fn persist(self, path: &Path) -> io::Result<()> {
        let renamed = {
            let _held = unfinished();
            self.file.persist(path)
        };
        renamed.map(drop).map_err(|error| error.error)
    }
}

/// A temporary file in a folder, to be renamed: with the permissions of any file, so that a web server or another user reads what was
/// published or pulled.
pub(crate) fn temporary(folder: &Path) -> io::Result<Temporary> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        // The process's mask takes its bits from these; a temporary file's are private otherwise.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        builder.permissions(mode);
    }
    let mut unfinished = unfinished();
    let file = builder.tempfile_in(folder)?;
    let path = file.path().to_owned();
    unfinished.insert(path.clone());
    Ok(Temporary { file, _noted: Noted(path) })
}

/// Removes the temporary files that killed processes left in a folder. The caller holds the folder.
pub(crate) fn remove_leftovers(folder: &Path) -> Result<(), Error> {
    let failed = |error: io::Error| Error::store("read", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_temporary(&entry.file_name()) && entry.file_type().map_err(failed)?.is_file() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether [`temporary`] made the file of this name.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// The folder of a file; the current one for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Renames a file that was flushed, and flushes the folders.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    let folder = folder_of(to);
    create_folder(folder)?;
    fs::rename(from, to).map_err(|error| Error::store("rename to", to, &error))?;
    sync_folder(folder)
}

/// Creates a folder and those above it, each flushed into the one above.
pub(crate) fn create_folder(folder: &Path) -> Result<(), Error> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        create_folder(above)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => above.map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(Error::store("create", folder, &error)),
    }
}

/// Removes a file that may be absent.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::store("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Holds the folder of a file alone, so that processes that change the file take turns. Only Unix can,
/// and not on every file system; elsewhere they do not wait.
pub(crate) fn hold_folder(path: &Path) -> Option<File> {
    let folder = File::open(folder_of(path)).ok()?;
    folder.lock().ok().map(|()| folder)
}

/// Flushes a folder's own entries. Only Unix can; elsewhere the system does it in its own time.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Error::store("flush", folder, &error))?;
    }
    Ok(())
}
