//! `rddm-train plot`.

use std::path::PathBuf;

use rddm_train::log;

use crate::{Failure, print};

/// Plots the log of a run as SVG: training loss and PSNR of held out pictures.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The run's folder.
    run: PathBuf,
    /// The picture; by default `curve.svg` in the run's folder.
    #[arg(short, long)]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let output = arguments.output.unwrap_or_else(|| arguments.run.join("curve.svg"));
    let entries = log::read(&arguments.run.join("log.jsonl"), usize::MAX)
        .map_err(|error| Failure { code: 3, text: error.to_string() })?;
    log::plot(&entries, &output)?;
    print::line(&output.display().to_string())
}
