//! A file that is on its way into the store: bytes so far, hashed as they come.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rddm_manifest::{Digest, Hasher};

use super::{
    Store,
    blob::{CHUNK, open_file},
    durable,
};
use crate::Error;

/// The strong entity tag that a server gave to the bytes. Another server's tags say nothing of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    tag: String,
    url: String,
}

impl Tag {
    const MAX_BYTES: u64 = 4096;

    fn new(tag: &str, url: &str) -> Option<Self> {
        let room = ((tag.len() + url.len()) as u64) < Self::MAX_BYTES;
        (is_strong(tag) && room).then(|| Self { tag: tag.to_owned(), url: url.to_owned() })
    }

    /// Reads the file beside a part: the tag, then the URL, each on a line.
    fn read(path: &Path) -> Option<Self> {
        let (file, size) = open_file(path).ok()?;
        let text = (size <= Self::MAX_BYTES).then(|| io::read_to_string(file).ok()).flatten()?;
        let (tag, url) = text.split_once('\n')?;
        Self::new(tag, url)
    }
}

#[derive(Debug)]
pub(crate) struct Partial<'a> {
    store: &'a Store,
    digest: Digest,
    size: u64,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    length: u64,
    tag: Option<Tag>,
    parts: u32,
}

impl<'a> Partial<'a> {
    /// What an earlier attempt left of the blob, or the empty beginning of it. The caller holds
    /// the blob's lock.
    pub(crate) fn open(store: &'a Store, digest: Digest, size: u64) -> Result<Self, Error> {
        let path = part_path(store, &digest);
        let failed = |error: io::Error| Error::store("open", &path, &error);
        durable::create_folder(&store.root().join("partial"))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let mut partial = Self {
            store,
            digest,
            size,
            path,
            file,
            hasher: Hasher::default(),
            length: 0,
            tag: None,
            parts: 0,
        };
        partial.read_back()?;
        Ok(partial)
    }

    fn read_back(&mut self) -> Result<(), Error> {
        let found = self.file.metadata().map_err(|error| self.failed("read", error))?.len();
        if found > self.size {
            return self.restart();
        }
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = self.file.read(&mut buffer).map_err(|error| self.failed("read", error))?;
            if count == 0 {
                break;
            }
            self.hasher.update(&buffer[..count]);
            self.length += count as u64;
        }
        if self.length > 0 {
            self.parts = 1;
            self.tag = Tag::read(&tag_path(self.store, &self.digest));
        }
        Ok(())
    }

    /// Bytes that are there.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The strong entity tag that the bytes so far had at `url`.
    pub(crate) fn tag(&self, url: &str) -> Option<&str> {
        self.tag.as_ref().filter(|tag| tag.url == url).map(|tag| tag.tag.as_str())
    }

    /// Whether the bytes came in more than one piece.
    pub(crate) fn is_pieced(&self) -> bool {
        self.parts > 1
    }

    /// A further answer of a server begins; its entity tag is remembered if it is a strong one.
    pub(crate) fn begin_part(&mut self, tag: Option<&str>, url: &str) -> Result<(), Error> {
        self.parts += 1;
        let tag = tag.and_then(|tag| Tag::new(tag, url));
        if self.tag != tag {
            let path = tag_path(self.store, &self.digest);
            match &tag {
                Some(Tag { tag, url }) => std::fs::write(&path, format!("{tag}\n{url}"))
                    .map_err(|error| Error::store("write", &path, &error))?,
                None => durable::remove(&path)?,
            }
            self.tag = tag;
        }
        Ok(())
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Err(error) = self.file.write_all(bytes) {
            let failed = self.failed("write", error);
            // What is on the disk must stay what was hashed.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(failed);
        }
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Discards the bytes so far.
    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.file.set_len(0).map_err(|error| self.failed("empty", error))?;
        self.file.seek(SeekFrom::Start(0)).map_err(|error| self.failed("empty", error))?;
        self.hasher = Hasher::default();
        self.length = 0;
        self.parts = 0;
        self.tag = None;
        durable::remove(&tag_path(self.store, &self.digest))
    }

    /// Whether all bytes are there and are the right ones.
    pub(crate) fn is_right(&self) -> bool {
        self.length == self.size && self.hasher.clone().finish() == self.digest
    }

    /// Flushes the file and gives it its name in the store.
    pub(crate) fn adopt(self) -> Result<(), Error> {
        self.file.sync_all().map_err(|error| self.failed("flush", error))?;
        durable::rename(&self.path, &self.store.blob_path(&self.digest))?;
        durable::remove(&tag_path(self.store, &self.digest))
    }

    /// Removes the file.
    pub(crate) fn discard(self) -> Result<(), Error> {
        durable::remove(&self.path)?;
        durable::remove(&tag_path(self.store, &self.digest))
    }

    fn failed(&self, doing: &str, error: io::Error) -> Error {
        Error::store(doing, &self.path, &error)
    }
}

/// Where a download that has not ended is kept.
pub(crate) fn part_path(store: &Store, digest: &Digest) -> PathBuf {
    store.root().join("partial").join(format!("{}.part", digest.hex()))
}

fn tag_path(store: &Store, digest: &Digest) -> PathBuf {
    store.root().join("partial").join(format!("{}.tag", digest.hex()))
}

/// A strong entity tag promises the same bytes; a weak one does not.
pub(crate) fn is_strong(tag: &str) -> bool {
    tag.len() >= 2
        && tag.starts_with('"')
        && tag.ends_with('"')
        && tag.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The bytes that can still be written to the file system of `folder`, or of the nearest folder
/// above it that exists; `None` where the system does not say.
pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let existing = folder.ancestors().find(|folder| folder.is_dir())?;
        let found = rustix::fs::statvfs(existing).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}
