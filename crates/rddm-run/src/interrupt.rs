//! Stopping when the user asks for it.

use std::sync::atomic::{AtomicBool, Ordering};

use rddm_runtime::CancelToken;

use crate::failure::{Failure, code};

static ASKED: AtomicBool = AtomicBool::new(false);

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
            let _held = rddm_image::abandon();
            #[allow(clippy::exit, reason = "the user insists, and there is nothing to wait for")]
            std::process::exit(i32::from(code::INTERRUPTED));
        }
        told();
    });
    installed.map_err(|error| {
        Failure::new(code::UNEXPECTED, format!("can't listen for interrupts: {error}"))
    })
}
