//! `rddm-run serve` over the real loopback, asked by programs that mean well, by some that do not,
//! and by a real browser.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test may panic and report"
)]

#[path = "../../../rddm-runtime/tests/support/mod.rs"]
mod networks;
#[path = "../support/mod.rs"]
mod support;

mod api;
mod browser;
mod ends;
mod hostile;
mod http;
mod masks;
mod progress;
mod server;
mod webdriver;
