//! The one place that prints.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a command speaks to its user")]

/// A line of the result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// What a user should know beside the result.
pub(crate) fn note(text: &str) {
    eprintln!("note: {text}");
}

/// Why the command ends.
pub(crate) fn error(text: &str) {
    eprintln!("error: {text}");
}
