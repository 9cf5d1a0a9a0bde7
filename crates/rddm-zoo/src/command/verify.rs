use clap::Args;
use rddm_manifest::ModelId;
use rddm_zoo::{Error, ErrorKind, Place, verify, verify_folder};

use super::Context;
use crate::output::{bytes, count};

/// Read and hash every file of models again
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of models; all that are in the store if none is given
    #[arg(value_name = "NAME")]
    names: Vec<ModelId>,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let all = arguments.names.is_empty();
    let names = if all { store.models()? } else { arguments.names };
    let mut bad = None;
    for id in &names {
        let in_store = store.record(id).map(|record| record.is_some());
        let checked = match (&context.settings.registry, in_store) {
            (Some(Place::Folder(folder)), Ok(false)) => {
                verify_folder(id, folder, &context.trust, &context.observer())
            }
            _ => verify(id, &store, &context.observer()),
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
            // All are looked at, and the first that is bad decides how it ends.
            Err(error) => match &bad {
                None => bad = Some(error),
                Some(_) => context.output.error(&error),
            },
        }
    }
    if all {
        for path in store.bad_blobs()? {
            let error = Error::new(
                ErrorKind::Verification,
                format!("{} is not what its name says", path.display()),
            )
            .with_next("remove it: rddm-zoo gc; or pull its model again");
            match &bad {
                None => bad = Some(error),
                Some(first) if first.to_string().contains(&path.display().to_string()) => {}
                Some(_) => context.output.error(&error),
            }
        }
        if names.is_empty() && bad.is_none() {
            context.output.line("the store has no models");
        }
    }
    bad.map_or(Ok(()), Err)
}
