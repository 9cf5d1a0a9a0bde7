//! One restoration: a picture's file in, a picture's file out. The command's own parts do it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rddm_image::{Encoded, Limits};
use rddm_runtime::Control;

use super::ask::Ask;
use super::shelf::Loaded;
use crate::commands::deliver::{self, Made};
use crate::failure::{Failure, code};

/// Most bytes that decoding one picture may take: 50 megapixels in colour.
const DECODING: u64 = 1 << 30;

/// A restored picture, and the milliseconds that its parts took.
pub(super) struct Restored {
    pub(super) picture: Encoded,
    pub(super) milliseconds: [(&'static str, f64); 3],
}

/// Whether the client still waits; the work stops at its next tile once it does not.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<AtomicBool>);

/// Held by what waits, which is dropped when its client goes away.
pub(super) struct Waiter(Waiting);

impl Waiting {
    pub(super) fn waiter(&self) -> Waiter {
        Waiter(self.clone())
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

pub(super) fn restore(
    loaded: &Loaded,
    ask: &Ask,
    file: &[u8],
    waiting: &Waiting,
) -> Result<Restored, Failure> {
    let restorer = loaded.restorer_for(ask)?;
    let begun = Instant::now();
    let limits = Limits::default().with_file(file.len() as u64).with_memory(DECODING);
    let input = rddm_image::decode(file, &limits)?;
    let decoded = begun.elapsed();
    let pixels = restorer.restore(input.pixels.view(), None, &mut |_| {
        if waiting.0.load(Ordering::Relaxed) { Control::Stop } else { Control::Continue }
    })?;
    let restored = begun.elapsed();
    let (model, strength) = (&loaded.model, ask.strength);
    let made = Made { model, restorer: &restorer, strength, ensemble: false };
    let output = deliver::finished(&input, pixels, Some(made));
    let picture = rddm_image::encode(&output, &ask.encoding()).map_err(|error| {
        let next = "take another format";
        Failure::new(code::USAGE, error.to_string()).with_next(next)
    })?;
    let of = |from: std::time::Duration, to: std::time::Duration| (to - from).as_secs_f64() * 1e3;
    let milliseconds = [
        ("decode", of(Default::default(), decoded)),
        ("restore", of(decoded, restored)),
        ("encode", of(restored, begun.elapsed())),
    ];
    Ok(Restored { picture, milliseconds })
}
