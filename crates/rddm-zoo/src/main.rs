//! The command `rddm-zoo`.

#![forbid(unsafe_code)]

mod command;
mod output;

use std::{env, process::ExitCode};

use clap::Parser;
use rddm_zoo::Error;

use output::{Manner, Output};

fn main() -> ExitCode {
    match command::Options::try_parse() {
        Ok(options) => command::run(options),
        Err(error) => no_options(&error),
    }
}

/// Says what is wrong with the options, in JSON too where that is among them, or shows the help that they ask for.
fn no_options(error: &clap::Error) -> ExitCode {
    // Nobody is there to be told when this fails.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let problem = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
    let line = problem.split_whitespace().collect::<Vec<_>>().join(" ");
    let wrong = Error::usage(line).with_next("rddm-zoo --help names the options");
    if env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json") {
        Output::new(Manner::Json).error_as_json(&wrong);
    }
    ExitCode::from(wrong.exit_code())
}
