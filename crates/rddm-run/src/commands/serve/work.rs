//! One restoration: a picture's file in, a picture's file out. The command's own parts do it.

use std::time::Instant;

use rddm_image::{Encoded, Limits};

use super::ask::Ask;
use super::jobs::Job;
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

pub(super) fn restore(
    loaded: &Loaded,
    ask: &Ask,
    file: &[u8],
    job: &Job,
) -> Result<Restored, Failure> {
    let restorer = loaded.restorer_for(ask)?;
    let begun = Instant::now();
    job.reads()?;
    let limits = Limits::default().with_file(file.len() as u64).with_memory(DECODING);
    let input = rddm_image::decode(file, &limits)?;
    let decoded = begun.elapsed();
    job.restores()?;
    let pixels = restorer.restore(input.pixels.view(), None, &mut |progress| {
        job.advances(progress, restorer.threads())
    })?;
    let restored = begun.elapsed();
    job.writes()?;
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
