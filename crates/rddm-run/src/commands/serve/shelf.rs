//! The models that are served: each was hashed and loaded once, and all requests share it.

use rddm_manifest::ModelId;
use rddm_runtime::{CancelToken, Restorer};
use rddm_zoo::ResolvedModel;

use super::ask::Ask;
use crate::args::{EngineArgs, Serve};
use crate::failure::{Failure, code};
use crate::model;
use crate::terminal::Terminal;

pub(super) struct Shelf {
    models: Vec<Loaded>,
}

/// A model that is ready to run.
pub(super) struct Loaded {
    pub(super) model: ResolvedModel,
    restorer: Restorer,
    engine: EngineArgs,
}

impl Shelf {
    /// Loads the models that were named, or all that this machine has and the page can serve.
    pub(super) fn load(
        args: &Serve,
        cancel: &CancelToken,
        terminal: &mut Terminal,
    ) -> Result<Self, Failure> {
        let named = !args.model.is_empty();
        let names = if named { args.model.clone() } else { model::names(&args.registry)? };
        let mut models: Vec<Loaded> = Vec::new();
        for id in names {
            if models.iter().any(|loaded| *loaded.id() == id) {
                continue;
            }
            match Loaded::load(&id, args, cancel) {
                Ok(loaded) => models.push(loaded),
                // A folder may list models that it does not have, and the zoo has some that draw.
                Err(failure) if !named && matches!(failure.code, code::MODEL | code::USAGE) => {
                    terminal.note(&format!("note: {id} is not served: {}", failure.what));
                }
                Err(failure) => return Err(failure),
            }
        }
        if models.is_empty() {
            let what = "there is no model on this machine that could be served";
            return Err(Failure::new(code::MODEL, what)
                .with_next("pull one: rddm-zoo pull NAME, or name a registry with --registry"));
        }
        Ok(Self { models })
    }

    pub(super) fn models(&self) -> impl Iterator<Item = &Loaded> {
        self.models.iter()
    }

    pub(super) fn get(&self, id: &ModelId) -> Option<&Loaded> {
        self.models.iter().find(|loaded| loaded.id() == id)
    }
}

impl Loaded {
    fn load(id: &ModelId, args: &Serve, cancel: &CancelToken) -> Result<Self, Failure> {
        let model = model::find(id, &args.registry, args.engine.precision)?;
        if !model.manifest.sampler.conditional {
            return Err(Failure::usage(format!("{id} draws pictures and restores none")));
        }
        let files = model.networks.iter().map(|network| &network.bytes);
        let restorer = model::builder(&model, &args.engine, cancel.clone()).build(files)?;
        Ok(Self { model, restorer, engine: args.engine.clone() })
    }

    pub(super) fn id(&self) -> &ModelId {
        &self.model.manifest.id
    }

    /// Whether it is to be told by a mask what to restore.
    pub(super) fn takes_mask(&self) -> bool {
        self.model.manifest.picture.mask
    }

    /// The sampling that it has unless asked otherwise.
    pub(super) fn restorer(&self) -> &Restorer {
        &self.restorer
    }

    /// A restorer with what was asked for, around the networks that are loaded.
    pub(super) fn restorer_for(&self, ask: &Ask) -> Result<Restorer, Failure> {
        let builder = model::builder(&self.model, &self.engine, self.restorer.cancel_token());
        Ok(ask.tell(builder).share(&self.restorer)?)
    }
}
