//! `rddm-train degrade`.

use std::path::PathBuf;

use rddm_train::data::Picture8;
use rddm_train::degrade::{DegradationSpec, build};
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
    /// Seed of what is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Deserialize)]
struct Wrapped {
    degradation: DegradationSpec,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let text = format!("degradation = {}", arguments.degradation);
    let Wrapped { degradation } = toml::from_str(&text)
        .map_err(|error| Failure { code: 2, text: format!("--degradation: {error}") })?;
    let degradation = build(&degradation)?;
    let clean = Picture8::read_at_least(&arguments.input, 1)?;
    let degraded = Picture8::quantise(&rddm_train::degrade::once(
        degradation.as_ref(),
        &clean.whole(),
        arguments.seed,
    ));
    Ok(degraded.write(&arguments.output)?)
}
