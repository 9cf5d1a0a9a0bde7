use clap::Args;
use rddm_manifest::ModelId;
use rddm_zoo::{Error, Place, Registry, verify, verify_folder};

use super::{Context, import::here};
use crate::output::{bytes, count};

/// Read and hash every file of models again: of a registry's folder if one is named, else of the store
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of models; all that are there if none is given
    #[arg(value_name = "NAME")]
    names: Vec<ModelId>,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    // As of `show`: a registry that was named is what is asked about, whatever the store has.
    let (folder, named) = match &context.settings.registry {
        Some(Place::Folder(folder)) => (Some(folder), context.settings.registry_named),
        _ => (None, false),
    };
    let all = arguments.names.is_empty();
    let names = match folder.filter(|_| named && all) {
        Some(folder) => {
            let registry = Registry::open_folder(folder, &context.trust)?;
            here(&registry, folder).map(|entry| entry.id.clone()).collect()
        }
        None if all => store.models()?,
        None => arguments.names,
    };
    let mut bad = Vec::new();
    for id in &names {
        let in_store = store.record(id).map_or(true, |record| record.is_some());
        let checked = match folder.filter(|_| named || !in_store) {
            Some(folder) => verify_folder(id, folder, &context.trust, &context.observer()),
            None => verify(id, &store, &context.observer()),
        };
        match checked {
            Ok(checked) => {
                let text = format!(
                    "{id} {} is good: {}, {}",
                    checked.manifest.version,
                    count(checked.files, "file"),
                    bytes(checked.size)
                );
                let value = serde_json::json!({
                    "event": "good", "model": id, "version": checked.manifest.version, "files": checked.files, "size": checked.size,
                });
                context.output.result(&text, &value);
            }
            Err(error) => bad.push(error),
        }
    }
    if all && !named {
        for (path, error) in store.bad_blobs()? {
            let path = path.display().to_string();
            if !bad.iter().any(|model| model.to_string().contains(&path)) {
                bad.push(error);
            }
        }
    }
    if names.is_empty() && bad.is_empty() {
        context.output.line("there are no models");
    }
    context.end_with(bad)
}
