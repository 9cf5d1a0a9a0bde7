//! `rddm-train aosa`.

use rddm_train::select::{Options, Point, select};
use rddm_train::{Recipe, aosa::THRESHOLD};

use crate::train::Work;
use crate::{Failure, print};

/// Decides between residual and noise as what a network of one output predicts.
///
/// Leaves aosa.json, aosa.svg and a run of the decided objective: `rddm-train train OUT/recipe.toml --out OUT` goes on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    work: Work,
    /// How far λ has to be from ½.
    #[arg(long, default_value_t = THRESHOLD)]
    threshold: f32,
    /// Learning rate of λ.
    #[arg(long, default_value_t = Options::default().rate)]
    rate: f64,
    /// Optimiser steps until the choice is given up; no more than the recipe's.
    #[arg(long, default_value_t = Options::default().most_steps)]
    most_steps: usize,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let work = &arguments.work;
    let recipe = Recipe::read(&work.recipe)?;
    let options = Options {
        threshold: arguments.threshold,
        rate: arguments.rate,
        most_steps: arguments.most_steps,
    };
    let device = work.device(&recipe)?;
    print::line(&format!("{:>6} {:>8} {:>13} {:>10}", "step", "λ", "residual loss", "noise loss"))?;
    let mut last = None;
    let show = |point: &Point| {
        print::line(&format!(
            "{:6} {:8.5} {:13.5} {:10.5}",
            point.step, point.lambda, point.residual, point.noise
        ))
    };
    // A choice is worth more than the lines on its way.
    let mut shown = Ok(());
    let selection = select(&recipe, &work.data, &work.out, &device, &options, &mut |point| {
        if shown.is_ok() && (point.step == 1 || point.step.is_multiple_of(20)) {
            shown = show(point);
        }
        last = Some(*point);
    })?;
    shown?;
    if let Some(point) = last {
        show(&point)?;
    }
    print::line(&format!("λ chose {}", selection.recipe.diffusion.objective))
}
