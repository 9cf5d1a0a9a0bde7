//! One file for each thing to do.

pub(crate) mod bench;
pub(crate) mod devices;
pub(crate) mod metrics;
pub(crate) mod restore;
pub(crate) mod self_test;
pub(crate) mod serve;
pub(crate) mod shell;

mod batch;
mod bench_files;
mod budget;
mod by_rows;
mod compare;
mod deliver;
mod generate;
mod synthetic;
