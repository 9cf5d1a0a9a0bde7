use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use rddm_zoo::Error;

use super::{Context, Options};

/// Print completions for a shell
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Options::command(), "rddm-zoo", &mut text);
    context.output.raw(&text);
    Ok(())
}
