//! Blobs: files whose name is the digest of their bytes.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use rddm_manifest::{Digest, Hasher};

use super::{Store, durable};
use crate::Error;

/// What a blob in the store was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Good,
    Missing,
    /// Its size or its bytes are wrong.
    Bad,
}

/// How much is read and hashed at a time.
pub(crate) const CHUNK: usize = 128 * 1024;

impl Store {
    /// Where the blob with this digest is, if it is.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root().join("blobs").join("sha256").join(&hex[..2]).join(hex)
    }

    /// Reads and hashes a blob where it is. `progress` is told the bytes so far.
    pub(crate) fn check_blob(
        &self,
        digest: &Digest,
        size: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Condition, Error> {
        let path = self.blob_path(digest);
        let failed = |error: io::Error| Error::store("read", &path, &error);
        let (file, found) = match open_file(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Condition::Missing),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(Condition::Bad),
            Err(error) => return Err(failed(error)),
        };
        if found != size {
            return Ok(Condition::Bad);
        }
        let found = hash(file, progress).map_err(failed)?;
        Ok(if found == *digest { Condition::Good } else { Condition::Bad })
    }

    /// Removes a blob; it may be absent.
    pub(crate) fn remove_blob(&self, digest: &Digest) -> Result<(), Error> {
        durable::remove(&self.blob_path(digest))
    }

    /// Adds bytes that are at hand. A blob of this name that is there already stays if it is good.
    pub(crate) fn add_bytes(&self, bytes: &[u8]) -> Result<Digest, Error> {
        let digest = Digest::of(bytes);
        if self.check_blob(&digest, bytes.len() as u64, &mut |_| {})? != Condition::Good {
            durable::write(&self.blob_path(&digest), bytes)?;
        }
        Ok(digest)
    }
}

/// Opens an ordinary file and says its size. Of anything else that has a name the error is of kind
/// [`io::ErrorKind::InvalidInput`], before it is opened: opening a pipe would wait for ever.
pub(crate) fn open_file(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    Ok((File::open(path)?, metadata.len()))
}

/// Hashes all that `reader` gives.
pub(crate) fn hash(mut reader: impl Read, progress: &mut dyn FnMut(u64)) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; CHUNK];
    let mut done = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                done += count as u64;
                progress(done);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a file of a known size and digest; `None` if it is not that.
pub(crate) fn read_exact_blob(
    path: &Path,
    digest: &Digest,
    size: u64,
) -> io::Result<Option<Vec<u8>>> {
    let file = match open_file(path) {
        Ok((file, found)) if found == size => file,
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => return Err(error),
        _ => return Ok(None),
    };
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(size + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == size && Digest::of(&bytes) == *digest).then_some(bytes))
}

/// The digest and the size of an ordinary file.
pub(crate) fn hash_file(path: &Path) -> io::Result<(Digest, u64)> {
    let (file, _) = open_file(path)?;
    let mut size = 0;
    let digest = hash(file, &mut |done| size = done)?;
    Ok((digest, size))
}
