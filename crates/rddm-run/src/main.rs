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
use failure::Failure;
use terminal::Terminal;

fn main() -> ExitCode {
    let args = Args::parse();
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
