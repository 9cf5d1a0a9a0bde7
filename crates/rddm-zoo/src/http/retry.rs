use std::{
    hash::{BuildHasher, Hasher, RandomState},
    thread,
    time::Duration,
};

use super::{Failure, HttpOptions};
use crate::{
    Error,
    event::{Event, Observer},
};

/// The longest wait between two attempts that nobody asked for.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest wait that a server can ask for; beyond, the transfer is given up and says so.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes attempts until one succeeds, fails for good, or there were too many.
pub(crate) fn retrying<T>(
    options: &HttpOptions,
    file: &str,
    observer: Observer<'_>,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Error> {
    let mut failed = 0;
    loop {
        let failure = match attempt() {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        failed = if failure.progressed { 1 } else { failed + 1 };
        if !failure.transient || failed > options.retries {
            return Err(failure.error);
        }
        let asked = failure.retry_after.unwrap_or_default();
        if asked > PATIENCE {
            let next = format!("the server asks to come back in {} s", asked.as_secs());
            return Err(failure.error.with_next(next));
        }
        let wait = wait(options.backoff, failed).max(asked);
        observer(Event::Retry {
            file: file.to_owned(),
            attempt: failed,
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            reason: failure.error.to_string(),
        });
        thread::sleep(wait);
    }
}

/// Doubles with each failed attempt; a random half of it is left out, so that many clients of one
/// server do not come back together.
fn wait(backoff: Duration, failed: u32) -> Duration {
    let full = backoff.saturating_mul(1 << (failed - 1).min(16)).min(LONGEST);
    let random = RandomState::new().build_hasher().finish() % 1024;
    full / 2 + full.mul_f64(random as f64 / 2048.0)
}
