//! A model of the zoo, ready to be measured.

use std::env;
use std::path::{Path, PathBuf};

use rddm_core::Objective;
use rddm_manifest::{Digest, ModelId};
use rddm_runtime::Restorer;
use rddm_zoo::{ResolveOptions, ResolvedModel, Settings, Trust};

use crate::Failure;

/// What runs a model.
#[derive(clap::Args)]
pub(crate) struct Running {
    /// What runs the model's networks: tract, or ort where it was built in.
    #[arg(long, default_value = "tract")]
    engine: String,
    /// The shared library of ONNX Runtime, for `--engine ort`.
    #[arg(long, env = "ORT_DYLIB_PATH")]
    ort_library: Option<PathBuf>,
    /// Seed of the noise.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) zoo: Zoo,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// Where models are found.
#[derive(clap::Args)]
pub(crate) struct Zoo {
    /// Folder or URL of the registry.
    #[arg(long)]
    registry: Option<String>,
    /// A public key, or its file, whose signature the registry's index must have, instead of the zoo's own.
    #[arg(long, value_name = "FILE|KEY")]
    key: Vec<String>,
    /// Takes a registry whose index nobody signed.
    #[arg(long, conflicts_with = "key")]
    allow_unsigned: bool,
}

impl Zoo {
    /// Finds a model as every command of the project does, and checks its bytes.
    pub(crate) fn find(&self, id: &ModelId) -> Result<ResolvedModel, Failure> {
        let folders: Vec<PathBuf> = (env::current_dir().ok().into_iter())
            .chain(env::current_exe().ok().as_deref().and_then(Path::parent).map(Path::to_owned))
            .collect();
        let registry = self.registry.as_deref();
        let settings = Settings::decide(None, registry, |name| env::var_os(name), &folders)?;
        let mut options = ResolveOptions::default();
        options.home = settings.home;
        options.registry = settings.registry;
        options.trust = Trust::given(&self.key, self.allow_unsigned)?;
        Ok(rddm_zoo::resolve(id, &options)?)
    }
}

impl Running {
    /// The seed as an option, where it is not the usual one.
    pub(crate) fn seed_given(&self) -> String {
        if self.seed == 0 { String::new() } else { format!(" --seed {}", self.seed) }
    }

    /// The model, sampled in `steps` steps, by `objective`, with mirror images or not and confirmed or not, or as it was published.
    pub(crate) fn restorer(
        &self,
        model: &ResolvedModel,
        steps: Option<usize>,
        objective: Option<Objective>,
        mirror: Option<bool>,
        confirm: Option<bool>,
    ) -> Result<Restorer, Failure> {
        let mut builder = Restorer::builder(&model.manifest)
            .engine(&self.engine)
            .threads(self.threads)
            .seed(self.seed);
        if let Some(steps) = steps {
            builder = builder.steps(steps);
        }
        if let Some(objective) = objective {
            builder = builder.objective(objective);
        }
        if let Some(mirror) = mirror {
            builder = builder.mirror(mirror);
        }
        if let Some(confirm) = confirm {
            builder = builder.confirm(confirm);
        }
        if let Some(library) = &self.ort_library {
            builder = builder.library(library);
        }
        Ok(builder.build(model.networks.iter().map(|network| &network.bytes))?)
    }
}

/// The digests of the files of a model's networks.
pub(crate) fn digests(model: &ResolvedModel) -> Vec<Digest> {
    model.networks.iter().map(|network| Digest::of(&network.bytes)).collect()
}

/// Each number of steps that was given, once; without one, the model's own, which is none.
pub(crate) fn given_or_own(steps: &[usize]) -> Vec<Option<usize>> {
    let first = |at: &usize| !steps[..*at].contains(&steps[*at]);
    match steps {
        [] => vec![None],
        given => (0..given.len()).filter(first).map(|at| Some(given[at])).collect(),
    }
}
