//! `rddm-train aosa`.

use std::path::PathBuf;

use rddm_train::select::{Options, select};
use rddm_train::{Recipe, aosa::THRESHOLD};

use crate::train::device;
use crate::{Failure, print};

/// Decides between residual and noise as what a network of one output predicts; `train` goes on with the run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The recipe; its objective is what is decided.
    recipe: PathBuf,
    /// Folder of the pictures that the recipe names.
    #[arg(long, env = "RDDM_DATA")]
    data: PathBuf,
    /// The run's folder: aosa.json, aosa.svg, and what `rddm-train train OUT/recipe.toml --out OUT` goes on from.
    #[arg(long)]
    out: PathBuf,
    /// How far λ has to be from ½.
    #[arg(long, default_value_t = THRESHOLD)]
    threshold: f32,
    /// Learning rate of λ.
    #[arg(long, default_value_t = Options::default().rate)]
    rate: f64,
    /// Optimiser steps until the choice is given up.
    #[arg(long, default_value_t = Options::default().most_steps)]
    most_steps: usize,
    /// What trains: `cpu`, or `cuda` where it was built in.
    #[arg(long, default_value = "cpu")]
    device: String,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let recipe = Recipe::read(&arguments.recipe)?;
    let options = Options {
        threshold: arguments.threshold,
        rate: arguments.rate,
        most_steps: arguments.most_steps,
    };
    let device = device(&arguments.device)?.autodiff();
    print::line(&format!("{:>6} {:>8} {:>13} {:>10}", "step", "λ", "residual loss", "noise loss"));
    let mut last = None;
    let show = |point: &rddm_train::select::Point| {
        print::line(&format!(
            "{:6} {:8.5} {:13.5} {:10.5}",
            point.step, point.lambda, point.residual, point.noise
        ));
    };
    let selection =
        select(&recipe, &arguments.data, &arguments.out, &device, &options, &mut |point| {
            if point.step == 1 || point.step.is_multiple_of(20) {
                show(point);
            }
            last = Some(*point);
        })?;
    if let Some(point) = last {
        show(&point);
    }
    print::line(&format!("λ chose {}", selection.recipe.diffusion.objective));
    Ok(())
}
