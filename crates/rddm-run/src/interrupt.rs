//! Stopping when the user asks for it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rddm_runtime::CancelToken;

use crate::failure::{Failure, code};
use crate::inputs::is_stream;

static ASKED: AtomicBool = AtomicBool::new(false);
static STREAMING: AtomicBool = AtomicBool::new(false);

/// A token that the first interrupt cancels: the tile at work is finished, and no output is begun.
/// The second one ends the process at once.
pub(crate) fn token() -> Result<CancelToken, Failure> {
    let token = CancelToken::default();
    let stopped = token.clone();
    listen(move || stopped.cancel())?;
    Ok(token)
}

/// Has `told` called at the first interrupt. The second one ends the process at once, and the first one does while it is
/// [`streaming`].
pub(crate) fn listen(told: impl Fn() + Send + 'static) -> Result<(), Failure> {
    rddm_zoo::keep_ignored_signals();
    let installed = ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::SeqCst) || STREAMING.load(Ordering::SeqCst) {
            leave();
        }
        told();
    });
    installed.map_err(|error| {
        Failure::new(code::UNEXPECTED, format!("can't listen for interrupts: {error}"))
    })
}

/// Reads or writes at a place that is a stream, a pipe or a device: it may wait for another program for ever, so that an interrupt
/// ends the process.
pub(crate) fn streaming<T>(place: &Path, work: impl FnOnce() -> T) -> T {
    if !is_stream(place) {
        return work();
    }
    STREAMING.store(true, Ordering::SeqCst);
    if ASKED.load(Ordering::SeqCst) {
        leave();
    }
    let done = work();
    STREAMING.store(false, Ordering::SeqCst);
    done
}

/// Ends the process, with no half file left behind.
fn leave() -> ! {
    let _held = rddm_image::abandon();
    #[allow(clippy::exit, reason = "there is nothing to wait for, or it may never come")]
    std::process::exit(i32::from(code::INTERRUPTED));
}
