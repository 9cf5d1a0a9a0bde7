use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use rddm_zoo::Error;

use super::{Context, Options};

/// Write man pages into a folder
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder; it is made if it does not exist
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let folder = &arguments.folder;
    let failed = |error: std::io::Error| Error::input(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Options::command(), folder).map_err(failed)?;
    context.output.line(&format!("man pages are in {}", folder.display()));
    Ok(())
}
