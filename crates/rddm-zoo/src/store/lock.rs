//! Locks between processes. The system releases them when a process ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use super::{Store, durable};
use crate::Error;

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Many hold it at once.
    Shared,
    /// One holds it alone.
    Exclusive,
}

impl Store {
    /// Locks the whole store: shared while something is added, exclusive while things are removed.
    /// `wait` is called once if another process holds it.
    pub(crate) fn lock(&self, mode: Mode, wait: impl FnOnce()) -> Result<Lock, Error> {
        lock(&self.root.join("locks").join("store"), mode, wait)
    }

    /// Locks names and seen indexes, to be read, changed and written.
    pub(super) fn lock_notes(&self) -> Result<Lock, Error> {
        lock(&self.root.join("locks").join("notes"), Mode::Exclusive, || {})
    }

    /// Locks one blob for writing.
    pub(crate) fn lock_blob(&self, hex: &str, wait: impl FnOnce()) -> Result<Lock, Error> {
        lock(&self.root.join("locks").join(hex), Mode::Exclusive, wait)
    }
}

fn lock(path: &Path, mode: Mode, wait: impl FnOnce()) -> Result<Lock, Error> {
    let failed = |error: std::io::Error| Error::store("lock", path, &error);
    if let Some(folder) = path.parent() {
        durable::create_folder(folder)?;
    }
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    let at_once = match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Exclusive => file.try_lock(),
    };
    match at_once {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            wait();
            let waited = match mode {
                Mode::Shared => file.lock_shared(),
                Mode::Exclusive => file.lock(),
            };
            waited.map_err(failed)?;
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    Ok(Lock { _file: file })
}
