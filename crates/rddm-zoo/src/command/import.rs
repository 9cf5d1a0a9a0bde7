use std::path::{Path, PathBuf};

use clap::Args;
use rddm_manifest::Entry;
use rddm_zoo::{Error, Place, PullOptions, Registry, pull};

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
    let ids: Vec<_> = here(&registry, &arguments.folder).map(|entry| &entry.id).collect();
    if ids.is_empty() {
        return Err(Error::input(format!("{}: it has no models", arguments.folder.display())));
    }
    let options = PullOptions::default();
    context.each(ids, |id| {
        pull(id, &registry, &store, &context.access(), &options, &context.observer()).map(drop)
    })
}

/// What is there of the registry in `folder`: the index of a bundle lists models that the bundle does not have.
pub(super) fn here<'a>(registry: &'a Registry, folder: &Path) -> impl Iterator<Item = &'a Entry> {
    let models = registry.index().models.iter();
    models.filter(move |entry| folder.join(entry.manifest.as_str()).is_file())
}
