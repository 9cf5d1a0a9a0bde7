//! The `rddm-run` command: restores pictures with a model of the zoo.
//!
//! `main` parses the options ([`args`]) and hands over to one file under [`commands`] for each
//! thing to do. [`terminal`] is the one place that prints, [`failure`] the one that knows the exit
//! codes.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod failure;
mod inputs;
mod interrupt;
mod model;
mod process;
mod report;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};
use failure::{Failure, code};
use report::Failed;
use terminal::Terminal;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return no_options(&error),
    };
    let mut terminal = Terminal::new(args.quiet(), args.json());
    let done = run(args, &mut terminal);
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            terminal.failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

/// Says what is wrong with the options, in JSON too where that is among them, or shows the help that they ask for.
fn no_options(error: &clap::Error) -> ExitCode {
    // Nobody is there to be told when this fails.
    let _ = error.print();
    let mut words = std::env::args_os().skip(1).take_while(|word| word != "--");
    if error.use_stderr() && words.any(|word| word == "--json") {
        let failure = Failure::from(error);
        let _ = Terminal::new(true, true).report(&Failed { schema: 1, error: (&failure).into() });
    }
    ExitCode::from(if error.use_stderr() { code::USAGE } else { 0 })
}

/// Does what was asked for; the code is that of a run that ended as it should, or that reported
/// its failures already.
fn run(args: Args, terminal: &mut Terminal) -> Result<u8, Failure> {
    match args.command {
        None => commands::restore::run(args.restore, terminal),
        Some(Command::Metrics(metrics)) => commands::metrics::run(&metrics, terminal),
        Some(Command::Devices(devices)) => commands::devices::run(&devices, terminal),
        Some(Command::Bench(bench)) => commands::bench::run(&bench, terminal),
        Some(Command::SelfTest(test)) => commands::self_test::run(&test, terminal),
        Some(Command::Serve(serve)) => commands::serve::run(&serve, terminal),
        Some(Command::Completions { shell }) => commands::shell::completions(shell, terminal),
        Some(Command::Man { of }) => commands::shell::man(of.as_deref(), terminal),
    }
}
