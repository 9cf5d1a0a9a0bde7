use clap::Args;
use rddm_manifest::Entry;
use rddm_zoo::{Error, Place, Store};

use super::Context;
use crate::output::table;

/// List the models of the registry and of the store
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only what is in the store; no registry is asked
    #[arg(long)]
    pulled: bool,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let mut rows = Vec::new();
    let mut values = Vec::new();
    let mut failed = Vec::new();
    let pulled = store.models()?;
    if !arguments.pulled {
        let registry = context.look_up(Some(&store))?;
        for entry in &registry.index().models {
            let state = state(entry, &store, context).unwrap_or_else(|error| {
                failed.push(error);
                "damaged"
            });
            rows.push(vec![
                entry.id.to_string(),
                entry.version.to_string(),
                entry.task.to_string(),
                state.to_owned(),
                entry.summary.to_string(),
            ]);
            values.push(serde_json::json!({
                "id": entry.id, "version": entry.version, "task": entry.task, "state": state, "summary": entry.summary,
            }));
        }
        for id in
            pulled.iter().filter(|id| !registry.index().models.iter().any(|entry| entry.id == **id))
        {
            failed.extend(push_stored(id, &store, &mut rows, &mut values).err());
        }
    } else {
        for id in &pulled {
            failed.extend(push_stored(id, &store, &mut rows, &mut values).err());
        }
    }
    let text = if rows.is_empty() && !failed.is_empty() {
        "no models that can be read".to_owned()
    } else if rows.is_empty() {
        "no models".to_owned()
    } else {
        table(&["NAME", "VERSION", "TASK", "STATE", "SUMMARY"], &rows)
    };
    context.output.result(&text, &serde_json::json!({ "models": values }));
    context.end_with(failed)
}

fn push_stored(
    id: &rddm_manifest::ModelId,
    store: &Store,
    rows: &mut Vec<Vec<String>>,
    values: &mut Vec<serde_json::Value>,
) -> Result<(), Error> {
    let Some(record) = store.record(id)? else { return Ok(()) };
    let manifest = store.manifest(&record)?;
    rows.push(vec![
        id.to_string(),
        manifest.version.to_string(),
        manifest.task.to_string(),
        if record.signed_by.is_some() { "pulled" } else { "pulled, unsigned" }.to_owned(),
        manifest.summary.to_string(),
    ]);
    values.push(serde_json::json!({
        "id": id, "version": manifest.version, "task": manifest.task, "state": "pulled", "summary": manifest.summary,
        "registry": record.registry, "signed_by": record.signed_by,
    }));
    Ok(())
}

/// `pulled`, `outdated` (another version is in the store), `here` (in a folder, runs from there) or
/// `available` (wants a pull).
///
/// # Errors
/// If the model's record cannot be read.
fn state(entry: &Entry, store: &Store, context: &Context<'_>) -> Result<&'static str, Error> {
    Ok(match store.record(&entry.id)? {
        Some(record) if record.sha256 == entry.sha256 => "pulled",
        Some(_) => "outdated",
        None if matches!(context.settings.registry, Some(Place::Folder(_))) => "here",
        None => "available",
    })
}
