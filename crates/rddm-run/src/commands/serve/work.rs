//! One restoration: a picture's file in, a picture's file out. The command's own parts do it.

use std::time::Instant;

use rddm_image::{Encoded, Limits, Picture};

use super::ask::Ask;
use super::form::Files;
use super::jobs::Job;
use super::shelf::Loaded;
use crate::commands::batch;
use crate::commands::deliver::{self, Made};
use crate::failure::Failure;

/// Most bytes that decoding one picture may take: 50 megapixels in colour.
const DECODING: u64 = 1 << 30;

/// A restored picture, what was left out of it, and the milliseconds that its parts took.
pub(super) struct Restored {
    pub(super) picture: Encoded,
    pub(super) losses: Vec<String>,
    pub(super) milliseconds: [(&'static str, f64); 3],
}

pub(super) fn restore(
    loaded: &Loaded,
    ask: &Ask,
    files: Files<'_>,
    job: &Job,
) -> Result<Restored, Failure> {
    let restorer = loaded.restorer_for(ask)?;
    let begun = Instant::now();
    job.reads()?;
    let input = decode(files.picture)?;
    let mask = files.mask.map(|file| batch::mask(&decode(file)?)).transpose();
    let mask =
        mask.map_err(|failure| Failure { what: format!("the mask: {}", failure.what), ..failure })?;
    let options = ask.encoding();
    let format = options.format_of(&input);
    format.check_size(input.width(), input.height()).map_err(not_written)?;
    let decoded = begun.elapsed();
    job.restores()?;
    let mask = mask.as_ref().map(|mask| mask.view());
    let pixels = restorer.restore(input.pixels.view(), mask, &mut |progress| {
        job.advances(progress, restorer.threads())
    })?;
    let restored = begun.elapsed();
    job.writes()?;
    let (model, strength) = (&loaded.model, ask.strength);
    let made = Made { model, restorer: &restorer, strength, ensemble: false };
    let (output, unsigned) = deliver::finished(&input, pixels, Some(made), format);
    let picture = rddm_image::encode(&output, &options).map_err(not_written)?;
    let of = |from: std::time::Duration, to: std::time::Duration| (to - from).as_secs_f64() * 1e3;
    let milliseconds = [
        ("decode", of(Default::default(), decoded)),
        ("restore", of(decoded, restored)),
        ("encode", of(restored, begun.elapsed())),
    ];
    let losses = picture.losses.iter().map(ToString::to_string);
    let unread = input.unread.iter().map(ToString::to_string);
    let losses =
        losses.chain(unsigned.map(|_| deliver::PARAMETERS.to_owned())).chain(unread).collect();
    Ok(Restored { picture, losses, milliseconds })
}

fn not_written(error: rddm_image::Error) -> Failure {
    Failure::usage(error.to_string()).with_next("take another format")
}

fn decode(file: &[u8]) -> Result<Picture, Failure> {
    let limits = Limits::default().with_file(file.len() as u64).with_memory(DECODING);
    Ok(rddm_image::decode(file, &limits)?)
}
