/// What a file may cost before it is refused. Checked against the sizes that it claims, before
/// memory is taken for them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most bytes of a file. 1 GiB by default.
    pub file: u64,
    /// Most bytes that reading may hold at its peak: the file, what its codec unpacks, and the
    /// planes of the [`Picture`](crate::Picture). 4 GiB by default, enough for a colour picture of
    /// 200 megapixels.
    pub memory: u64,
    /// Most bytes of each kind of metadata (EXIF, ICC, XMP). 64 MiB by default.
    pub metadata: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file: 1 << 30, memory: 4 << 30, metadata: 64 << 20 }
    }
}

impl Limits {
    /// The same limits with another peak of memory, in bytes.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// The same limits with another size of file, in bytes.
    #[must_use]
    pub fn with_file(mut self, bytes: u64) -> Self {
        self.file = bytes;
        self
    }
}
