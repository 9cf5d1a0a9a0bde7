//! Every case of the goldens' manifest, run by every engine that it applies to.
//!
//! The goldens are numbers that the paper's own code made. Their folder is `RDDM_GOLDENS`, else `../shared/goldens`
//! beside the workspace. All that a case needs is read from its manifest, so any set of the same form can be given.
//! A case that no engine ran, and a kind or a setting that is not known, are failures. ONNX Runtime is an engine where
//! `ORT_DYLIB_PATH` names its library; in CI it must be.
//!
//! ```text
//! cargo test --release -p rddm-tests --test goldens -- --nocapture [PART OF AN ID…]
//! ```
#![allow(clippy::print_stdout, reason = "a suite is read by people")]
#![allow(unreachable_pub, reason = "the modules of one program have no outside")]

mod aosa;
mod checkpoints;
mod compare;
mod engines;
mod modules;
mod networks;
mod report;
mod sampling;
mod schedules;
mod set;
mod tensors;
mod training;
mod trajectories;

use std::process::ExitCode;

use report::{Report, Run};
use set::{Case, Set};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("goldens: test");
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> =
        arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    let set = match Set::open() {
        Ok(Some(set)) => set,
        Ok(None) => return ExitCode::SUCCESS,
        Err(problem) => {
            println!("goldens: {problem}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(missing) = engines::missing() {
        println!("\n*** goldens: {missing} ***\n");
    }
    let mut report = Report::new(set.folder(), set.cases().len());
    for case in set.cases() {
        if wanted.is_empty() || wanted.iter().any(|part| case.id.contains(part.as_str())) {
            report.add(&case.id, run(&set, case));
        }
    }
    report.finish()
}

/// Runs a case on all engines that it applies to.
fn run(set: &Set, case: &Case) -> Result<Vec<Run>, String> {
    match case.kind.as_str() {
        "schedule" => schedules::schedule(set, case),
        "coefficients" => schedules::coefficients(set, case),
        "ddim_to_rddm" => schedules::ddim_to_rddm(set, case),
        "schedule_from_ddim" => schedules::schedule_from_ddim(set, case),
        "times" => schedules::times(set, case),
        "module" => modules::module(set, case),
        "network" => networks::network(set, case),
        "trajectory" => trajectories::trajectory(set, case),
        "loss" => training::loss(set, case),
        "training" => training::training(set, case),
        "ema" => training::ema(set, case),
        "checkpoint" => checkpoints::checkpoint(set, case),
        "aosa" => aosa::aosa(set, case),
        other => Err(format!("the suite knows no kind \"{other}\"")),
    }
}
