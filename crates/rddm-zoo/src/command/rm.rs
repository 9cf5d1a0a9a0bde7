use clap::Args;
use rddm_zoo::{Error, ErrorKind};

use super::{Context, Names};
use crate::output::{bytes, count};

/// Remove models from the store, with the files that no other model needs
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    names: Names,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let there = store.models()?;
    // All names first: a mistyped one must not leave half of them removed.
    for id in &arguments.names.names {
        if !there.contains(id) {
            let what =
                format!("{id} is not in the store {}; nothing was removed", store.root().display());
            return Err(Error::new(ErrorKind::NotPulled, what)
                .with_next("`rddm-zoo list --pulled` shows what is there"));
        }
    }
    let collected = store.remove(&arguments.names.names, &context.observer())?;
    context.output.result(
        &format!("removed {}, {}", count(collected.files, "file"), bytes(collected.bytes)),
        &serde_json::json!({ "event": "removed", "files": collected.files, "bytes": collected.bytes }),
    );
    Ok(())
}
