use serde::Serialize;

/// What happens while a model is pulled, in the order in which it happens. As JSON (`--json`)
/// each is one line with its name, in snake case, under the key `event`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The registry's index was read and its signature and dates checked.
    Index {
        /// The registry, a folder or URL.
        registry: String,
        /// The index's version.
        version: u64,
        /// How many models it lists.
        models: usize,
        /// The public key that signed it; absent if unsigned indexes were allowed.
        signed_by: Option<String>,
        /// Whether its expiry could be checked: it cannot while the clock is before the moment
        /// when the index was made.
        clock_trusted: bool,
    },
    /// A model's manifest was read and its digest checked.
    Model {
        /// The model.
        model: String,
        /// Its version.
        version: String,
        /// How many files will be there.
        files: usize,
        /// Their bytes in all.
        size: u64,
        /// The licence of the weights.
        license: String,
    },
    /// Another process works on the same file, or on the store; this one waits for it.
    Waiting {
        /// The file, or `the store`.
        file: String,
    },
    /// The transfer of a file begins.
    Started {
        /// The file.
        file: String,
        /// Where from.
        from: String,
        /// Its bytes in all.
        size: u64,
        /// The bytes that an earlier attempt left.
        resumed: u64,
    },
    /// Bytes have come; said a few times a second.
    Progress {
        /// The file.
        file: String,
        /// Bytes that are there.
        done: u64,
        /// Bytes in all.
        size: u64,
    },
    /// The bytes so far were discarded.
    Restarted {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// An attempt failed and another will be made.
    Retry {
        /// The file.
        file: String,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// How long it waits before the next.
        wait_ms: u64,
        /// Why it failed.
        reason: String,
    },
    /// All bytes are there and their digest is right.
    Verified {
        /// The file.
        file: String,
        /// Its digest.
        digest: String,
        /// Its bytes.
        size: u64,
        /// Whether it was in the store already.
        already: bool,
    },
    /// The name meant a model of another registry, or under another signature, until now.
    Replaced {
        /// The model.
        model: String,
        /// The registry that the earlier one came from.
        registry: String,
        /// The public key that had signed that registry's index, if one did.
        signed_by: Option<String>,
    },
    /// A model is in the store and can be run.
    Pulled {
        /// The model.
        model: String,
        /// Its version.
        version: String,
        /// Whether all of it was there already.
        already: bool,
    },
}

impl Event {
    pub(crate) fn waiting_for_store() -> Self {
        Self::Waiting { file: "the store".to_owned() }
    }
}

/// Is told each [`Event`]; it may be called by several threads at once.
pub type Observer<'a> = &'a (dyn Fn(Event) + Sync);
