//! The real command, `rddm-train`: trainings, measures, and what is made of folders of pictures.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test may panic and report"
)]

mod bench;
mod making;
mod measuring;
mod training;
