//! From a model's name to a model that can run.

use std::path::PathBuf;

use rddm_manifest::{Manifest, ModelId, Precision};
use rddm_runtime::{CancelToken, Device, Restorer, RestorerBuilder};
use rddm_zoo::{Origin, ResolveOptions, ResolvedModel, Settings, Trust};

use crate::args::{EngineArgs, RegistryArgs, Sampling};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// Finds a model in the store, else in a registry that is a folder. Every byte was hashed.
pub(crate) fn find(
    id: &ModelId,
    args: &RegistryArgs,
    precision: Option<Precision>,
) -> Result<ResolvedModel, Failure> {
    Ok(rddm_zoo::resolve(id, &options(args, precision)?)?)
}

/// The names that can be found.
pub(crate) fn names(args: &RegistryArgs) -> Result<Vec<ModelId>, Failure> {
    Ok(rddm_zoo::available(&options(args, None)?)?)
}

fn options(args: &RegistryArgs, precision: Option<Precision>) -> Result<ResolveOptions, Failure> {
    let settings = Settings::decide(
        args.home.clone(),
        args.registry.as_deref(),
        |name| std::env::var_os(name),
        &folders(),
    )?;
    let mut options = ResolveOptions::default();
    options.home = settings.home;
    options.registry = settings.registry;
    options.trust = Trust::given(&args.key, args.allow_unsigned)?;
    options.precision = precision;
    Ok(options)
}

/// Makes a model ready to run; its networks are hashed once more on the way. Where the device was left to the engine, a note says
/// which one it took.
pub(crate) fn restorer(
    model: &ResolvedModel,
    engine: &EngineArgs,
    sampling: &Sampling,
    cancel: CancelToken,
    terminal: &mut Terminal,
) -> Result<Restorer, Failure> {
    let mut builder =
        builder(model, engine, cancel).seed(sampling.seed).strength(sampling.strength);
    if let Some(steps) = sampling.steps {
        builder = builder.steps(steps);
    }
    if let Some(eta) = sampling.eta {
        builder = builder.eta(eta);
    }
    if let Some(mirror) = sampling.mirror {
        builder = builder.mirror(mirror);
    }
    if let Some(confirm) = sampling.confirm {
        builder = builder.confirm(confirm);
    }
    let builder = sampling.diffusion.tell(builder, &model.manifest)?;
    let restorer = builder.build(model.networks.iter().map(|network| &network.bytes))?;
    if engine.device == Device::Auto {
        let taken = restorer.device();
        terminal.note(&format!(
            "device auto: took {taken}; `rddm-run devices` says why others are not there"
        ));
    }
    Ok(restorer)
}

/// A builder that was told what runs the networks, and nothing of the sampling.
pub(crate) fn builder<'m>(
    model: &'m ResolvedModel,
    engine: &EngineArgs,
    cancel: CancelToken,
) -> RestorerBuilder<'m> {
    let mut builder = Restorer::builder(&model.manifest)
        .engine(&engine.engine)
        .device(engine.device.clone())
        .threads(engine.threads)
        .cancel(cancel);
    if let Some(library) = engine.library.path() {
        builder = builder.library(library);
    }
    // The networks that were found are of one precision, which may not be the manifest's widest.
    if let Some(network) = model.networks.first() {
        builder = builder.precision(network.precision);
    }
    if let Some(tile) = engine.tile {
        builder = builder.tile(tile);
    }
    if let Some(overlap) = engine.overlap {
        builder = builder.overlap(overlap);
    }
    if let Some(bytes) = engine.max_memory {
        builder = builder.max_memory(bytes);
    }
    builder
}

/// Where a model was found, in words.
pub(crate) fn origin(model: &ResolvedModel) -> String {
    match &model.origin {
        Origin::Store { registry } => format!("store, pulled from {registry}"),
        Origin::Folder(folder) => format!("folder {}", folder.display()),
    }
}

/// Name and version.
pub(crate) fn title(manifest: &Manifest) -> String {
    format!("{} {}", manifest.id, manifest.version)
}

/// The folders from which a checkout is looked for upwards.
fn folders() -> Vec<PathBuf> {
    let executable = std::env::current_exe().and_then(|path| path.canonicalize());
    let beside = executable.ok().and_then(|path| path.parent().map(PathBuf::from));
    std::env::current_dir().ok().into_iter().chain(beside).collect()
}
