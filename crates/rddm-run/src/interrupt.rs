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
            // Held to the end, so that no file is begun meanwhile.
            let half = HALF.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(path) = &*half {
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

/// Begins a file that is removed if the process ends at once, until the first of the two is dropped, which is to outlive
/// the second. An end waits until the file is begun.
pub(crate) fn half_file<T>(
    begin: impl FnOnce() -> Result<T, Failure>,
    path: impl FnOnce(&T) -> &Path,
) -> Result<(HalfFile, T), Failure> {
    let mut half = HALF.lock().unwrap_or_else(PoisonError::into_inner);
    let file = begin()?;
    *half = Some(path(&file).to_owned());
    Ok((HalfFile(()), file))
}

/// A file that is not whole yet.
pub(crate) struct HalfFile(());

impl Drop for HalfFile {
    fn drop(&mut self) {
        HALF.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
