//! The `rddm-train` command: trains and evaluates restoration networks.

mod aosa;
mod degrade;
mod distance;
mod eval;
mod leaderboard;
mod model;
mod new_task;
mod plot;
mod print;
mod report;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Trains and evaluates restoration networks.
#[derive(Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 2 wrong options or recipe; 3 a file that can't be read, or a picture that does not fit; 4 a model that \
is not on this machine; 5 a model that is not what its manifest says; 7 a run's folder, or a file that can't be written; 8 \
an engine or device that is missing or failed; 130 interrupted; 1 anything else.";

#[derive(Subcommand)]
enum Command {
    Train(train::Arguments),
    Aosa(aosa::Arguments),
    Degrade(degrade::Arguments),
    Eval(eval::Arguments),
    Distance(distance::Arguments),
    Leaderboard(leaderboard::Arguments),
    Plot(plot::Arguments),
    NewTask(new_task::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(arguments) => train::run(arguments),
        Command::Aosa(arguments) => aosa::run(arguments),
        Command::Degrade(arguments) => degrade::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Distance(arguments) => distance::run(arguments),
        Command::Leaderboard(arguments) => leaderboard::run(arguments),
        Command::Plot(arguments) => plot::run(arguments),
        Command::NewTask(arguments) => new_task::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            print::error(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// Why a command ends, and its exit code, one of [`EXIT_CODES`].
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn interrupted() -> Self {
        let text = "interrupted; a checkpoint was written, and the same command goes on from it";
        Self { code: 130, text: text.into() }
    }
}

impl From<rddm_train::Error> for Failure {
    fn from(error: rddm_train::Error) -> Self {
        let code = match error.kind() {
            rddm_train::Kind::Recipe => 2,
            rddm_train::Kind::Data => 3,
            rddm_train::Kind::Run => 7,
            rddm_train::Kind::Engine => 8,
            _ => 1,
        };
        Self { code, text: error.to_string() }
    }
}

impl From<rddm_zoo::Error> for Failure {
    fn from(error: rddm_zoo::Error) -> Self {
        let next = error.next().map(|next| format!("\n  {next}")).unwrap_or_default();
        Self { code: error.exit_code(), text: format!("{error}{next}") }
    }
}

impl From<rddm_runtime::Error> for Failure {
    fn from(error: rddm_runtime::Error) -> Self {
        use rddm_runtime::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::Options | Kind::Memory => 2,
            Kind::Input => 3,
            Kind::Integrity => 5,
            Kind::Engine | Kind::Device | Kind::Network | Kind::NotFinite => 8,
            Kind::Cancelled => 130,
            _ => 1,
        };
        Self { code, text: error.to_string() }
    }
}
