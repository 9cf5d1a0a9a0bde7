//! Stopping when the user asks for it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rddm_runtime::CancelToken;

use crate::failure::{Failure, code};

static ASKED: AtomicBool = AtomicBool::new(false);

/// The file that is being written, which nobody removes when the process ends at once.
static HALF: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A token that the first interrupt cancels: the tile at work is finished, and no output is begun.
/// The second one ends the process at once.
pub(crate) fn token() -> Result<CancelToken, Failure> {
    let token = CancelToken::default();
    let stopped = token.clone();
    listen(move || stopped.cancel())?;
    Ok(token)
}

/// Has `told` called at the first interrupt. The second one ends the process at once.
pub(crate) fn listen(told: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let installed = ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::SeqCst) {
            if let Some(path) = HALF.lock().unwrap_or_else(PoisonError::into_inner).take() {
                // Nobody is left to be told when this fails.
                let _ = std::fs::remove_file(path);
            }
            #[allow(clippy::exit, reason = "the user insists, and there is nothing to wait for")]
            std::process::exit(i32::from(code::INTERRUPTED));
        }
        told();
    });
    installed.map_err(|error| {
        Failure::new(code::UNEXPECTED, format!("can't listen for interrupts: {error}"))
    })
}

/// Has a file removed if the process ends at once, until this is dropped.
#[must_use]
pub(crate) fn half_file(path: &Path) -> HalfFile {
    *HALF.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
    HalfFile(())
}

pub(crate) struct HalfFile(());

impl Drop for HalfFile {
    fn drop(&mut self) {
        HALF.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
