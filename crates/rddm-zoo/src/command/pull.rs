use std::path::PathBuf;

use clap::Args;
use rddm_manifest::{ModelId, Precision};
use rddm_zoo::{
    Error, LockFile, LockedModel, Place, PullOptions, Registry, Store, pull, pull_back, verify,
};

use super::Context;

/// Bring models into the store, verified
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of models
    #[arg(value_name = "NAME", required_unless_present_any = ["all", "locked"])]
    names: Vec<ModelId>,
    /// All models of the registry
    #[arg(long, conflicts_with_all = ["names", "locked"])]
    all: bool,
    /// Only the networks of this precision (fp32, fp16, int8)
    #[arg(long)]
    precision: Option<Precision>,
    /// Exactly what the lock file says; without names, all that it has
    #[arg(long)]
    locked: bool,
    /// The lock file
    #[arg(long, value_name = "FILE", default_value = LockFile::NAME, requires = "locked")]
    lock_file: PathBuf,
    /// Another place with the registry's networks, tried after it; may be given several times
    #[arg(long = "mirror", value_name = "FOLDER|URL")]
    mirrors: Vec<String>,
    /// Files that are transferred at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
}

pub(crate) fn run(context: &Context<'_>, arguments: Arguments) -> Result<(), Error> {
    let store = context.store()?;
    let mut options = PullOptions::default();
    options.precision = arguments.precision;
    options.jobs = usize::from(arguments.jobs);
    options.mirrors =
        arguments.mirrors.iter().map(|mirror| mirror.parse::<Place>()).collect::<Result<_, _>>()?;
    let lock = if arguments.locked { Some(read_lock(&arguments.lock_file)?) } else { None };
    let mut names = arguments.names;
    if let Some(lock) = lock.as_ref().filter(|_| names.is_empty()) {
        names = lock.models.iter().map(|model| model.id.clone()).collect();
    }
    // What is locked and here needs no registry.
    if let Some(lock) = &lock {
        let mut missing = Vec::new();
        for id in names {
            let locked = lock.get(&id)?;
            if !is_here(context, locked, options.precision, &store)
                && !pull_back(locked, options.precision, &store, &context.observer())
                    .unwrap_or(false)
            {
                missing.push(id);
            }
        }
        if missing.is_empty() {
            context.output.line("all locked models are here and verified");
            return Ok(());
        }
        names = missing;
    }
    let registry = context.open(context.settings.registry()?, &store)?;
    if arguments.all {
        names = registry.index().models.iter().map(|entry| entry.id.clone()).collect();
    }
    // All names first: a mistyped one must not leave half of them pulled.
    for id in &names {
        let entry = registry.entry(id)?;
        if let Some(lock) = &lock {
            lock.get(id)?.check(&entry.sha256, &registry.place().to_string())?;
        }
    }
    context.each(&names, |id| pull_one(context, id, &registry, &store, &options))
}

/// Whether the store has exactly the locked model, good, with the networks of `precision`; with all
/// of them if that is `None`, as a pull would bring them.
fn is_here(
    context: &Context<'_>,
    locked: &LockedModel,
    precision: Option<Precision>,
    store: &Store,
) -> bool {
    // What cannot be read is pulled again.
    let record = store.record(&locked.id).ok().flatten();
    let Some(record) = record.filter(|record| record.sha256 == locked.sha256) else { return false };
    let Ok(manifest) = store.manifest(&record) else { return false };
    let wanted = precision.map_or_else(|| manifest.precisions(), |precision| vec![precision]);
    wanted.iter().all(|precision| record.precisions.contains(precision))
        && verify(&locked.id, store, &context.observer()).is_ok()
}

fn pull_one(
    context: &Context<'_>,
    id: &ModelId,
    registry: &Registry,
    store: &Store,
    options: &PullOptions,
) -> Result<(), Error> {
    let pulled = pull(id, registry, store, &context.access(), options, &context.observer())?;
    let terms: Vec<String> = pulled
        .manifest
        .training_data
        .iter()
        .map(|data| format!("{} ({})", data.name, data.terms))
        .collect();
    if !terms.is_empty() {
        context.output.line(&format!("trained on {}", terms.join(", ")));
    }
    Ok(())
}

fn read_lock(path: &std::path::Path) -> Result<LockFile, Error> {
    LockFile::read(path)?.ok_or_else(|| {
        Error::input(format!(
            "{}: there is no lock file; make one with `rddm-zoo lock NAME`",
            path.display()
        ))
    })
}
