use std::path::PathBuf;

use clap::Args;
use rddm_zoo::{Error, LockFile};

use super::{Context, Names};

/// Write the exact digests of models into a lock file, for `pull --locked`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    names: Names,
    /// The lock file
    #[arg(long, value_name = "FILE", default_value = LockFile::NAME)]
    lock_file: PathBuf,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let mut locked = Vec::new();
    let registry = context.open(context.settings.registry()?, &store)?;
    for id in &arguments.names.names {
        let entry = registry.entry(id)?;
        let manifest = registry.manifest(entry, &context.http, &|_| {})?;
        locked.push((manifest, entry.sha256));
    }
    LockFile::update(&arguments.lock_file, |lock| {
        for (manifest, sha256) in &locked {
            lock.set(manifest, *sha256);
        }
    })?;
    for (manifest, sha256) in &locked {
        let (id, version) = (&manifest.id, manifest.version);
        context.output.line(&format!("locked   {id} {version}, {sha256}"));
        context.output.json(&serde_json::json!({ "event": "locked", "model": id, "version": version, "sha256": sha256 }));
    }
    Ok(())
}
