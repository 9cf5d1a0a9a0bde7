//! The `rddm-train` command: trains and evaluates restoration networks.

mod plot;
mod print;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trains and evaluates restoration networks.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Arguments),
    Plot(plot::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(arguments) => train::run(arguments),
        Command::Plot(arguments) => plot::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::error(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// Why a command ends, and its exit code: 1 unexpected, 2 usage or recipe, 3 pictures, 7 files.
struct Failure {
    code: u8,
    text: String,
}

impl From<rddm_train::Error> for Failure {
    fn from(error: rddm_train::Error) -> Self {
        let code = match error.kind() {
            rddm_train::Kind::Recipe => 2,
            rddm_train::Kind::Data => 3,
            rddm_train::Kind::Run => 7,
            _ => 1,
        };
        Self { code, text: error.to_string() }
    }
}
