//! The zoo client under faults: a real command against a real server on the loopback.
//!
//! Each test says the exit code and what stayed on the disk.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and says why it skips"
)]

mod checkout;
mod command;
mod damaged;
mod dates;
mod faults;
mod hostile;
mod kill;
mod offline;
mod publishing;
mod redirects;
mod server;
mod space;
mod tls;
mod together;
mod variants;
mod zoo;
