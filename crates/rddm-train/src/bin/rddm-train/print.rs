//! The one place that prints.

use std::io::{self, Write};

use crate::Failure;

/// A line of the result.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}") {
        Ok(()) => Ok(()),
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(Failure { code: 7, text: format!("can't write to standard output: {error}") })
        }
    }
}

/// What a user should know while the command works.
pub(crate) fn say(text: &str) {
    // Nobody is there to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What a user should know beside the result.
pub(crate) fn note(text: &str) {
    say(&format!("note: {text}"));
}

/// Why the command ends.
pub(crate) fn error(text: &str) {
    say(&format!("error: {text}"));
}
