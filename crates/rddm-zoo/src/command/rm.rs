use std::time::Duration;

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

/// Downloads that have not ended are left alone by `rm`.
const NEVER: Duration = Duration::from_secs(u64::MAX);

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    for id in &arguments.names.names {
        if !store.forget(id)? {
            return Err(Error::new(
                ErrorKind::NotPulled,
                format!("{id} is not in the store {}", store.root().display()),
            ));
        }
    }
    let collected = store.collect(NEVER, false)?;
    context.output.result(
        &format!("removed {}, {}", count(collected.files, "file"), bytes(collected.bytes)),
        &serde_json::json!({ "event": "removed", "files": collected.files, "bytes": collected.bytes }),
    );
    Ok(())
}
