//! The command `rddm-zoo`.

#![forbid(unsafe_code)]

mod command;
mod output;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::run(command::Options::parse())
}
