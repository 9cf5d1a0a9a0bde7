use std::path::PathBuf;

use clap::Args;
use rddm_manifest::ModelId;
use rddm_zoo::{Error, ErrorKind, export};

use super::Context;
use crate::output::{bytes, count};

/// Write models of the store as a plain folder that is a registry, for a machine without network
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Names of models; all that are in the store if none is given
    #[arg(value_name = "NAME")]
    names: Vec<ModelId>,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let mut names = if arguments.names.is_empty() { store.models()? } else { arguments.names };
    if names.is_empty() {
        let what = format!("the store {} has no models to export", store.root().display());
        return Err(
            Error::new(ErrorKind::NotPulled, what).with_next("pull some first: rddm-zoo pull NAME")
        );
    }
    names.sort();
    names.dedup();
    let size = export(&names, &store, &arguments.folder, &context.trust, &context.observer())?;
    let folder = arguments.folder.display();
    context.output.result(
        &format!("{}, {}, in {folder}. There: rddm-zoo import {folder}", count(names.len(), "model"), bytes(size)),
        &serde_json::json!({ "event": "exported", "folder": folder.to_string(), "models": names, "bytes": size }),
    );
    Ok(())
}
