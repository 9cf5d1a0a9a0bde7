//! `rddm-train degrade`.

use std::path::PathBuf;

use rddm_train::data::Picture8;
use rddm_train::degrade::{DegradationSpec, Degraded, build, once};
use serde::Deserialize;

use crate::Failure;

/// Degrades a clean picture as a recipe would, to look at a degradation or to make an example.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The clean picture.
    input: PathBuf,
    /// The degraded picture, a PNG file.
    #[arg(short, long)]
    output: PathBuf,
    /// The degradation as a recipe writes it, such as `{ kind = "rain", angle = [10, 10] }`.
    #[arg(long)]
    degradation: String,
    /// Where the picture was degraded, a PNG file: white there, black elsewhere.
    #[arg(long)]
    mask: Option<PathBuf>,
    /// Seed of what is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Deserialize)]
struct Wrapped {
    degradation: DegradationSpec,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let degradation = build(&parse(&arguments.degradation)?)?;
    let clean = Picture8::read_at_least(&arguments.input, 1)?;
    let Degraded { picture, mask } = once(degradation.as_ref(), &clean.whole(), arguments.seed);
    if let Some(path) = &arguments.mask {
        let mask = mask.as_ref().and_then(|mask| mask.broadcast(picture.raw_dim()));
        let Some(mask) = mask else {
            let text = "--mask: this degradation is all over the picture and has no mask";
            return Err(Failure { code: 2, text: text.into() });
        };
        Picture8::quantise(&mask.to_owned()).write(path)?;
    }
    Ok(Picture8::quantise(&picture).write(&arguments.output)?)
}

/// A degradation as a recipe writes it.
pub(crate) fn parse(text: &str) -> Result<DegradationSpec, Failure> {
    let Wrapped { degradation } = toml::from_str(&format!("degradation = {text}"))
        .map_err(|error| Failure { code: 2, text: format!("--degradation: {error}") })?;
    Ok(degradation)
}
