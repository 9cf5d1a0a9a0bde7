use std::path::PathBuf;

use clap::Args;
use rddm_zoo::{Error, Place, PullOptions, pull};

use super::Context;

/// Bring all models of a folder that `export` wrote into the store, verified
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let registry = context.open(&Place::Folder(arguments.folder.clone()), &store)?;
    // The index of a bundle lists models that the bundle does not have.
    let here: Vec<_> = registry
        .index()
        .models
        .iter()
        .filter(|entry| arguments.folder.join(entry.manifest.as_str()).is_file())
        .collect();
    if here.is_empty() {
        return Err(Error::input(format!("{}: it has no models", arguments.folder.display())));
    }
    for entry in here {
        pull(
            &entry.id,
            &registry,
            &store,
            &context.access(),
            &PullOptions::default(),
            &context.observer(),
        )?;
    }
    Ok(())
}
