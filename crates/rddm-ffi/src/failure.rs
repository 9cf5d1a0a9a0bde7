//! What failed: a status for the program, a text for its people.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rddm_runtime::{Error, ErrorKind};

/// How a call ended.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// A pointer is null, or memory does not fit what was said of it: a mistake in the program.
    Argument = 1,
    /// The manifest can't be read.
    Manifest = 2,
    /// A network's bytes are not those that the manifest names; nothing of them was parsed.
    Integrity = 3,
    /// An option that the model can't serve, or a model that needs a newer version.
    Options = 4,
    /// The engine is unknown, not built in, or its library can't be loaded.
    Engine = 5,
    /// The device is unknown to the engine, or not there.
    Device = 6,
    /// A network is broken, or gave a value that is no number.
    Network = 7,
    /// A picture or mask that the model does not take.
    Input = 8,
    /// `max_memory` is not enough even for the smallest tiles, or for the tile that was set.
    Memory = 9,
    /// The progress function gave false.
    Cancelled = 10,
    /// A mistake in this library.
    Unexpected = 11,
}

#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    text: String,
}

impl Failure {
    pub(crate) fn new(status: Status, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::new(Status::Argument, text)
    }

    pub(crate) fn input(text: impl Into<String>) -> Self {
        Self::new(Status::Input, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Integrity => Status::Integrity,
            ErrorKind::Options => Status::Options,
            ErrorKind::Engine => Status::Engine,
            ErrorKind::Device => Status::Device,
            ErrorKind::Network | ErrorKind::NotFinite => Status::Network,
            ErrorKind::Input => Status::Input,
            ErrorKind::Memory => Status::Memory,
            ErrorKind::Cancelled => Status::Cancelled,
            _ => Status::Unexpected,
        };
        Self::new(status, error.to_string())
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// What the last call of this thread that gave a status failed with, in words (UTF-8); empty where it did not fail. The
/// text goes with the thread's next call.
#[unsafe(no_mangle)]
pub extern "C" fn rddm_error() -> *const c_char {
    // A thread that ends may have lost its text already.
    LAST.try_with(|text| text.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Keeps what failed for [`rddm_error`], and whatever panics within this library.
pub(crate) fn guarded(call: impl FnOnce() -> Result<(), Failure>) -> Status {
    let done = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::new(
            Status::Unexpected,
            format!("a mistake in rddm, please report it: {}", text.unwrap_or("no text")),
        ))
    });
    let (status, text) = match done {
        Ok(()) => (Status::Ok, String::new()),
        Err(Failure { status, text }) => (status, text),
    };
    // A zero would end the text.
    let text = CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
    let _ = LAST.try_with(|last| last.replace(text));
    status
}
